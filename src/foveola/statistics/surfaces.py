"""How far the outlines of two masks are from each other."""

from __future__ import annotations

import math
import warnings

from foveola.extras import needed
from foveola.statistics.overlap import Mask

PERCENTILE = 95.0


def surface_distances(predicted: Mask, reference: Mask, spacing: tuple[float, float]) -> tuple[float, float]:
    """Returns the 95 % Hausdorff distance and the average symmetric surface distance of two masks.

    The outline of a mask are its pixels that have one of their four neighbours outside of it; beyond the edge of the
    image is outside. Every pixel of either outline has its distance to the nearest of the other. The first value is the
    larger of the 95th percentiles of the two directions (linear between ranks), the second the mean of all distances of
    both directions. As MONAI has them (`monai.metrics.compute_hausdorff_distance`,
    `monai.metrics.compute_average_surface_distance`), in single precision; other tools take the percentile of both
    directions together.

    Two empty masks are 0 apart. If one alone is empty there is no distance, and both values are the diagonal of the
    image: no two pixels are further apart, so nothing that is predicted scores worse than nothing predicted, and the
    image stays in the mean of every arm.

    Args:
        predicted: The predicted mask.
        reference: The true one, of the same size.
        spacing: Height and width of a pixel, in the unit of the distances.

    Raises:
        FoveolaError: If MONAI is not installed.

    Example:
        >>> import numpy as np
        >>> a, b = np.zeros((2, 5, 7), dtype=bool)
        >>> a[2, 1], b[2, 4] = True, True
        >>> surface_distances(a, b, (1.0, 0.5)), surface_distances(a, b & False, (3.0, 4.0))
        ((1.5, 1.5), (31.76..., 31.76...))
    """
    if not (predicted.any() and reference.any()):
        nothing = predicted.any() == reference.any()
        apart = (
            0.0 if nothing else math.hypot(*(side * size for side, size in zip(spacing, predicted.shape, strict=True)))
        )
        return apart, apart
    metrics = needed("monai.metrics", "segmentation")
    pair = predicted[None, None], reference[None, None]
    common = {"include_background": True, "spacing": list(spacing)}
    with warnings.catch_warnings():  # MONAI 1.5 and 1.6 call their own function in a way that they deprecate
        warnings.filterwarnings("ignore", message=".*always_return_as_numpy", category=FutureWarning)
        hausdorff = metrics.compute_hausdorff_distance(*pair, percentile=PERCENTILE, **common)
        average = metrics.compute_average_surface_distance(*pair, symmetric=True, **common)
    return float(hausdorff), float(average)
