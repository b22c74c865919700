"""Predict how diabetes progresses in a year: which model, and with which settings?

Usage:
    python train.py                                        one run, the defaults
    python train.py model=forest model.trees=200           another model, another value
    python train.py -m model=elastic_net,gbm seed=1,2 --jobs 2          a grid: four runs
    python train.py --search tpe --trials 30 --jobs 2 model=elastic_net,gbm,forest
"""

from omegaconf import DictConfig
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sweeper


def make_model(model: DictConfig, seed: int):
    """Return the estimator that the config describes."""
    if model.name == "elastic_net":
        return make_pipeline(StandardScaler(), ElasticNet(alpha=model.alpha, l1_ratio=model.l1_ratio))
    if model.name == "gbm":
        return GradientBoostingRegressor(
            learning_rate=model.learning_rate,
            max_depth=model.depth,
            n_estimators=model.trees,
            subsample=model.subsample,
            random_state=seed,
        )
    return RandomForestRegressor(
        n_estimators=model.trees,
        max_features=model.features,
        min_samples_leaf=model.leaf,
        random_state=seed,
    )


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the cross-validated R² of a model on the diabetes data."""
    x, y = load_diabetes(return_X_y=True)
    folds = KFold(cfg.folds, shuffle=True, random_state=cfg.seed)
    return cross_val_score(make_model(cfg.model, cfg.seed), x, y, cv=folds, scoring="r2").mean()


if __name__ == "__main__":
    train()
