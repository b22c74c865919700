"""A flow with a sweep in a step, which hands the best config to the next.

A step that is tried again, because its machine was lost, goes on with the sweep that it began.

Usage:
    python nightly.py run --trials 20
"""

from metaflow import FlowSpec, Parameter, current, retry, step
from model import error, fit
from omegaconf import DictConfig, OmegaConf

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    return error(cfg, fit(cfg))


class Nightly(FlowSpec):
    trials = Parameter("trials", default=20)

    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        result = sweeper.sweep(
            train,
            overrides=["model=polynomial,waves"],
            search="tpe",
            trials=self.trials,
            jobs=2,
            resume=f"sweeps/{current.run_id}",
        )
        if result.interrupted:
            raise RuntimeError("the sweep was interrupted")
        self.best = OmegaConf.to_container(result.best.config, resolve=True)
        self.next(self.end)

    @step
    def end(self):
        self.weights = fit(self.best)
        print("fitted with", self.best["model"])


if __name__ == "__main__":
    Nightly()
