"""Train a classifier with Lightning; everything that it is made of stands in configs/.

Usage:
    python src/train.py                                   one run
    python src/train.py experiment=example                values that belong together
    python src/train.py debug=fdr                         one batch of each: does it run?
    python src/train.py -m hparams_search=optuna          a search, as a Hydra project has it
    python src/train.py --search tpe --pruner median --trials 12 --jobs 2 model=mlp,cnn
"""

import lightning as pl
from omegaconf import DictConfig

import sweeper
from sweeper.utils import instantiate


@sweeper.main(version_base="1.3", config_path="../configs", config_name="train.yaml")
def train(cfg: DictConfig) -> dict[str, float]:
    """Return the metrics of the last epoch, and of the test."""
    pl.seed_everything(cfg.seed, workers=True)
    data, model = instantiate(cfg.data), instantiate(cfg.model)
    callbacks = list(instantiate(cfg.callbacks or {}).values())
    loggers = list(instantiate(cfg.logger or {}).values())
    trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers)

    trainer.fit(model, data, ckpt_path=cfg.ckpt_path)
    metrics = dict(trainer.callback_metrics)
    if cfg.test:
        best = getattr(trainer.checkpoint_callback, "best_model_path", "")
        trainer.test(model, data, ckpt_path=best or None, verbose=False)
        metrics |= trainer.callback_metrics
    return metrics


if __name__ == "__main__":
    train()
