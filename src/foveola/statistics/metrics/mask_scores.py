"""Every score of a predicted mask against a reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8

from foveola.data.images.masks import IGNORED
from foveola.foundation.errors import FoveolaError
from foveola.statistics.metrics import roc
from foveola.statistics.metrics.boundary import boundary_dice
from foveola.statistics.metrics.islands import false_islands, missed_islands
from foveola.statistics.metrics.overlap import Mask, Overlap, overlap
from foveola.statistics.metrics.surfaces import surface_distances

MASK_SCORES = (
    "dice",
    "jaccard",
    "sensitivity",
    "specificity",
    "precision",
    "hd95",
    "surface_distance",
    "auc",
    "boundary_dice",
    "false_islands",
    "missed_islands",
)
COUNTS = ("tp", "fp", "fn", "size")

Classes = UInt8[np.ndarray, "height width"]


def score_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Returns what `mask_scores` names its numbers, in order.

    Example:
        >>> score_columns(["background", "vessel"]) == MASK_SCORES + COUNTS
        True
        >>> score_columns(["background", "artery", "vein"])[-1]
        'missed_islands[vein]'
    """
    several = classes[1:] if len(classes) > 2 else ()
    return (*MASK_SCORES, *COUNTS, *(f"{score}[{name}]" for name in several for score in MASK_SCORES))


def mask_scores(
    predicted: Classes,
    reference: UInt8[np.ndarray, "rows columns"],
    classes: Sequence[str],
    *,
    probabilities: Float[np.ndarray, "classes h w"] | None = None,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> dict[str, float]:
    """Returns the scores of one predicted mask, named as in `score_columns`.

    Each of ``MASK_SCORES`` is the mean over the foreground classes, a class against everything else; with more than one
    foreground class, ``SCORE[CLASS]`` is that of one:

    - ``dice``, ``jaccard``, ``sensitivity``, ``specificity``, ``precision``: see `overlap.Overlap`;
    - ``hd95``, ``surface_distance``: in units of ``spacing``, see `surfaces.surface_distances`;
    - ``auc``: the area under the ROC curve of the pixels of this image by the probability of the class;
    - ``boundary_dice``: within 3 pixels of the reference's boundary, see `boundary.boundary_dice`;
    - ``false_islands``, ``missed_islands``: numbers of objects, see `islands`.

    ``tp``, ``fp`` and ``fn`` are pixels, summed over the foreground classes; ``size`` is the share of the pixels that
    the reference gives to a foreground class.

    NaN, and left out of the mean over classes, are ``sensitivity`` of a class that the reference does not have,
    ``specificity`` where it has no other pixel, ``auc`` in either case and without probabilities. So without
    probabilities or with, a NaN depends on the reference alone. Everything else is defined for every pair of masks;
    a class that neither has counts as found (Dice 1).

    Args:
        predicted: Class numbers, 0 for background.
        reference: True class numbers; ``IGNORED`` is outside of the image: nothing there is scored.
        classes: Names of the classes; the first is the background.
        probabilities: Of each class and pixel; a human observer gives none.
        spacing: Height and width of a pixel.

    Raises:
        FoveolaError: If the sizes differ, a number is that of no class, or no pixel is to be scored.

    Example:
        >>> reference = np.zeros((8, 9), np.uint8)
        >>> reference[2:6, 2:6] = 1
        >>> scores = mask_scores(np.roll(reference, 1, axis=1), reference, ["background", "lesion"])
        >>> scores["dice"], scores["hd95"], scores["auc"], scores["fp"]
        (0.75, 1.0, nan, 4.0)
    """
    scored = _checked(predicted, reference, len(classes), probabilities)
    rows, columns = np.flatnonzero(scored.any(1)), np.flatnonzero(scored.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # what is outside changes nothing, not a diagonal
    predicted, reference, scored = predicted[box], reference[box], scored[box]
    each, counts = [], []
    for number in range(1, len(classes)):
        own, true = (predicted == number) & scored, (reference == number) & scored
        counts.append(overlap(own, true, scored))
        likely = None if probabilities is None else probabilities[number][box]
        each.append(_class_scores(own, true, scored, counts[-1], likely, spacing))
    scores = {score: _mean_of_defined([values[score] for values in each]) for score in MASK_SCORES}
    for name in ("tp", "fp", "fn"):
        scores[name] = float(sum(getattr(count, name) for count in counts))
    scores["size"] = (scores["tp"] + scores["fn"]) / int(np.count_nonzero(scored))
    if len(each) > 1:
        scores |= {
            f"{score}[{name}]": own[score] for name, own in zip(classes[1:], each, strict=True) for score in MASK_SCORES
        }
    return scores


def _class_scores(
    predicted: Mask,
    reference: Mask,
    scored: Mask,
    found: Overlap,
    likely: Float[np.ndarray, "height width"] | None,
    spacing: tuple[float, float],
) -> dict[str, float]:
    """Returns the scores of one class."""
    hd95, surface_distance = surface_distances(predicted, reference, spacing)
    return {
        "dice": found.dice,
        "jaccard": found.jaccard,
        "sensitivity": found.sensitivity,
        "specificity": found.specificity,
        "precision": found.precision,
        "hd95": hd95,
        "surface_distance": surface_distance,
        "auc": float("nan") if likely is None else _pixel_auc(reference[scored], likely[scored]),
        "boundary_dice": boundary_dice(predicted, reference, scored),
        "false_islands": float(false_islands(predicted, reference)),
        "missed_islands": float(missed_islands(predicted, reference)),
    }


def _pixel_auc(reference: Bool[np.ndarray, " pixels"], likely: Float[np.ndarray, " pixels"]) -> float:
    other = (~reference).astype(np.int64)  # so that the foreground is class 0, the one column
    return float(roc.auc(other, likely[:, None], np.ones((len(reference), 1)), [0])[0])


def _mean_of_defined(values: Sequence[float]) -> float:
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _checked(predicted: np.ndarray, reference: np.ndarray, count: int, probabilities: np.ndarray | None) -> Mask:
    """Returns where pixels are scored."""
    scored: Mask = reference != IGNORED
    shapes = [predicted.shape, *([] if probabilities is None else [probabilities.shape[1:]])]
    if any(shape != reference.shape for shape in shapes):
        wrong = next(shape for shape in shapes if shape != reference.shape)
        raise FoveolaError(
            f"a mask of the size of the reference, {reference.shape[0]} x {reference.shape[1]}",
            " x ".join(map(str, wrong)),
            "the predicted mask",
            "bring it to the size of the image first",
        )
    if not scored.any():
        raise FoveolaError("pixels inside of the image", "none", "the reference mask", "leave this image out")
    for mask, where in ((predicted, "the predicted mask"), (reference, "the reference mask")):
        if (most := int(mask[scored].max())) >= count:
            raise FoveolaError(
                f"class numbers from 0 to {count - 1}", str(most), where, "give all classes, background first"
            )
    return scored
