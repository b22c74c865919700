"""Small networks for images of 8 x 8 pixels, with ten classes."""

from torch import nn


def mlp(width: int, depth: int, dropout: float) -> nn.Module:
    """Return a net of some layers of the same width."""
    layers: list[nn.Module] = []
    for inputs in [64, *[width] * (depth - 1)]:
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def cnn(channels: int, width: int, dropout: float) -> nn.Module:
    """Return a net that begins with a convolution."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, channels, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(channels * 9, width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(width, 10),
    )
