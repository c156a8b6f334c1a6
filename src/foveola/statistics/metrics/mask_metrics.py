"""The metrics of predicted masks: means over images of what `mask_scores` says of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from jaxtyping import Float

from foveola.statistics.metrics.label_metrics import Labels, Values, Weights, ratio
from foveola.statistics.metrics.mask_scores import MASK_SCORES, score_columns
from foveola.statistics.metrics.metric import Metric, Scores, mean_metric

THIRDS = ("small", "medium", "large")
BATCH = 4
NOWHERE = "not defined for any test image"
_PLACES = {name: place for place, name in enumerate(score_columns(()))}


def mask_table(predictions: pd.DataFrame, classes: Sequence[str]) -> Float[np.ndarray, "rows columns"]:
    """Returns the columns of `mask_scores.score_columns`, and last the number of the third that each image is in.

    The thirds are those of the share of the image that the reference marks, ``size``: 1 for the images up to the first
    tertile, 2 up to the second, 3 above. The tertiles are those of all images in the table, each counted once, so that
    arms and fits have the same ones. Images in which nothing is marked count nowhere in this, and are of third 0.

    Args:
        predictions: Rows of ``predictions.csv``.
        classes: Names of the classes; the first is the background.
    """
    numbers = predictions[list(score_columns(classes))].apply(pd.to_numeric)
    each = numbers["size"][~predictions["sample"].duplicated().to_numpy()].to_numpy(np.float64)
    marked = each[each > 0]
    first, second = np.quantile(marked, [1 / 3, 2 / 3]) if len(marked) else (0.0, 0.0)
    size = numbers["size"].to_numpy(np.float64)
    third = np.where(size > 0, 1.0 + (size > first) + (size > second), 0.0)
    return np.column_stack([numbers.to_numpy(np.float64), third])


def pooled_dice(labels: Labels, scores: Scores, weights: Weights) -> Values:
    """Returns the Dice score of the pixels of all images together: large objects outweigh small ones."""
    tp, fp, fn = _pixels(scores).T @ weights
    value: Values = np.where(weights.sum(0) > 0, _dice(tp, fp, fn), np.nan)
    return value


def batch_pooled_dice(labels: Labels, scores: Scores, weights: Weights) -> Values:
    """Returns the mean over batches of four images, in order, of the Dice score of all pixels of a batch.

    As the published code of the deep active contour network (Zhang et al. 2020) evaluates; an incomplete last batch is
    dropped. It depends on the order of the images. An image of weight 2 stands twice in a row.
    """
    each, order = _pixels(scores), np.arange(len(scores))
    return np.array([_of_batches(each[np.repeat(order, times.astype(int))]) for times in weights.T])


def mask_details(classes: Sequence[str]) -> dict[str, Metric]:
    """Returns what stands beside the compared metrics: Dice by size of object, pooled Dice, scores of each class.

    A class that is called as a third takes its place.
    """
    details = {
        f"dice[{title}]": mean_metric(partial(_dice_of_third, third=number), f"no test image with a {title} object")
        for number, title in enumerate(THIRDS, 1)
    }
    details["pooled_dice"] = Metric(pooled_dice, undefined=NOWHERE)
    details["batch_pooled_dice"] = Metric(batch_pooled_dice, undefined=f"fewer than {BATCH} test images")
    columns = score_columns(classes)
    for place in range(len(_PLACES), len(columns)):
        details[columns[place]] = mean_metric(_column(place), NOWHERE)
    return details


def _column(place: int) -> Callable[[Labels, Scores], Float[np.ndarray, " images"]]:
    return lambda labels, scores: scores[:, place]


MASK_METRICS = {name: mean_metric(_column(_PLACES[name]), NOWHERE) for name in MASK_SCORES}
"""What arms are compared by."""


def _dice_of_third(labels: Labels, scores: Scores, third: int) -> Float[np.ndarray, " images"]:
    values: Float[np.ndarray, " images"] = np.where(scores[:, -1] == third, scores[:, _PLACES["dice"]], np.nan)
    return values


def _pixels(scores: Scores) -> Float[np.ndarray, "images 3"]:
    """Returns tp, fp and fn of each image."""
    return scores[:, [_PLACES[name] for name in ("tp", "fp", "fn")]]


def _dice(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """Returns Dice scores; 1 where there is nothing to find and nothing found."""
    whole = 2 * tp + fp + fn
    return np.where(whole == 0, 1.0, ratio(2 * tp, whole))


def _of_batches(pixels: Float[np.ndarray, "images 3"]) -> float:
    full = len(pixels) // BATCH
    if not full:
        return float("nan")
    tp, fp, fn = pixels[: full * BATCH].reshape(full, BATCH, 3).sum(1).T
    return float(_dice(tp, fp, fn).mean())
