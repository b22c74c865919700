"""Handwritten digits of 8 x 8 pixels; they come with scikit-learn."""

import torch
from lightning.pytorch import LightningDataModule
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset, random_split


class Digits(LightningDataModule):
    """1,000 images to train on, 400 to validate, 397 to test."""

    def __init__(self, batch_size: int, num_workers: int, seed: int):
        super().__init__()
        self.save_hyperparameters()

    def setup(self, stage: str):
        images, labels = load_digits(return_X_y=True)
        whole = TensorDataset(torch.tensor(images / 16, dtype=torch.float32), torch.tensor(labels))
        generator = torch.Generator().manual_seed(self.hparams.seed)
        self.train, self.val, self.test = random_split(whole, [1000, 400, 397], generator)

    def load(self, part: TensorDataset, **more):
        return DataLoader(part, self.hparams.batch_size, num_workers=self.hparams.num_workers, **more)

    def train_dataloader(self):
        return self.load(self.train, shuffle=True)

    def val_dataloader(self):
        return self.load(self.val)

    def test_dataloader(self):
        return self.load(self.test)
