"""Read handwritten digits with a support vector machine, here or as trials of Katib's on Kubernetes.

Usage:
    python train.py svm.C=10                                                    one run
    python train.py --search tpe --trials 40 --jobs 4                           a search, here
    python train.py --search tpe --trials 40 --jobs 4 --export katib            the same search, for Katib
"""

from omegaconf import DictConfig
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> float:
    """Return the cross-validated accuracy."""
    x, y = load_digits(return_X_y=True)
    steps = [StandardScaler()] if cfg.scale else []
    model = make_pipeline(*steps, SVC(**cfg.svm))
    return cross_val_score(model, x[: cfg.images], y[: cfg.images], cv=cfg.folds).mean()


if __name__ == "__main__":
    train()
