"""Predict how diabetes progresses: sweeps as entry points of an MLflow project.

Usage:
    mlflow run . -P trials=5 --env-manager local                  a search, whose runs are in the project's
    mlflow run . -e grid -P alphas=0.1,1 --env-manager local      a grid
    mlflow run . -e train -P alpha=0.1 --env-manager local        one run, which is the project's
"""

from omegaconf import DictConfig
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the cross-validated R² of a ridge regression."""
    x, y = load_diabetes(return_X_y=True)
    return cross_val_score(Ridge(alpha=cfg.alpha), x, y, cv=cfg.folds, scoring="r2").mean()


if __name__ == "__main__":
    train()
