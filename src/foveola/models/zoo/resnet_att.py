"""The residual network of Learn to Pay Attention."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from foveola.models.network_spec import OWN_BACKBONES, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.models.zoo.query_network import QueryNetwork, check_size, convolution, draw_convolutions

STAGES = {"stage1": 64, "stage2": 128, "stage3": 256}
"""Channels of the features of each stage."""


class PreActivation(nn.Module):
    """A bottleneck whose batch norms and ReLUs stand before the convolutions.

    Where the number of channels changes, the shortcut is a 1 x 1 convolution of what is normalised already.

    Source: He, Zhang, Ren and Sun 2016, arXiv:1603.05027.

    Example:
        >>> import torch
        >>> PreActivation(8, 20, stride=2)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 20, 6, 5])
    """

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        width = out // 4
        self.norm1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, width, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(width), convolution(width, width, stride=stride, bias=False)
        self.norm3, self.conv3 = nn.BatchNorm2d(width), nn.Conv2d(width, out, 1, bias=False)
        self.shortcut = None if channels == out else nn.Conv2d(channels, out, 1, stride=stride, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the features plus what the three convolutions make of them."""
        active = functional.relu(self.norm1(features))
        residual = self.conv1(active)
        residual = self.conv2(functional.relu(self.norm2(residual)))
        residual = self.conv3(functional.relu(self.norm3(residual)))
        output: Tensor = residual + (features if self.shortcut is None else self.shortcut(active))
        return output


def resnet_att(channels: int, classes: int, size: int, depth: int = 164) -> QueryNetwork:
    """Returns a pre-activation ResNet for square images, ended by a pool, a convolution, a pool and FC-1.

    Features are taken raw, before the batch norm that follows a stage.

    Source: the authors' code to Jetley, Lord, Lee and Torr 2018, arXiv:1804.02391. FC-1 sees all
    features that are left, which are 256 at 32 px.

    Args:
        channels: Of the images.
        classes: Number of logits.
        size: Side of the images in pixels, at least 32.
        depth: 9 n + 2 for n blocks a stage.

    Raises:
        FoveolaError: If the images are smaller.

    Example:
        >>> import torch
        >>> resnet_att(channels=1, classes=5, size=32, depth=11)(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 5])
    """
    check_size(size, "resnet-att")
    layers: dict[str, nn.Module] = {"first": convolution(channels, 16, bias=False)}
    channels = 16
    for name, out in STAGES.items():
        blocks = [PreActivation(channels, out, 1 if name == "stage1" else 2)]
        blocks += [PreActivation(out, out) for _ in range((depth - 2) // 9 - 1)]
        layers[name], channels = nn.Sequential(*blocks), out
    layers |= {
        "norm": nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()),
        "pool1": nn.MaxPool2d(2),
        "tail": nn.Sequential(
            convolution(channels, channels, bias=False), nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(0.4)
        ),
        "pool2": nn.MaxPool2d(4),
    }
    left = -(-size // 4) // 8  # strides round up, pools round down
    network = QueryNetwork(layers, STAGES, pooled=channels * left**2, dim=channels, classes=classes)
    draw_convolutions(network)
    return network


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    return NetworkSpec(resnet_att(shape.channels, shape.classes, shape.size), ("classify",), ("first",))


OWN_BACKBONES.add(OwnNetwork("resnet-att", _build))
