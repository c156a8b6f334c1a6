"""Prediction over mirrored and turned views of an image, which are averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Views = Literal[1, 4, 8]


def over_views(
    predict: Callable[[Tensor], Tensor], images: Float[Tensor, "b c h w"], views: Views
) -> Float[Tensor, "b k h w"]:
    """Returns the mean of what is predicted for views of images, each brought back to where the image was.

    Known as test-time augmentation; Krizhevsky et al. 2012 average mirrored crops, and nnU-Net (Isensee et al. 2021,
    doi:10.1038/s41592-020-01008-z) mirrors along every axis.

    Args:
        predict: Takes images of any size, and returns values of that size, such as probabilities.
        images: As the network sees them.
        views: 1, the image as it is; 4, with its mirror images; 8, with quarter turns of these too.

    Example:
        >>> images = torch.rand(2, 3, 6, 5)
        >>> torch.allclose(over_views(lambda view: view, images, 8), images)
        True
    """
    parts = []
    for number in range(views):
        mirrored = [dimension for dimension, bit in ((2, 1), (3, 2)) if number & bit]
        view = images.flip(mirrored)
        part = predict(view.mT).mT if number >= 4 else predict(view)
        parts.append(part.flip(mirrored))
    return torch.stack(parts).mean(0)
