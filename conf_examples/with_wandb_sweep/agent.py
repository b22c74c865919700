"""Runs before.py as it stands, in sweeper's sweeps: it gets its config as from a W&B agent.

Usage:
    python agent.py -m -cn sweep --jobs 2
"""

import os
import sys

import before
import wandb
import yaml
from omegaconf import OmegaConf

import sweeper

log = wandb.Run.log


def log_and_report(run, data, step=None, **more):
    log(run, data, step, **more)
    sweeper.report({key: value for key, value in data.items() if isinstance(value, (int, float))}, step)


@sweeper.main(config_path="conf", config_name="sweep")
def main(cfg):
    values = OmegaConf.to_container(cfg)
    path = os.path.join(sweeper.current_run().directory, "wandb.yaml")
    with open(path, "w") as file:
        yaml.safe_dump({key: {"value": value} for key, value in values.items()}, file)
    os.environ["WANDB_SWEEP_PARAM_PATH"] = path  # what wandb.config takes first
    sys.argv[1:] = [f"--{key}={value}" for key, value in values.items()]  # for a script with argparse
    wandb.Run.log = log_and_report
    before.main()


if __name__ == "__main__":
    main()
