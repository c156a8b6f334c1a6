"""A small CNN for demonstrations and tests on small images."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from foveola.models.network_spec import OWN_BACKBONES, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork


def small_cnn(channels: int, classes: int, width: int = 16) -> nn.Sequential:
    """Returns three blocks of convolution, batch norm, ReLU and max-pooling, an average and a linear layer.

    Args:
        channels: Of the images.
        classes: Number of logits.
        width: Channels of the first block; each next block has twice as many.

    Example:
        >>> import torch
        >>> small_cnn(channels=1, classes=5)(torch.rand(2, 1, 12, 10)).shape
        torch.Size([2, 5])
    """
    layers: dict[str, nn.Module] = {}
    for block in range(3):
        layers[f"block{block + 1}"] = nn.Sequential(
            nn.Conv2d(channels, width << block, 3, padding=1, bias=False),
            nn.BatchNorm2d(width << block),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        channels = width << block
    head = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "classify": nn.Linear(channels, classes)}
    return nn.Sequential(OrderedDict(layers | head))


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    network = small_cnn(shape.channels, shape.classes)
    return NetworkSpec(network, ("classify",), ("block1.0",))


OWN_BACKBONES.add(OwnNetwork("small-cnn", _build))
