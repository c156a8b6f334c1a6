"""The VGG of Learn to Pay Attention."""

from __future__ import annotations

from torch import nn

from foveola.models.network_spec import OWN_BACKBONES, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.models.zoo.query_network import QueryNetwork, check_size, convolution, draw_convolutions

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512), (512,), (512,))
"""Channels of the convolutions of each block."""
FIRST_POOLED, LEVELS = 3, 5
"""The first block with a pool behind it, and the last whose features are a stage; what follows makes g."""
CROPPED_BIRDS = 80
"""The size at which the authors pool by 5 behind the third block, so that everything behind is as at 32 px."""


def vgg_att(channels: int, classes: int, size: int) -> QueryNetwork:
    """Returns 15 convolutions with batch norm and ReLU, dropout between them, and FC-1, for square images.

    Against VGG-16 the first two pools are removed, and put behind two convolutions that are added at the end. Features
    are taken before the pools, behind the convolutions 7, 10 and 13.

    Source: the authors' code to Jetley, Lord, Lee and Torr 2018, arXiv:1804.02391. FC-1 sees all 512 (size // 32)**2
    features that are left, which is one position at 32 px. At 80 px it is one, too, as the first pool is 5 x 5 there.

    Args:
        channels: Of the images.
        classes: Number of logits.
        size: Side of the images in pixels, at least 32.

    Raises:
        FoveolaError: If the images are smaller.

    Example:
        >>> import torch
        >>> network = vgg_att(channels=3, classes=10, size=32)
        >>> sum(parameter.numel() for parameter in network.parameters())
        19712586
    """
    check_size(size, "vgg-att")
    layers: dict[str, nn.Module] = {}
    for number, widths in enumerate(BLOCKS, start=1):
        layers[f"block{number}"] = _block(channels, widths, 0.3 if number == 1 else 0.4)
        channels = widths[-1]
        if number >= FIRST_POOLED:
            window = 5 if size == CROPPED_BIRDS and number == FIRST_POOLED else 2
            layers[f"pool{number}"] = nn.MaxPool2d(window)
    left = 1 if size == CROPPED_BIRDS else size // 32
    stages = {f"block{number}": widths[-1] for number, widths in enumerate(BLOCKS[:LEVELS], start=1)}
    network = QueryNetwork(layers, stages, pooled=channels * left**2, dim=512, classes=classes)
    draw_convolutions(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight)
    return network


def _block(channels: int, widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    """Returns convolutions with dropout between them, or behind the only one."""
    layers: list[nn.Module] = []
    for index, width in enumerate(widths):
        layers += [convolution(channels, width), nn.BatchNorm2d(width, eps=1e-3), nn.ReLU()]
        if index < len(widths) - 1 or len(widths) == 1:
            layers.append(nn.Dropout(dropout))
        channels = width
    return nn.Sequential(*layers)


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    return NetworkSpec(vgg_att(shape.channels, shape.classes, shape.size), ("classify",), ("block1.0",))


OWN_BACKBONES.add(OwnNetwork("vgg-att", _build))
