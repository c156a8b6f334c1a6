"""How far the outlines of two masks are from each other."""

from __future__ import annotations

import math
import warnings

import numpy as np

from foveola.foundation.extras import needed
from foveola.statistics.metrics.overlap import Mask

PERCENTILE = 95.0


def surface_distances(predicted: Mask, reference: Mask, spacing: tuple[float, float]) -> tuple[float, float]:
    """Returns the 95 % Hausdorff distance and the average symmetric surface distance of two masks.

    The outline of a mask are its pixels that have one of their four neighbours outside of it; beyond the edge of the
    image is outside. Every pixel of either outline has its distance to the nearest of the other. The first value is the
    larger of the 95th percentiles of the two directions (linear between ranks), the second the mean of all distances of
    both directions. They are those of `monai.metrics.compute_hausdorff_distance` and
    `monai.metrics.compute_average_surface_distance`, from MONAI's distances, which are found but once here and are in
    single precision. Other tools take the percentile of both directions together.

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
    edges = needed("monai.metrics.utils", "segmentation")
    import torch  # slow to import, and MONAI has done so by now

    pair = [torch.from_numpy(np.ascontiguousarray(mask)) for mask in (predicted, reference)]
    with warnings.catch_warnings():  # MONAI 1.5 and 1.6 call their own function in a way that they deprecate
        warnings.filterwarnings("ignore", message=".*always_return_as_numpy", category=FutureWarning)
        _, both, _ = edges.get_edge_surface_distance(*pair, spacing=list(spacing), symmetric=True)
    directions = [distances.numpy() for distances in both]
    hd95 = max(float(np.percentile(distances, PERCENTILE)) for distances in directions)
    return hd95, float(np.concatenate(directions).mean())
