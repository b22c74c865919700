"""XGBoost that reports after each tree, so that what lags behind is ended.

Usage:
    python train.py params.eta=0.05
    python train.py --search tpe --pruner median --trials 20 --jobs 2
"""

import xgboost as xgb
from omegaconf import DictConfig, OmegaConf
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

import sweeper

X, Y = make_friedman1(10_000, noise=3, random_state=0)
x_train, x_valid, y_train, y_valid = train_test_split(X, Y, random_state=0)
TRAIN = xgb.QuantileDMatrix(x_train, y_train)  # once, not once a run
VALID = xgb.QuantileDMatrix(x_valid, y_valid, ref=TRAIN)


class Report(xgb.callback.TrainingCallback):
    """Reports what XGBoost has measured after a tree; a pruner may end the run here."""

    def after_iteration(self, model, epoch, evals_log):
        metrics = {}
        for data, measured in evals_log.items():
            for metric, values in measured.items():
                metrics[f"{data}/{metric}"] = values[-1]
        sweeper.report(metrics, step=epoch)
        return False  # go on


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> dict[str, float]:
    """Return the error of the best round on data that was not trained on."""
    model = xgb.train(
        OmegaConf.to_container(cfg.params),
        TRAIN,
        cfg.rounds,
        evals=[(VALID, "valid")],
        early_stopping_rounds=cfg.patience,
        verbose_eval=False,
        callbacks=[Report()],
    )
    return {"valid/rmse": model.best_score, "trees": model.best_iteration + 1}


if __name__ == "__main__":
    train()
