"""The smallest program: one file, one number. Where is (x - 2)² least?

Usage:
    python train.py                                                     x as the config has it
    python train.py x=3                                                 another x
    python train.py -m x=0,1,2,3                                        a grid
    python train.py --search gp --trials 100 'x=int(interval(-10, 10))'  a Gaussian process, over integers
    python train.py --search tpe --trials 100 'x=interval(-10, 10)'      TPE, over the reals
"""

from omegaconf import DictConfig

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    return (cfg.x - 2) ** 2


if __name__ == "__main__":
    train()
