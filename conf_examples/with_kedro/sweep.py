"""Sweeps over the parameters of a Kedro project, which stays as it is.

Usage:
    kedro run                                                  as ever
    python sweep.py model.degree=2                             one run, with another parameter
    python sweep.py -m model.degree=1,2,3 model.C=0.1,10       a grid
    python sweep.py --search tpe --trials 20 --jobs 2          what conf/base/sweep.yaml says
"""

from pathlib import Path

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset
from kedro.runner import SequentialRunner
from omegaconf import DictConfig, OmegaConf

import sweeper
from sweeper.core.config_store import ConfigStore

PROJECT = Path(__file__).parent

bootstrap_project(PROJECT)
with KedroSession.create(PROJECT) as session:
    context = session.load_context()

# The project's parameters are the defaults of the config, which conf/base/sweep.yaml begins with.
ConfigStore.instance().store("parameters", context.config_loader["parameters"])

# Runs are forked from a process that has imported this file: they find its data loaded.
CATALOG = context.catalog
INPUTS = [
    name for name in pipelines["__default__"].inputs() if not name.startswith(("params:", "parameters"))
]
DATA = {name: CATALOG.load(name) for name in INPUTS}


class Apart(SequentialRunner):
    """Keeps what a run makes in memory, where no other run writes over it."""

    def run(self, pipeline, catalog, *args, **kwargs):
        for name in pipeline.all_outputs():
            catalog[name] = MemoryDataset()
        for name, data in DATA.items():
            catalog[name] = MemoryDataset(data)
        return super().run(pipeline, catalog, *args, **kwargs)


@sweeper.main(config_path="conf/base", config_name="sweep")
def train(cfg: DictConfig) -> dict[str, float]:
    parameters = OmegaConf.to_container(cfg, resolve=True)
    with KedroSession.create(PROJECT, runtime_params=parameters) as session:
        outputs = session.run(runner=Apart())
    return outputs["metrics"].load()


if __name__ == "__main__":
    train()
