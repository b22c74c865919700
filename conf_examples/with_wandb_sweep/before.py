"""A training script as a W&B agent starts it: its config is wandb.config, its metrics go to wandb.log."""

import numpy as np
import wandb
from sklearn.datasets import load_digits


def main():
    defaults = {"lr": 0.1, "epochs": 3, "batch_size": 32, "optimizer": {"name": "sgd", "decay": 0.01}}
    with wandb.init(config=defaults) as run:
        config = run.config
        x, y = load_digits(return_X_y=True)
        x, target = x / 16, np.eye(10)[y]
        half, rng = len(x) // 2, np.random.RandomState(0)
        weights = velocity = np.zeros((64, 10))
        for epoch in range(config.epochs):
            order = rng.permutation(half)
            for at in range(0, half, config.batch_size):
                part = order[at : at + config.batch_size]
                wrong = probabilities(x[part] @ weights) - target[part]
                slope = x[part].T @ wrong / len(part) + config.optimizer["decay"] * weights
                velocity = slope + (0.9 * velocity if config.optimizer["name"] == "momentum" else 0)
                weights = weights - config.lr * velocity
            found = probabilities(x[half:] @ weights)
            val_loss = -float(np.log(found[target[half:] == 1] + 1e-12).mean())
            run.log({"epoch": epoch, "val_loss": val_loss})


def probabilities(scores):
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
