"""Keras that reports after each epoch, so that what lags behind is ended.

Usage:
    python train.py units=64
    python train.py --search tpe --pruner median --trials 12 --jobs 2
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")  # before keras is imported

import keras
from omegaconf import DictConfig
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import sweeper
from sweeper.utils import instantiate

X, Y = load_digits(return_X_y=True)
x_train, x_valid, y_train, y_valid = train_test_split(X / 16, Y, random_state=0)


class Report(keras.callbacks.Callback):
    """Reports what Keras has measured after an epoch; a pruner may end the run here."""

    def on_epoch_end(self, epoch, logs=None):
        sweeper.report(logs or {}, step=epoch)


@sweeper.main(config_path="conf", config_name="config")
def train(cfg: DictConfig) -> dict[str, float]:
    """Return the metrics of the last epoch."""
    model = instantiate(cfg.model, _convert_="all")
    optimizer = instantiate(cfg.optimizer)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    done = model.fit(
        x_train,
        y_train,
        epochs=cfg.epochs,
        validation_data=(x_valid, y_valid),
        callbacks=[Report()],
        verbose=0,
    )
    return {name: values[-1] for name, values in done.history.items()}


if __name__ == "__main__":
    train()
