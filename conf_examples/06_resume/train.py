"""A sweep that is cut off goes on: here by a time limit, as it would after Ctrl-C or a crash.

Usage:
    python train.py --search tpe --trials 12 --timeout 1s sweeper.sweep.dir=slow
    python train.py --resume slow --jobs 4                              the rest, four at a time
    python train.py --resume slow --trials 16                           and four more
"""

import time

from omegaconf import DictConfig

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    time.sleep(cfg.seconds)
    return (cfg.x - 2) ** 2 + (cfg.y + 1) ** 2


if __name__ == "__main__":
    train()
