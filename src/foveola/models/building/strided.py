"""A convolution of stride 2 whose gradient for the images is fast on a CPU.

A map at the input needs the gradient of the loss for the images, which a network without one never computes. For the
first layer of most CNNs, few channels and stride 2, PyTorch's CPU kernels take several times as long for it as for the
forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class StridedConvolution(nn.Conv2d):
    """A ``Conv2d`` of stride 2 with the same parameters, results and gradients, and a faster gradient for its input."""

    @classmethod
    def like(cls, convolution: nn.Conv2d) -> StridedConvolution:
        """Returns the same layer, which shares its parameters.

        Example:
            >>> layer = nn.Conv2d(3, 4, 7, stride=2, padding=3)
            >>> images = torch.rand(2, 3, 12, 10)
            >>> torch.equal(StridedConvolution.like(layer)(images), layer(images))
            True
        """
        new = cls.__new__(cls)
        new.__dict__.update(convolution.__dict__)
        return new

    @staticmethod
    def suits(module: nn.Module) -> TypeGuard[nn.Conv2d]:
        """Whether a layer is one that this class can stand for."""
        return (
            type(module) is nn.Conv2d
            and module.stride == (2, 2)
            and module.dilation == (1, 1)
            and module.groups == 1
            and module.padding_mode == "zeros"
            and not isinstance(module.padding, str)
        )

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k i j"]:
        """Returns what ``Conv2d`` returns."""
        if images.requires_grad and images.device.type == "cpu" and not torch.is_autocast_enabled("cpu"):
            result: Tensor = _StridedConvolution.apply(images, self.weight, self.bias, self.padding)
            return result
        return super().forward(images)


def quicken(network: nn.Module, first: Iterable[str]) -> None:
    """Puts the class in the place of the first convolutions of a network, where it suits them.

    Args:
        network: Changed in place; its weights stay.
        first: Names of its first convolutions.
    """
    for name in first:
        if StridedConvolution.suits(convolution := network.get_submodule(name)):
            network.set_submodule(name, StridedConvolution.like(convolution))


class _StridedConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.padding, ctx.bias_shape = padding, None if bias is None else list(bias.shape)
        return functional.conv2d(images, weight, bias, stride=2, padding=padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, Tensor, Tensor | None, None]:
        images, weight = ctx.saved_tensors
        (gradient,) = gradients
        has_bias = ctx.bias_shape is not None
        _, for_weight, for_bias = torch.ops.aten.convolution_backward(
            gradient,
            images,
            weight,
            ctx.bias_shape,
            [2, 2],
            ctx.padding,
            [1, 1],
            False,
            [0, 0],
            1,
            [False, True, has_bias],
        )
        return input_gradient(gradient, weight, images.shape[2:], ctx.padding), for_weight, for_bias, None


def input_gradient(
    gradient: Float[Tensor, "b k i j"], weight: Float[Tensor, "k c u v"], size: torch.Size, padding: tuple[int, int]
) -> Float[Tensor, "b c h w"]:
    """Returns the gradient for the input of a convolution of stride 2 as one convolution of stride 1.

    Row ``y = 2a + r`` of the padded input meets tap ``t = 2s + r`` at output row ``a - s``. So the input's even and odd
    rows and columns are four images, each a plain convolution of the output's gradient with every second tap; here all
    four are channels of one convolution, put together by a pixel shuffle.

    Args:
        gradient: Of the loss for the output.
        weight: Of the layer.
        size: Height and width of the input.
        padding: Of the layer, in rows and columns.
    """
    channels, (taps_y, taps_x) = weight.shape[1], (-(-weight.shape[2] // 2), -(-weight.shape[3] // 2))
    even = functional.pad(weight, (0, 2 * taps_x - weight.shape[3], 0, 2 * taps_y - weight.shape[2]))
    split = even.reshape(len(weight), channels, taps_y, 2, taps_x, 2).flip(2, 4)
    kernel = split.permute(1, 3, 5, 0, 2, 4).reshape(4 * channels, len(weight), taps_y, taps_x)
    phases = functional.conv2d(
        gradient, kernel.contiguous(memory_format=torch.channels_last), padding=(taps_y - 1, taps_x - 1)
    )
    padded = functional.pixel_shuffle(phases, 2)
    missing = [size[axis] + padding[axis] - padded.shape[2 + axis] for axis in (0, 1)]
    return functional.pad(padded, (-padding[1], missing[1], -padding[0], missing[0]))
