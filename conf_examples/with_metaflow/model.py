"""The model that the flows are about: a curve through noisy points, by least squares."""

import numpy as np


def points(config, seed):
    """Return so many points of the curve that is looked for, with noise."""
    draw = np.random.default_rng(seed)
    x = draw.uniform(-1, 1, config["points"])
    return x, np.sin(4 * x) + draw.normal(0, config["noise"], len(x))


def features(model, x):
    if model["kind"] == "polynomial":
        return np.stack([x**power for power in range(model["degree"] + 1)], 1)
    return np.stack([np.sin(wave * model["frequency"] * x) for wave in (1, 2, 3)], 1)


def fit(config):
    """Return the weights of the curve."""
    x, y = points(config, seed=0)
    columns = features(config["model"], x)
    ridge = config["ridge"] * np.eye(columns.shape[1])
    return np.linalg.solve(columns.T @ columns + ridge, columns.T @ y)


def error(config, weights):
    """Return the mean squared error at points that were not fitted."""
    x, y = points(config, seed=1)
    return float(np.mean((features(config["model"], x) @ weights - y) ** 2))
