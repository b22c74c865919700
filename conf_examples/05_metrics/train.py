"""Metrics by step, tags and artifacts: what a run tells of itself, and where it is kept.

Usage:
    python train.py                                                a run, in sweeper.db
    python train.py --search random --trials 8 --jobs 2 'lr=interval(1e-3, 1, log=true)'
"""

import json

from omegaconf import DictConfig
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import sweeper


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> dict[str, float]:
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x / 16, y, random_state=0)
    model = SGDClassifier(learning_rate="constant", eta0=cfg.lr, random_state=0)
    run = sweeper.current_run()
    run.set_tag("model", "linear")
    for epoch in range(cfg.epochs):
        model.partial_fit(x_train, y_train, classes=range(10))
        accuracy = model.score(x_test, y_test)
        sweeper.report({"accuracy": accuracy}, step=epoch)
    if run.directory:  # outside of a run there is none
        with open(f"{run.directory}/weights.json", "w") as file:
            json.dump(model.coef_.tolist(), file)
        run.log_artifact(file.name)
    return {"accuracy": accuracy, "weights": float(abs(model.coef_).sum())}


if __name__ == "__main__":
    train()
