"""Predict how diabetes progresses in a year; `nightly.py` looks for the settings each night."""

from omegaconf import DictConfig
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the cross-validated R²."""
    x, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), ElasticNet(**cfg.model))
    return cross_val_score(model, x, y, cv=cfg.folds, scoring="r2").mean()


if __name__ == "__main__":
    train()
