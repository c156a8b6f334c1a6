"""The stem of a CNN: what happens to the resolution before the first block."""

from __future__ import annotations

from torch import nn

SMALL = 64
"""Images of at most so many pixels a side get the small stem."""
TINY = 32
"""Images of at most so many pixels a side are not pooled in the stem."""

_POOLS = ("maxpool", "maxpool1", "features.pool0")


def shrink_less(model: nn.Module, first: tuple[str, ...], size: int, *, keep_kernel: bool) -> None:
    """Gives a CNN the usual stem for small images.

    The first convolution gets stride 1, and 3 x 3 kernels in place of larger ones unless pretrained kernels are to be
    kept. Up to 32 px the max-pooling behind it goes too, as for CIFAR; up to 64 px it stays, as a fourfold cost buys
    little there. Networks whose first convolution has no stride of 2 (VGG, or patches) stay as they are.

    Source: the CIFAR variant of ResNet, He et al. 2016, arXiv:1512.03385, section 4.2.

    Args:
        model: The CNN, changed in place.
        first: Names of its first convolutions, side by side where there are several.
        size: Side of the images in pixels.
        keep_kernel: Whether pretrained weights are to come.
    """
    for name in first:
        convolution = model.get_submodule(name)
        if not isinstance(convolution, nn.Conv2d) or convolution.stride != (2, 2):
            return
        convolution.stride = (1, 1)
        if convolution.kernel_size[0] >= 5 and not keep_kernel:
            small = nn.Conv2d(
                convolution.in_channels, convolution.out_channels, 3, padding=1, bias=convolution.bias is not None
            )
            nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
            model.set_submodule(name, small)
    pools = [name for name, module in model.named_modules() if name in _POOLS and isinstance(module, nn.MaxPool2d)]
    if pools and size <= TINY:
        model.set_submodule(pools[0], nn.Identity())
