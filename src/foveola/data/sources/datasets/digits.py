"""The source ``digits``: small real images that need no file and no network."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.arrays import ArrayImages
from foveola.data.sources.source import SOURCES, Request, Source


def load(request: Request) -> Cohort:
    """Returns scikit-learn's digits: 1,797 grey images of 8 x 8 pixels, ten classes, no split.

    The counts 0..16 are divided by 16. The writers are not known.
    """
    digits = load_digits()
    labels = [int(label) for label in digits.target]
    samples = [f"digit-{place:04d}" for place in range(len(labels))]
    images = ArrayImages((digits.images / 16).astype(np.float32), "digits")
    return Cohort("digits", tuple(str(name) for name in digits.target_names), sample_table(samples, labels), images)


SOURCES.add(
    Source("digits", usage="digits", summary="1,797 handwritten digits of 8 x 8 pixels, from scikit-learn", load=load)
)
