"""A Sacred experiment as it was: a curve is learnt by gradient descent.

python before.py with seed=1 lr=0.3 wide data.noise=0.2
"""

import numpy as np
from sacred import Experiment, Ingredient
from sacred.observers import FileStorageObserver

data = Ingredient("data")
ex = Experiment("curve", ingredients=[data])
ex.observers.append(FileStorageObserver("runs"))


@data.config
def data_config():
    points = 80
    noise = 0.3


@data.capture
def load(points, noise, rng):
    x = rng.uniform(-1, 1, points)
    return x, np.sin(5 * x) + noise * rng.normal(size=points)


@ex.config
def config():
    lr = 0.1
    epochs = 30
    features = 8
    spread = features / 2  # how quickly the features change


@ex.named_config
def wide():
    features = 64
    lr = 0.02


@ex.capture
def look(x, features, spread, rng):
    return np.cos(spread * np.outer(x, rng.normal(size=features)) + rng.uniform(0, 6.28, features))


@ex.main
def main(lr, epochs, features, seed, _run):
    rng = np.random.RandomState(seed)
    x, y = load(rng=rng)
    seen = look(x, rng=rng)
    weights, half = np.zeros(features), len(x) // 2
    for epoch in range(epochs):
        wrong = seen @ weights - y
        weights -= lr * seen[:half].T @ wrong[:half] / half
        loss = float(np.mean(wrong[half:] ** 2))
        ex.log_scalar("loss", loss, epoch)
    np.savetxt("weights.txt", weights)
    ex.add_artifact("weights.txt")
    _run.info["largest"] = float(abs(weights).max())
    return loss


if __name__ == "__main__":
    ex.run_commandline()
