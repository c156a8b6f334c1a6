"""The choice between the exact and the compressed pixel representation."""

from __future__ import annotations

from typing import Literal, get_args

from foveola.foundation.errors import unknown_name
from foveola.pixels.compressed import compressed_representation
from foveola.pixels.exact import exact_representation
from foveola.pixels.representation import Batches, PixelRepresentation, checked_batches

RepresentationKind = Literal["auto", "exact", "compressed"]


def pixel_representation(
    images: Batches, kind: RepresentationKind = "auto", *, dim: int = 64, memory_mib: float = 512.0, seed: int = 0
) -> PixelRepresentation:
    """Returns the pixel representation of a set of training images.

    Args:
        images: The training images, as the image CNN sees them: a tensor ``N x C x H x W`` or batches that can be gone
            through more than once.
        kind: ``exact``, ``compressed``, or ``auto``: exact while P (four bytes a value) fits ``memory_mib``,
            compressed otherwise.
        dim: The dimensions of the compressed one.
        memory_mib: The budget of ``auto`` in MiB.
        seed: Of the compressed one's sketch.

    Raises:
        FoveolaError: For another ``kind``, or images that cannot be used.

    Example:
        >>> import torch
        >>> images = torch.rand(7, 3, 12, 10)
        >>> pixel_representation(images).kind, pixel_representation(images, memory_mib=0.001, dim=5).kind
        ('exact', 'compressed')
    """
    if kind not in get_args(RepresentationKind):
        raise unknown_name("kind of pixel representation", kind, get_args(RepresentationKind), "representation")
    if kind == "exact" or (kind == "auto" and _fits(images, memory_mib)):
        return exact_representation(images)
    return compressed_representation(images, dim, seed=seed)


def _fits(images: Batches, memory_mib: float) -> bool:
    """Counts until the budget is spent: a set of any size is looked at only that far."""
    size = 0
    for batch in checked_batches(images):
        size += 4 * batch.numel()
        if size > memory_mib * 2**20:
            return False
    return True
