"""The exact pixel representation: the intensities of all training images at a pixel."""

from __future__ import annotations

import torch

from foveola.pixels.representation import Batches, PixelRepresentation, checked_batches


def exact_representation(images: Batches) -> PixelRepresentation:
    """Returns P itself, the ``N x C x H x W`` images reshaped to ``NC x H x W``.

    Source: Xu et al. 2020, arXiv:2007.15897, definition 3.

    Args:
        images: The training images, as the image CNN sees them.

    Example:
        >>> representation = exact_representation(torch.rand(7, 3, 12, 10))
        >>> representation.features.shape, representation.energy
        (torch.Size([21, 12, 10]), 1.0)
    """
    features = torch.cat([batch.flatten(0, 1) for batch in checked_batches(images)]).float()
    return PixelRepresentation(features, rows=features.shape[0], scale=1.0, energy=1.0, kind="exact")
