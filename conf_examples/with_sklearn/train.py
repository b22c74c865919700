"""Which pipeline of scikit-learn reads digits best? A run ends early if its first folds are poor.

Usage:
    python train.py model=svm model.C=10
    python train.py --search tpe --pruner median --trials 20 --jobs 2 model=logistic,svm,forest
    sweeper best last --json | python predict.py
"""

from pathlib import Path

import joblib
from omegaconf import DictConfig
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold

import sweeper
from sweeper.utils import instantiate

X, Y = load_digits(return_X_y=True)  # loaded once, not once a run


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the cross-validated accuracy; keep the pipeline, fitted on everything."""
    pipeline = instantiate(cfg.model.pipeline)
    folds = StratifiedKFold(cfg.folds, shuffle=True, random_state=cfg.seed)
    scores: list[float] = []
    for fold, (train, test) in enumerate(folds.split(X, Y)):
        scores.append(clone(pipeline).fit(X[train], Y[train]).score(X[test], Y[test]))
        accuracy = sum(scores) / len(scores)
        sweeper.report({"accuracy": accuracy}, step=fold)  # a pruner may end the run here

    run = sweeper.current_run()
    if run.directory:  # outside of a run there is none
        path = Path(run.directory, "pipeline.joblib")
        joblib.dump(pipeline.fit(X, Y), path)
        run.log_artifact(path)
    return accuracy


if __name__ == "__main__":
    train()
