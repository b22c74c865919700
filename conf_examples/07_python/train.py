"""A sweep from Python: in a notebook, a script or a test.

Usage:
    python train.py
"""

import sweeper


def train(x: float, shape: str = "round") -> float:
    """Return a number that is least at x = 2."""
    return abs(x - 2) if shape == "sharp" else (x - 2) ** 2


if __name__ == "__main__":
    result = sweeper.sweep(
        train,
        config={"x": 0.0},
        overrides=["x=interval(-10, 10)", "+shape=round,sharp"],
        search="tpe",
        trials=20,
        jobs=2,
        quiet=True,
    )
    print(f"{len(result.runs)} runs, best near x = {round(result.best.params['x'])}")
