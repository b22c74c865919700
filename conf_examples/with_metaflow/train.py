"""Sweeps over the config of a Metaflow flow: each run of the sweep is a run of the flow.

Usage:
    python train.py model.degree=5
    python train.py -m model=polynomial,waves --jobs 2
    python train.py --search tpe --trials 8 --jobs 2 model=polynomial,waves
"""

from pathlib import Path

from metaflow import Runner
from omegaconf import DictConfig, OmegaConf

import sweeper

FLOW = Path(__file__).with_name("flow.py")


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> dict[str, float]:
    config = OmegaConf.to_container(cfg, resolve=True)
    run = sweeper.current_run()
    Path(".metaflow").mkdir(exist_ok=True)  # where there is none, flows that start together race to make it
    tags = [f"sweep:{run.id.partition('/')[0]}", f"run:{run.number}"]
    with Runner(str(FLOW)).run(config=config, tags=tags) as executing:
        flow = executing.run
    run.set_tag("metaflow", flow.pathspec)
    if not flow.successful:
        raise RuntimeError(f"the flow's run failed: {flow.pathspec}")
    return flow.data.metrics


if __name__ == "__main__":
    train()
