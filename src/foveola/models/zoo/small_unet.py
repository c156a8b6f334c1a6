"""A small U-Net for demonstrations, tests, and machines without a GPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.hosts.placement import Place
from foveola.models.network_spec import OWN_SEGMENTERS, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.models.zoo.segmenter import Segmenter, places

WIDTH = 16
"""Channels of the first level where nothing is said."""


class SmallUNet(Segmenter):
    """A U-Net of four levels; 0.49 million parameters at the width of 16.

    Every level has two 3 x 3 convolutions with batch norm and ReLU. Between levels the resolution is halved by
    max-pooling and the width doubled; on the way back features are enlarged by repetition and stand beside those of the
    encoder.

    Source: Ronneberger et al. 2015, arXiv:1505.04597. Deviations: narrower and one level less, batch norm, padded
    convolutions, and no learned enlargement.

    Args:
        channels: Of the images.
        classes: Number of logits a pixel.
        width: Channels of the first level.

    Example:
        >>> network = SmallUNet(channels=1, classes=2)
        >>> network(torch.rand(2, 1, 50, 70)).shape, sum(parameter.numel() for parameter in network.parameters())
        (torch.Size([2, 2, 50, 70]), 487730)
    """

    stride = 8
    attention_places = places(
        [f"up{number}.join" for number in (1, 2, 3)], [f"skip{number}" for number in (1, 2, 3)], attended=1
    )

    def __init__(self, channels: int, classes: int, width: int = WIDTH) -> None:
        super().__init__()
        self.level1 = _level(channels, width)
        self.level2 = _level(width, 2 * width)
        self.level3 = _level(2 * width, 4 * width)
        self.level4 = _level(4 * width, 8 * width)
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = Place()
        self.skip1, self.skip2, self.skip3 = Place(), Place(), Place()
        self.up1 = Stage(8 * width, 4 * width)
        self.up2 = Stage(4 * width, 2 * width)
        self.up3 = Stage(2 * width, width)
        self.classify = nn.Conv2d(width, classes, 1)

    def logits(self, images: Tensor) -> Tensor:
        """Returns logits of the size of the images, whose sides are multiples of 8."""
        at1 = self.level1(images)
        at2 = self.level2(self.pool(at1))
        at4 = self.level3(self.pool(at2))
        features = self.bottleneck(self.level4(self.pool(at4)))
        features = self.up1(features, self.skip3(at4, features))
        features = self.up2(features, self.skip2(at2, features))
        features = self.up3(features, self.skip1(at1, features))
        logits: Tensor = self.classify(features)
        return logits


class Stage(nn.Module):
    """Doubles the resolution, puts features of the encoder beside, and convolves; attention goes to both together."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.join = Place()
        self.convolve = _level(inputs + outputs, outputs)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Returns features of the size of the skip; the coarse ones, of half the size, are the signal too."""
        joined = torch.cat([functional.interpolate(coarse, scale_factor=2.0), skip], dim=1)
        features: Tensor = self.convolve(self.join(joined, coarse))
        return features


def _level(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [
            nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    return NetworkSpec(SmallUNet(shape.channels, shape.classes, settings.width or WIDTH), ("classify",), ("level1.0",))


OWN_SEGMENTERS.add(OwnNetwork("small-unet", _build))
