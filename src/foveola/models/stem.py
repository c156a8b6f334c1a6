"""The stem of a CNN: what happens to the resolution before the first block."""

from __future__ import annotations

from torch import nn

SMALL = 64
"""Images of at most so many pixels a side get the small stem."""

_POOLS = ("maxpool", "maxpool1", "features.pool0")


def shrink_less(model: nn.Module, first: tuple[str, ...], *, keep_kernel: bool) -> None:
    """Gives a CNN the usual stem for small images: a first convolution of stride 1 and no max-pooling behind it.

    The first convolution of 5 x 5 or more becomes one of 3 x 3, unless its pretrained kernel is to be kept. Networks
    whose first convolution has no stride of 2 (VGG, or patches) stay as they are.

    Source: the CIFAR variant of ResNet, He et al. 2016, arXiv:1512.03385, section 4.2.

    Args:
        model: The CNN, changed in place.
        first: Names of its first convolutions, side by side where there are several.
        keep_kernel: Whether pretrained weights are to come.
    """
    modules = dict(model.named_modules())
    for name in first:
        convolution = modules[name]
        if not isinstance(convolution, nn.Conv2d) or convolution.stride != (2, 2):
            return
        convolution.stride = (1, 1)
        if convolution.kernel_size[0] >= 5 and not keep_kernel:
            small = nn.Conv2d(
                convolution.in_channels, convolution.out_channels, 3, padding=1, bias=convolution.bias is not None
            )
            nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
            model.set_submodule(name, small)
    for name in _POOLS:
        if isinstance(modules.get(name), nn.MaxPool2d):
            model.set_submodule(name, nn.Identity())
            return
