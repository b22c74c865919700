"""Predict how diabetes progresses, and put the best model of a sweep into service by MLflow's registry.

Each run logs its model; `sweeper promote last --model diabetes` registers the best of them.

Usage:
    python train.py -m alpha=1,0.01                 a grid: two runs, and a model of each
    python train.py --search tpe --trials 20        a search
"""

import mlflow
from omegaconf import DictConfig
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the R² of a ridge regression on patients that it has not seen."""
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    x, unseen_x, y, unseen_y = train_test_split(x, y, random_state=cfg.split)
    model = Ridge(alpha=cfg.alpha).fit(x, y)
    with mlflow.start_run():  # goes on with the run that the tracker has begun
        mlflow.sklearn.log_model(
            model, name="model", input_example=x.head(2), pip_requirements=["scikit-learn", "pandas"]
        )
    return r2_score(unseen_y, model.predict(unseen_x))


if __name__ == "__main__":
    train()
