"""Callbacks of this project's own."""

from lightning.pytorch import Callback

import sweeper


class Report(Callback):
    """Report each epoch's metrics; a pruner may end the run here."""

    def on_validation_end(self, trainer, module):
        if trainer.is_global_zero and not trainer.sanity_checking:
            sweeper.report(trainer.callback_metrics, step=trainer.current_epoch)
