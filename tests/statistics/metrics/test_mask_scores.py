"""All scores of a mask together: classes, what is ignored, corners, and what a NaN depends on."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from foveola.data.images.masks import IGNORED
from foveola.foundation.errors import FoveolaError
from foveola.statistics.metrics.boundary import boundary_dice
from foveola.statistics.metrics.islands import false_islands, missed_islands
from foveola.statistics.metrics.mask_scores import COUNTS, MASK_SCORES, mask_scores, score_columns
from foveola.statistics.metrics.overlap import overlap
from foveola.statistics.metrics.surfaces import surface_distances

TWO, THREE = ("background", "vessel"), ("background", "artery", "vein")
patient = settings(max_examples=25, deadline=None)
predictions = arrays(np.uint8, (6, 9), elements=st.integers(0, 2))
references = arrays(np.uint8, (6, 9), elements=st.sampled_from([0, 1, 2, IGNORED]))


def example(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A prediction, a reference with ignored pixels, and probabilities, 7 x 11, of three classes."""
    rng = np.random.default_rng(seed)
    reference = rng.choice(np.array([0, 1, 2, IGNORED], np.uint8), (7, 11))
    probabilities = np.round(rng.dirichlet([1, 1, 1], (7, 11)), 2).transpose(2, 0, 1)  # some are equal
    return probabilities.argmax(0).astype(np.uint8), reference, probabilities


def test_every_score_of_a_class_and_their_means() -> None:
    predicted, reference, probabilities = example()
    scores = mask_scores(predicted, reference, THREE, probabilities=probabilities, spacing=(0.5, 2.0))
    scored = reference != 255
    pixels = {"tp": 0, "fp": 0, "fn": 0}
    for number, name in ((1, "artery"), (2, "vein")):
        own, true = (predicted == number) & scored, reference == number
        found = overlap(own, true, scored)
        for score in ("dice", "jaccard", "sensitivity", "specificity", "precision"):
            assert scores[f"{score}[{name}]"] == getattr(found, score)
        distances = surface_distances(own, true, (0.5, 2.0))
        assert (scores[f"hd95[{name}]"], scores[f"surface_distance[{name}]"]) == distances
        expected = roc_auc_score(true[scored], probabilities[number][scored])
        assert scores[f"auc[{name}]"] == pytest.approx(expected, abs=1e-12)
        assert scores[f"boundary_dice[{name}]"] == boundary_dice(own, true, scored)
        assert scores[f"false_islands[{name}]"] == false_islands(own, true)
        assert scores[f"missed_islands[{name}]"] == missed_islands(own, true)
        for count in pixels:
            pixels[count] += getattr(found, count)
    for score in MASK_SCORES:
        assert scores[score] == pytest.approx((scores[f"{score}[artery]"] + scores[f"{score}[vein]"]) / 2)
    assert {count: scores[count] for count in pixels} == pixels
    assert scores["size"] == ((reference == 1) | (reference == 2)).sum() / (reference != 255).sum()


def test_names_and_order_are_those_of_the_columns() -> None:
    predicted, reference, probabilities = example()
    assert tuple(mask_scores(predicted, reference, THREE)) == score_columns(THREE)
    assert len(score_columns(THREE)) == 3 * len(MASK_SCORES) + len(COUNTS)
    one = mask_scores(np.minimum(predicted, 1), np.where(reference == 2, 1, reference).astype(np.uint8), TWO)
    assert tuple(one) == score_columns(TWO) == MASK_SCORES + COUNTS
    assert all(
        type(value) is float for value in mask_scores(predicted, reference, THREE, probabilities=probabilities).values()
    )


@given(predictions, references, st.integers(0, 99))
@patient
def test_nothing_outside_of_the_image_counts(predicted: np.ndarray, reference: np.ndarray, seed: int) -> None:
    if (reference == IGNORED).all():
        return
    rng = np.random.default_rng(seed)
    probabilities = rng.random((3, 6, 9))
    outside = reference == IGNORED
    other, noise = np.where(outside, rng.integers(0, 256, (6, 9)), predicted).astype(np.uint8), rng.random((3, 6, 9))
    scores = mask_scores(predicted, reference, THREE, probabilities=probabilities)
    changed = mask_scores(other, reference, THREE, probabilities=np.where(outside, noise, probabilities))
    assert changed == pytest.approx(scores, nan_ok=True)
    frame = ((2, 1), (3, 5))
    framed = mask_scores(
        np.pad(predicted, frame, constant_values=1),
        np.pad(reference, frame, constant_values=IGNORED),
        THREE,
        probabilities=np.pad(probabilities, ((0, 0), *frame)),
    )
    assert framed == pytest.approx(scores, nan_ok=True)


