"""How well two masks cover each other, counted in pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

Mask = Bool[np.ndarray, "height width"]


@dataclass(frozen=True)
class Overlap:
    """Pixels of a predicted mask against a reference, and the scores that follow from them.

    Dice, Jaccard and precision are 1 for two masks without a pixel each, for the prediction is right, and 0 if one
    alone is empty. Sensitivity is NaN where the reference has no pixel, and specificity where it has no other, whatever
    is predicted: such an image says nothing of them, for no arm.

    Attributes:
        tp: Pixels of both.
        fp: Pixels of the prediction alone.
        fn: Pixels of the reference alone.
        tn: Pixels of neither.

    Example:
        >>> found = Overlap(tp=3, fp=1, fn=2, tn=10)
        >>> round(found.dice, 4), found.jaccard, found.sensitivity, round(found.specificity, 4), found.precision
        (0.6667, 0.5, 0.6, 0.9091, 0.75)
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def dice(self) -> float:
        """``2 tp / (2 tp + fp + fn)``: Dice 1945."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn, empty=1.0)

    @property
    def jaccard(self) -> float:
        """``tp / (tp + fp + fn)``, intersection over union: Jaccard 1901."""
        return _share(self.tp, self.tp + self.fp + self.fn, empty=1.0)

    @property
    def sensitivity(self) -> float:
        """``tp / (tp + fn)``, also called recall."""
        return _share(self.tp, self.tp + self.fn, empty=float("nan"))

    @property
    def specificity(self) -> float:
        """``tn / (tn + fp)``."""
        return _share(self.tn, self.tn + self.fp, empty=float("nan"))

    @property
    def precision(self) -> float:
        """``tp / (tp + fp)``; without a predicted pixel 0, or 1 if there is nothing to predict."""
        return _share(self.tp, self.tp + self.fp, empty=float(self.fn == 0))


def overlap(predicted: Mask, reference: Mask, scored: Mask) -> Overlap:
    """Counts the pixels of two masks where ``scored`` is true.

    Example:
        >>> a, b = np.array([[True, True, False]]), np.array([[True, False, False]])
        >>> overlap(a, b, np.array([[True, True, False]]))
        Overlap(tp=1, fp=1, fn=0, tn=0)
    """
    there, called = reference & scored, predicted & scored
    tp = int(np.count_nonzero(there & called))
    fp, fn = int(np.count_nonzero(called)) - tp, int(np.count_nonzero(there)) - tp
    return Overlap(tp, fp, fn, int(np.count_nonzero(scored)) - tp - fp - fn)


def _share(part: int, whole: int, *, empty: float) -> float:
    return part / whole if whole else empty
