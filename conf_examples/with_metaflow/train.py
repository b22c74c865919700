"""Each run of a sweep is a run of a Metaflow flow, which gets the config as its one parameter.

Usage:
    python train.py model.C=0.1
    python train.py -m model=linear,neighbors --jobs 2
    python train.py --search tpe --trials 10 --jobs 2 model=linear,neighbors
"""

from metaflow import Runner
from omegaconf import DictConfig, OmegaConf

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> dict[str, float]:
    run = sweeper.current_run()
    tags = [f"sweeper:{run.id}"]
    with Runner("flow.py").run(config=OmegaConf.to_container(cfg, resolve=True), tags=tags) as executed:
        flow = executed.run
        run.set_tag("metaflow", flow.pathspec)
        if not flow.successful:
            raise RuntimeError(f"the flow failed: {flow.pathspec}")
        return flow.data.metrics


if __name__ == "__main__":
    train()
