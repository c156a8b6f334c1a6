"""Networks made for Learn to Pay Attention: layers in a row that end in FC-1 and a classifier."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from torch import nn

from foveola.foundation.errors import FoveolaError

SMALLEST = 32
"""Pixels a side: less is gone before FC-1, as resolution is halved five times."""


class QueryNetwork(nn.Sequential):
    """Layers in a row, the last linear one before the classes called FC-1.

    What FC-1 puts out is the global vector g. There is no batch norm and no ReLU between it and the classifier.

    Args:
        layers: By name, in order of use.
        stages: Names of the layers that end each stage, with the channels of their features.
        pooled: Features that go into FC-1.
        dim: Dimensions of g.
        classes: Number of logits.

    Attributes:
        fc1: Dropout and FC-1.
        feature_info: The stages, as timm tells them.
    """

    fc1: nn.Module

    def __init__(
        self, layers: Mapping[str, nn.Module], stages: Mapping[str, int], *, pooled: int, dim: int, classes: int
    ) -> None:
        end = {
            "flatten": nn.Flatten(),
            "fc1": nn.Sequential(nn.Dropout(0.5), nn.Linear(pooled, dim)),
            "classify": nn.Linear(dim, classes),
        }
        super().__init__(OrderedDict({**layers, **end}))
        self.dim = dim
        self.feature_info = [{"module": name, "num_chs": channels} for name, channels in stages.items()]

    def reset_classifier(self, classes: int) -> None:
        """Replaces the classifier by a new one, or by nothing for 0 classes, so that g comes out."""
        self.classify: nn.Module = nn.Linear(self.dim, classes) if classes else nn.Identity()


def check_size(size: int, name: str) -> None:
    """Checks that images are not too small.

    Raises:
        FoveolaError: If they are.
    """
    if size < SMALLEST:
        raise FoveolaError(
            f"at least {SMALLEST} px for '{name}'",
            f"{size} px",
            "--image-size",
            "choose a larger size, or another --backbone",
        )


def draw_convolutions(network: nn.Module) -> None:
    """Draws the k x k kernels of all convolutions to C channels from N(0, 2 / (k k C)), and zeroes their biases."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=math.sqrt(2 / (math.prod(module.kernel_size) * module.out_channels)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def convolution(channels: int, out: int, **options: Any) -> nn.Conv2d:
    """Returns a 3 x 3 convolution that keeps the size."""
    return nn.Conv2d(channels, out, 3, padding=1, **options)
