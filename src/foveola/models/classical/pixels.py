"""The pixels of an image as the features of a classical baseline."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import SolvedSettings
from foveola.pixels.representation import Batches, checked_batches


class PixelSettings(SolvedSettings):
    """What every baseline on pixels can be told.

    Attributes:
        size: Side in pixels to which larger images are averaged down first. Without it a fit on images of 224 px would
            take ten times as long as one on 64 px, and a support vector machine ten times the disk.
    """

    size: int = Field(64, ge=1)

    def backbone_size(self, size: int) -> int:
        """Returns the side of the images that are flattened."""
        return min(size, self.size)


class Pixels(nn.Module):
    """Flattens images; those of another size are averaged over areas first.

    Args:
        side: Of the images that are flattened, in pixels.

    Example:
        >>> Pixels(6)(torch.rand(2, 3, 12, 12)).shape
        torch.Size([2, 108])
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def extra_repr(self) -> str:
        """Says which side."""
        return f"side={self.side}"

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """Returns ``channels x side x side`` numbers an image."""
        if images.shape[-2:] != (self.side, self.side):
            images = functional.adaptive_avg_pool2d(images, self.side)
        return images.flatten(1)


@torch.inference_mode()
def pixel_values(pixels: nn.Module, images: Batches) -> np.ndarray:
    """Returns the features ``n x d`` of all images, ``float32``.

    Raises:
        FoveolaError: For what are no images; see `checked_batches`.
    """
    return np.concatenate([pixels(batch).numpy() for batch in checked_batches(images)])
