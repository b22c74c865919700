"""Groups: a folder a choice, and files that make several choices at once.

Usage:
    python train.py                                     the defaults
    python train.py optimizer=adam optimizer.lr=0.01    another option, and a value in it
    python train.py +experiment=quick                   choices and values that belong together
    python train.py data@test=large                     one group, used twice: data@train and data@test
    python train.py --cfg job +experiment=quick         look at the config, run nothing
    python train.py --explain optimizer.lr +experiment=quick
    python train.py -m '+experiment=glob(*)'            every experiment
"""

from omegaconf import DictConfig, OmegaConf

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    print(OmegaConf.to_yaml(cfg, resolve=True))
    return cfg.optimizer.lr * cfg.train.rows


if __name__ == "__main__":
    train()
