"""The same experiment without Sacred, and with its sweeps.

Usage:
    python train.py seed=1 lr=0.3 size=wide data.noise=0.2
    python train.py --search tpe --trials 20 size=narrow,wide 'lr=interval(1e-3, 1, log=true)'
"""

import os

import numpy as np

import sweeper


def load(points, noise, rng):
    x = rng.uniform(-1, 1, points)
    return x, np.sin(5 * x) + noise * rng.normal(size=points)


def look(x, features, spread, rng):
    return np.cos(spread * np.outer(x, rng.normal(size=features)) + rng.uniform(0, 6.28, features))


@sweeper.main(config_path="conf", config_name="config")
def train(data, lr, epochs, features, seed):
    run = sweeper.current_run()
    rng = np.random.RandomState(run.seed if seed is None else seed)
    x, y = load(**data, rng=rng)
    seen = look(x, features, features / 2, rng)
    weights, half = np.zeros(features), len(x) // 2
    for epoch in range(epochs):
        wrong = seen @ weights - y
        weights -= lr * seen[:half].T @ wrong[:half] / half
        loss = float(np.mean(wrong[half:] ** 2))
        sweeper.report({"loss": loss}, step=epoch)
    path = os.path.join(run.directory, "weights.txt")
    np.savetxt(path, weights)
    run.log_artifact(path)
    return {"loss": loss, "largest": float(abs(weights).max())}


if __name__ == "__main__":
    train()
