"""A grid in parallel: a support vector machine on handwritten digits.

Usage:
    python train.py                                                     one run
    python train.py -m C=0.1,1,10 'gamma=0.0001,0.001,0.01' --jobs 2    nine runs, two at a time
    python train.py -m C=0.1,1,10 --dry-run                             list the runs, make none
    python train.py -m 'degree=range(1, 4)' kernel=poly --jobs 2        1, 2, 3: the end is excluded
"""

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

import sweeper

X, Y = load_digits(return_X_y=True)  # loaded once, not once a run


@sweeper.main(config_path="conf", config_name="config")
def train(C: float, gamma: float, kernel: str, degree: int) -> float:  # noqa: N803  as scikit-learn has it
    """Return the cross-validated accuracy."""
    model = SVC(C=C, gamma=gamma, kernel=kernel, degree=degree)
    return cross_val_score(model, X[:600], Y[:600], cv=3).mean()


if __name__ == "__main__":
    train()
