"""Prediction in windows: images that are larger than what a network was trained on."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from foveola.foundation.extras import needed
from foveola.foundation.settings import Settings

AT_A_TIME = 4
"""Windows that go through the network together."""


class Windows(Settings):
    """How an image is covered.

    Attributes:
        side: Of a square window in stored pixels.
        overlap: Share of a window that the next one covers too.
    """

    side: int = Field(ge=1)
    overlap: float = Field(0.25, ge=0, lt=1)


def in_windows(
    network: Callable[[Tensor], Tensor], images: Float[Tensor, "b c h w"], windows: Windows | None
) -> Float[Tensor, "b k h w"]:
    """Returns what a network makes of images window by window, blended where windows overlap.

    A pixel is the mean over the windows that hold it, weighted by a Gaussian about the middle of each (MONAI's
    ``sliding_window_inference``). An image that is smaller than a window is filled up with zeros, which are cut off.

    Args:
        network: Takes images of any size, and returns maps of that size.
        images: As the network sees them.
        windows: ``None`` lets whole images through.

    Raises:
        FoveolaError: If MONAI is not there.

    Example:
        >>> import torch
        >>> images = torch.rand(2, 3, 50, 70)
        >>> torch.allclose(in_windows(lambda window: window, images, Windows(side=32)), images, atol=1e-6)
        True
    """
    if windows is None:
        return network(images)
    inferers = needed("monai.inferers", "segmentation")
    result: Tensor = inferers.sliding_window_inference(
        images, windows.side, AT_A_TIME, network, overlap=windows.overlap, mode="gaussian"
    )
    return result
