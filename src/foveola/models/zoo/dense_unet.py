"""DenseUNet: a DenseNet-161 as encoder, and a decoder that adds its features to those of the encoder."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.hosts.placement import Place
from foveola.models.network_spec import OWN_SEGMENTERS, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.models.zoo.segmenter import Segmenter, places

GROWTH, BLOCKS = 48, (6, 12, 36, 24)
"""Channels that a layer adds, and layers in each block, as published."""
BOTTLENECK = 4
"""Channels of a layer's 1 x 1 convolution, in units of the growth."""


class DenseUNet(Segmenter):
    """The U-shaped network of the authors of joint attention; 48.84 million parameters as published.

    With growth g: a stem of three 3 x 3 convolutions to 2 g channels, the first with stride 2, and a max-pooling; four
    blocks of layers that each add g channels, with transitions between them that halve channels and resolution; a 1 x 1
    convolution to as many channels as the third block puts out; and five stages that double the resolution. The first
    four of these add features of the encoder, convolve, and put out as many channels as the next such features have, 16
    g, 8 g, 2 g and 2 g as published; the last has none to add and puts out 4 g / 3, rounded down. A convolution is one
    without bias, batch norm (momentum 0.1, epsilon 1e-5) and ReLU, in this order, drawn as by Glorot and Bengio 2010;
    those of the stem have a bias and no norm.

    Source: the code by Zhang, Dong and Li to "Deep Active Contour Network for Medical Image Segmentation", MICCAI 2020,
    whose DenseUNet it is. Strided layers look at what TensorFlow's SAME padding makes them look at: at an even size
    the padding is below and on the right, one row, which PyTorch's symmetric padding would have above. Poolings do not
    count it. Deviations: the last 1 x 1 convolution has a bias and neither batch norm nor ReLU, which clip the logits
    there; images of a size that is no multiple of 32 are enlarged, where the code takes none.

    Args:
        channels: Of the images.
        classes: Number of logits a pixel.
        growth: Channels that a layer adds.
        blocks: Layers in each of the four blocks.

    Example:
        >>> network = DenseUNet(channels=3, classes=2, growth=6, blocks=(2, 3, 4, 3))
        >>> network(torch.rand(2, 3, 50, 70)).shape, network.attention_places["auto"]
        (torch.Size([2, 2, 50, 70]), ('bottleneck', 'up1.join', 'up2.join', 'up3.join'))
    """

    stride = 32
    attention_places = places(
        [f"up{number}.join" for number in (1, 2, 3, 4)], [f"skip{number}" for number in (1, 2, 3, 4)]
    )

    def __init__(
        self, channels: int, classes: int, growth: int = GROWTH, blocks: tuple[int, int, int, int] = BLOCKS
    ) -> None:
        super().__init__()
        first = 2 * growth
        second = first + blocks[0] * growth
        third = second // 2 + blocks[1] * growth
        fourth = third // 2 + blocks[2] * growth
        self.stem = _stem(channels, first)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.block1 = _block(first, growth, blocks[0])
        self.transition1 = _transition(second)
        self.block2 = _block(second // 2, growth, blocks[1])
        self.transition2 = _transition(third)
        self.block3 = _block(third // 2, growth, blocks[2])
        self.transition3 = _transition(fourth)
        self.block4 = _block(fourth // 2, growth, blocks[3])
        self.bottom = _convolution(fourth // 2 + blocks[3] * growth, fourth, 1)
        self.bottleneck = Place()
        self.skip1, self.skip2, self.skip3, self.skip4 = Place(), Place(), Place(), Place()
        self.up1 = Stage(fourth, third)
        self.up2 = Stage(third, second)
        self.up3 = Stage(second, first)
        self.up4 = Stage(first, first)
        self.up5 = _convolution(first, max(4 * growth // 3, 1), 3)
        self.classify = nn.Conv2d(max(4 * growth // 3, 1), classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def logits(self, images: Tensor) -> Tensor:
        """Returns logits of the size of the images, whose sides are multiples of 32."""
        at2 = self.stem(images)
        at4 = self.block1(self.pool(at2))
        at8 = self.block2(self.transition1(at4))
        at16 = self.block3(self.transition2(at8))
        features = self.bottleneck(self.bottom(self.block4(self.transition3(at16))))
        features = self.up1(features, self.skip4(at16, features))
        features = self.up2(features, self.skip3(at8, features))
        features = self.up3(features, self.skip2(at4, features))
        features = self.up4(features, self.skip1(at2, features))
        logits: Tensor = self.classify(self.up5(_doubled(features)))
        return logits


class Stage(nn.Module):
    """Doubles the resolution, adds features of the encoder, and convolves; attention goes to the sum."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.join = Place()
        self.convolve = _convolution(inputs, outputs, 3)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        """Returns features of the size of the skip; the coarse ones, of half the size, are the signal too."""
        features: Tensor = self.convolve(self.join(_doubled(coarse) + skip, coarse))
        return features


class DenseLayer(nn.Module):
    """Puts the features that two convolutions make beside those that they are made of."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.squeeze = _convolution(inputs, BOTTLENECK * growth, 1)
        self.grow = _convolution(BOTTLENECK * growth, growth, 3)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the features and the new ones."""
        return torch.cat([features, self.grow(self.squeeze(features))], dim=1)


def _stem(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)),
        nn.Conv2d(channels, width, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def _block(inputs: int, growth: int, layers: int) -> nn.Sequential:
    return nn.Sequential(*(DenseLayer(inputs + index * growth, growth) for index in range(layers)))


def _transition(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            squeeze=_convolution(inputs, inputs // 2, 1),
            pool=nn.AvgPool2d(3, stride=2, ceil_mode=True, count_include_pad=False),
        )
    )


def _convolution(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-5, momentum=0.1),
        nn.ReLU(inplace=True),
    )


def _doubled(features: Tensor) -> Tensor:
    return functional.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=True)


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    network = DenseUNet(shape.channels, shape.classes, settings.growth or GROWTH, settings.blocks or BLOCKS)
    return NetworkSpec(network, ("classify",), ("stem.1",))


OWN_SEGMENTERS.add(OwnNetwork("denseunet", _build))
