"""LightGBM that reports after each tree, so that what lags behind is ended.

Usage:
    python train.py params.learning_rate=0.05
    python train.py --search tpe --pruner median --trials 20 --jobs 2
"""

import lightgbm as lgb
from omegaconf import DictConfig, OmegaConf
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

import sweeper

X, Y = make_friedman1(10_000, noise=3, random_state=0)
x_train, x_valid, y_train, y_valid = train_test_split(X, Y, random_state=0)
HOW = {"feature_pre_filter": False}  # min_data_in_leaf is searched: no feature may go
TRAIN = lgb.Dataset(x_train, y_train, params=HOW).construct()  # once, not once a run
VALID = TRAIN.create_valid(x_valid, y_valid, params=HOW).construct()


def report(env: lgb.callback.CallbackEnv) -> None:
    """Report what LightGBM has measured after a tree; a pruner may end the run here."""
    found = env.evaluation_result_list
    sweeper.report({f"{data}/{metric}": value for data, metric, value, *_ in found}, step=env.iteration)


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> dict[str, float]:
    """Return the error of the best round on data that was not trained on."""
    stop = lgb.early_stopping(cfg.patience, verbose=False)
    model = lgb.train(
        OmegaConf.to_container(cfg.params),
        TRAIN,
        cfg.rounds,
        valid_sets=[VALID],
        valid_names=["valid"],
        callbacks=[report, stop],
    )
    return {"valid/rmse": model.best_score["valid"]["rmse"], "trees": model.best_iteration}


if __name__ == "__main__":
    train()
