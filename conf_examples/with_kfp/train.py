"""Predict how diabetes progresses in a year; `pipeline.py` looks for the settings, and fits with the best."""

from omegaconf import DictConfig
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sweeper


def make_model(cfg: DictConfig):
    """Return the estimator that a config describes, and the data that it learns from."""
    return make_pipeline(StandardScaler(), ElasticNet(**cfg.model)), load_diabetes(return_X_y=True)


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the cross-validated R²."""
    model, (x, y) = make_model(cfg)
    return cross_val_score(model, x, y, cv=cfg.folds, scoring="r2").mean()


if __name__ == "__main__":
    train()