@given(predictions, predictions, references, st.integers(0, 99))
@patient
def test_a_nan_depends_on_the_reference_alone(a: np.ndarray, b: np.ndarray, reference: np.ndarray, seed: int) -> None:
    if (reference == IGNORED).all():
        return
    probabilities = np.random.default_rng(seed).random((2, 3, 6, 9))
    first, second = (
        mask_scores(mask, reference, THREE, probabilities=likely)
        for mask, likely in zip((a, b), probabilities, strict=True)
    )
    undefined = [name for name, value in first.items() if math.isnan(value)]
    assert undefined == [name for name, value in second.items() if math.isnan(value)]
    assert {name.partition("[")[0] for name in undefined} <= {"sensitivity", "specificity", "auc"}


def test_an_observer_gives_no_probabilities() -> None:
    predicted, reference, probabilities = example()
    alone = mask_scores(predicted, reference, THREE)
    undefined = {name for name, value in alone.items() if math.isnan(value)}
    assert undefined == {"auc", "auc[artery]", "auc[vein]"}
    with_them = mask_scores(predicted, reference, THREE, probabilities=probabilities)
    assert {name: value for name, value in with_them.items() if name not in undefined} == {
        name: value for name, value in alone.items() if name not in undefined
    }


RIGHT = dict.fromkeys(("dice", "jaccard", "precision", "boundary_dice"), 1.0)
WRONG = dict.fromkeys(("dice", "jaccard", "precision", "boundary_dice"), 0.0)
FAR = dict.fromkeys(("hd95", "surface_distance"), math.hypot(5 * 0.5, 8 * 2))


@pytest.mark.parametrize(
    ("predicted", "reference", "expected"),
    [
        (
            "empty",
            "empty",
            RIGHT
            | {
                "sensitivity": math.nan,
                "specificity": 1,
                "hd95": 0,
                "surface_distance": 0,
                "auc": math.nan,
                "false_islands": 0,
                "missed_islands": 0,
                "size": 0,
            },
        ),
        (
            "dot",
            "empty",
            WRONG
            | FAR
            | {
                "sensitivity": math.nan,
                "specificity": 39 / 40,
                "auc": math.nan,
                "false_islands": 1,
                "missed_islands": 0,
                "fp": 1,
            },
        ),
        (
            "empty",
            "dot",
            WRONG
            | FAR
            | {
                "sensitivity": 0,
                "specificity": 1,
                "auc": 0.5,
                "false_islands": 0,
                "missed_islands": 1,
                "fn": 1,
                "size": 1 / 40,
            },
        ),
        ("full", "full", RIGHT | {"sensitivity": 1, "specificity": math.nan, "hd95": 0, "auc": math.nan, "size": 1}),
    ],
)
def test_corners(predicted: str, reference: str, expected: dict[str, float]) -> None:
    masks = {"empty": np.zeros((5, 8), np.uint8), "full": np.ones((5, 8), np.uint8), "dot": np.zeros((5, 8), np.uint8)}
    masks["dot"][2, 3] = 1
    flat = np.full((2, 5, 8), 0.5, np.float32)
    scores = mask_scores(masks[predicted], masks[reference], TWO, probabilities=flat, spacing=(0.5, 2.0))
    assert {name: scores[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_a_class_that_an_image_does_not_have_is_left_out_of_its_mean_sensitivity() -> None:
    reference = np.zeros((5, 8), np.uint8)
    reference[1:3, 2:6] = 1
    predicted = reference.copy()
    predicted[1, 2] = 0
    scores = mask_scores(predicted, reference, THREE)
    assert scores["sensitivity"] == scores["sensitivity[artery]"] == 7 / 8
    assert scores["dice"] == pytest.approx((14 / 15 + 1) / 2)


def test_what_cannot_be_scored() -> None:
    good = np.zeros((4, 6), np.uint8)
    for predicted, reference, likely, message in (
        (good[:3], good, None, "4 x 6, got 3 x 6"),
        (good, good, np.zeros((2, 4, 5)), "4 x 6, got 4 x 5"),
        (good, good + 255, None, "pixels inside of the image, got none"),
        (good + 2, good, None, "class numbers from 0 to 1, got 2, in the predicted mask"),
        (good, good + 7, None, "class numbers from 0 to 1, got 7, in the reference mask"),
    ):
        with pytest.raises(FoveolaError, match=message):
            mask_scores(predicted, reference, TWO, probabilities=likely)
