"""What is trained: a net, by an optimizer and a scheduler that the config has made in part."""

from collections.abc import Callable

from lightning.pytorch import LightningModule
from torch import nn


class Classifier(LightningModule):
    """Tells classes apart; the optimizer still needs parameters, the scheduler an optimizer."""

    def __init__(self, net: nn.Module, optimizer: Callable, scheduler: Callable | None):
        super().__init__()
        self.net, self.make_optimizer, self.make_scheduler = net, optimizer, scheduler
        self.loss = nn.CrossEntropyLoss()

    def step(self, batch, name: str):
        images, labels = batch
        found = self.net(images)
        loss = self.loss(found, labels)
        right = (found.argmax(1) == labels).float().mean()
        metrics = {f"{name}/loss": loss, f"{name}/acc": right}
        self.log_dict(metrics, on_step=False, on_epoch=True, sync_dist=True)
        return loss

    def training_step(self, batch, index):
        return self.step(batch, "train")

    def validation_step(self, batch, index):
        self.step(batch, "val")

    def test_step(self, batch, index):
        self.step(batch, "test")

    def configure_optimizers(self):
        optimizer = self.make_optimizer(self.parameters())
        if self.make_scheduler is None:
            return optimizer
        return [optimizer], [self.make_scheduler(optimizer)]
