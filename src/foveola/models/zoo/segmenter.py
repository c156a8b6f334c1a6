"""Networks that give every pixel a class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional


class Segmenter(nn.Module, ABC):
    """Gives every pixel its logits, for images of any height and width: subclasses do so for multiples of a stride.

    Attributes:
        stride: Heights and widths that `logits` takes are multiples of this.
        attention_places: Where attention can go, by group, as names of modules: ``bottleneck``, the deepest features;
            ``stages``, the features of every stage of the decoder, joined with those of the encoder where the two meet,
            from coarse to fine; ``skips``, features of the encoder on their way to the decoder, ``skip1`` the finest;
            and ``auto``, the bottleneck and at most three stages; see `places`.
    """

    stride: int
    attention_places: dict[str, tuple[str, ...]]

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits ``B x classes x H x W`` for images ``B x C x H x W``.

        Images are enlarged to a multiple of the stride below and on the right, by the pixels of their border, and the
        logits there are cut off. Border pixels and not a reflection, because that cannot be had for images smaller than
        half the stride.
        """
        height, width = images.shape[-2:]
        return self.logits(padded(images, self.stride))[..., :height, :width]

    @abstractmethod
    def logits(self, images: Tensor) -> Tensor:
        """Returns logits of the size of the images, whose sides are multiples of the stride."""


def padded(images: Tensor, multiple: int) -> Tensor:
    """Returns images whose border pixels are repeated below and on the right up to a multiple of some number.

    Example:
        >>> import torch
        >>> padded(torch.rand(2, 3, 50, 70), 32).shape
        torch.Size([2, 3, 64, 96])
    """
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    return functional.pad(images, (0, right, 0, below), mode="replicate") if below or right else images


def places(stages: Iterable[str], skips: Iterable[str], *, attended: int = 3) -> dict[str, tuple[str, ...]]:
    """Returns the groups of places of a network; the bottleneck is a place in every one.

    Args:
        stages: Of the decoder, from coarse to fine.
        skips: From fine to coarse.
        attended: How many of the stages are in ``auto``: none at a stride below 4, as self-attention over so many
            positions takes longer than the network around it.

    Example:
        >>> places([f"up{number}.join" for number in (1, 2, 3, 4)], ["skip1"])["auto"]
        ('bottleneck', 'up1.join', 'up2.join', 'up3.join')
    """
    stages = tuple(stages)
    return {
        "auto": ("bottleneck", *stages[:attended]),
        "bottleneck": ("bottleneck",),
        "stages": stages,
        "skips": tuple(skips),
    }
