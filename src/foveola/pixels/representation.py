"""The interface that exact and compressed pixel representations share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from foveola.foundation.errors import FoveolaError

Batches = Iterable[Tensor]
"""Image batches ``B x C x H x W`` that can be gone through more than once, or one tensor ``N x C x H x W``."""


@dataclass(frozen=True)
class PixelRepresentation:
    """What is known of every pixel: its intensities in all training images, or a compression of them.

    Attributes:
        features: ``D x H x W``; the D features of each pixel.
        rows: N * C, the rows of the matrix that the features stand for; the initial weights are drawn for this fan-in.
        scale: What the rows were multiplied by to let an adaptive optimiser move the map as far as with the exact
            representation; the initial weights are divided by it. 1 for the exact one.
        energy: The share (0..1) of the squared intensities that the features keep.
        kind: ``exact`` or ``compressed``.
    """

    features: Float[Tensor, "d h w"]
    rows: int
    scale: float
    energy: float
    kind: Literal["exact", "compressed"]

    @property
    def dim(self) -> int:
        """D, the number of features of a pixel."""
        return self.features.shape[0]

    def facts(self) -> dict[str, str | int | float]:
        """Returns what is worth writing down of it."""
        return {"representation": self.kind, "rows": self.rows, "dim": self.dim, "energy_kept": round(self.energy, 6)}


def checked_batches(images: Batches) -> Iterator[Float[Tensor, "b c h w"]]:
    """Goes through the images once, as floating-point batches of one size.

    Raises:
        FoveolaError: For images that are not tensors ``B x C x H x W``, change their size, hold NaN or infinity, are
            none, or come from an iterator, which a second pass would find empty.
    """
    if isinstance(images, Iterator):
        raise FoveolaError(
            "images that can be gone through more than once",
            f"a {type(images).__name__}",
            "the training images",
            "pass a tensor or a list of batches",
        )
    shape: tuple[int, ...] = ()
    source = torch.split(images, 64) if isinstance(images, Tensor) else images
    count = 0
    for batch in source:
        if not isinstance(batch, Tensor):
            raise FoveolaError(
                "batches that are tensors B x C x H x W",
                f"a {type(batch).__name__}",
                "the training images",
                "pass the images alone, without labels, as tensors",
            )
        if batch.ndim != 4:
            raise FoveolaError(
                "images as B x C x H x W",
                f"the shape {tuple(batch.shape)}",
                "the training images",
                "give every batch these four dimensions",
            )
        shape = shape or tuple(batch.shape[1:])
        if tuple(batch.shape[1:]) != shape:
            raise FoveolaError(
                f"images of one size {shape}", f"{tuple(batch.shape[1:])}", f"image {count}", "resize them to one size"
            )
        values = batch if batch.is_floating_point() else batch.float()
        if not torch.isfinite(values).all():
            raise FoveolaError(
                "finite intensities",
                "NaN or infinity",
                f"the images {count} to {count + len(batch) - 1}",
                "replace or remove them",
            )
        count += len(batch)
        yield values
    if not count:
        raise FoveolaError("at least one image", "none", "the training images", "pass the images to learn from")


def image_size(images: Batches) -> tuple[int, int]:
    """Returns the height and the width of the images.

    Example:
        >>> image_size(torch.rand(7, 3, 12, 10))
        (12, 10)
    """
    height, width = next(checked_batches(images)).shape[-2:]
    return height, width
