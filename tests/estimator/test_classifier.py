"""The scikit-learn face: what a classifier of images has to do that others need not."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

import foveola
from foveola import AttentionClassifier, FoveolaError
from foveola.attention import ARMS, Arm, ArmSettings
from foveola.comparison import load_data
from foveola.maps.summary import summary
from foveola.models import FittedModel
from foveola.protocol import PlannedFit, read_configuration, run_fit

QUICK: dict[str, Any] = {"epochs": 2, "lr": 0.01, "batch_size": 7, "device": "cpu", "random_state": 0}
NAMES = np.array(["high", "low", "middle"])


def bars(count: int, height: int = 12, width: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draws bytes of noise with a bright bar whose height in the image is the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 150, (count, height, width))
    for image, label in zip(images, labels, strict=True):
        image[label * height // 3 : (label + 1) * height // 3, 3:8] += 100
    return images.astype(np.uint8), NAMES[labels]


def test_it_learns_and_shows_where() -> None:
    images, labels = bars(60)
    others, truth = bars(30, seed=1)
    model = foveola.AttentionClassifier("global", **{**QUICK, "epochs": 12}).fit(images, labels)
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert model.score(others, truth) > 0.9
    probabilities = model.predict_proba(others)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (model.classes_[probabilities.argmax(axis=1)] == model.predict(others)).all()
    assert model.map_ is not None
    assert model.map_.shape == (12, 10)
    assert (model.input_shape_, model.image_shape_, model.n_features_in_) == ((12, 10), (1, 12, 10), 120)
    assert list(model.history_["epoch"]) == list(range(1, 13))


def forms(images: np.ndarray) -> dict[str, tuple[np.ndarray, tuple[int, ...] | None]]:
    """Returns ``N x C x H x W`` images in every form that they can be given in, with the shape for rows."""
    count, channels, height, width = images.shape
    last = np.moveaxis(images, 1, 3)
    stacks: dict[str, tuple[np.ndarray, tuple[int, ...] | None]] = {
        "channels first": (images, None),
        "channels last": (last, None),
        "rows, channels first": (images.reshape(count, -1), (channels, height, width)),
        "rows, channels last": (last.reshape(count, -1), (height, width, channels)),
    }
    if channels == 1:
        stacks |= {"grey": (images[:, 0], None), "grey rows": (images.reshape(count, -1), (height, width))}
    return stacks


@pytest.mark.parametrize("channels", [1, 3])
def test_the_form_of_the_images_does_not_matter(channels: int) -> None:
    grey, labels = bars(14)
    images = np.stack([grey // (place + 1) for place in range(channels)], axis=1)
    seen = {
        name: AttentionClassifier(**QUICK, image_shape=shape).fit(stack, labels).predict_proba(stack[:5])
        for name, (stack, shape) in forms(images).items()
    }
    first = seen["channels first"]
    assert np.ptp(first) > 0.01
    for name, probabilities in seen.items():
        np.testing.assert_array_equal(probabilities, first, err_msg=name)


@pytest.mark.parametrize(("width", "tolerance"), [(12, 1e-5), (10, 2e-3)])  # stretched bytes are rounded
def test_the_type_of_the_numbers_does_not_matter(width: int, tolerance: float) -> None:
    images, labels = bars(14, 12, width)
    model = AttentionClassifier(**QUICK).fit(images, labels)
    expected = model.predict_proba(images)
    for kind in (np.float32, np.float64, np.int32):
        np.testing.assert_allclose(model.predict_proba(images.astype(kind)), expected, atol=tolerance)
    other = AttentionClassifier(**QUICK).fit(images.astype(float), labels)
    np.testing.assert_array_equal(other.predict_proba(images), other.predict_proba(images.astype(float)))


def test_it_is_the_fit_that_the_command_makes(tmp_path: Path) -> None:
    images, labels = bars(31, 12, 12)
    numbers = np.searchsorted(NAMES, labels)
    parts = {"train": slice(0, 20), "test": slice(20, 31)}
    arrays = {
        f"{role}_{what}": values[part]
        for role, part in parts.items()
        for what, values in (("images", images), ("labels", numbers))
    }
    np.savez(tmp_path / "bars.npz", **arrays)  # type: ignore[arg-type]
    configuration = read_configuration(
        options={
            "data": str(tmp_path / "bars.npz"),
            "arms": ["global"],
            "protocol": "holdout",
            "training.epochs": 2,
            "preprocessing.image_size": 12,
            "training.lr": 0.01,
            "training.batch_size": 7,
            "training.device": "cpu",
            "backbone.name": "small-cnn",
        }
    )
    configuration, data, _ = load_data(configuration)
    run_fit(PlannedFit("global", 0, 3), configuration, data, tmp_path / "fit")
    expected = pd.read_csv(tmp_path / "fit" / "predictions.csv").filter(like="p_").to_numpy()
    model = AttentionClassifier(**{**QUICK, "random_state": 3}).fit(images[:20], labels[:20])
    np.testing.assert_allclose(model.predict_proba(images[20:]), expected, rtol=1e-5)
    model.model_.save(tmp_path)
    stored = FittedModel.load(tmp_path).probabilities(images[20:, None])
    np.testing.assert_allclose(stored, expected, rtol=1e-5)


def test_the_random_state_alone_decides_and_pytorch_is_left_as_it_was() -> None:
    images, labels = bars(14)
    before, drawn = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr]
    first = AttentionClassifier(**QUICK).fit(images, labels).predict_proba(images)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == drawn).all()  # type: ignore[index]
    torch.rand(3)
    np.testing.assert_array_equal(AttentionClassifier(**QUICK).fit(images, labels).predict_proba(images), first)
    states = [1, np.random.RandomState(5), np.random.RandomState(5)]
    _, one, same = fits = [
        AttentionClassifier(**{**QUICK, "random_state": state}).fit(images, labels).predict_proba(images)
        for state in states
    ]
    np.testing.assert_array_equal(one, same)
    assert not any(np.array_equal(other, first) for other in fits)


def test_it_is_cloned_pickled_and_put_into_pipelines_and_grids() -> None:
    images, labels = bars(24)
    rows = images.reshape(24, -1).astype(float)
    model = AttentionClassifier("cbam", **QUICK, image_shape=(12, 10)).fit(rows, labels)
    assert clone(model).get_params() == model.get_params()
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(rows), model.predict_proba(rows))
    np.testing.assert_array_equal(again.maps(rows[:2])["block2"], model.maps(rows[:2])["block2"])
    pipeline = make_pipeline(StandardScaler(), clone(model))
    grid = {"attentionclassifier__arm": ["plain", "l1"], "attentionclassifier__epochs": np.array([1])}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(rows, labels)
    assert search.best_params_["attentionclassifier__arm"] in ("plain", "l1")
    assert search.predict(rows[:5]).shape == (5,)


def test_folds_are_scored_side_by_side() -> None:
    images, labels = bars(18)
    options: dict[str, Any] = {"cv": GroupKFold(2), "groups": np.arange(18) // 3, "error_score": "raise"}
    scores = [cross_val_score(AttentionClassifier(**QUICK), images, labels, n_jobs=jobs, **options) for jobs in (1, 2)]
    np.testing.assert_array_equal(*scores)
    assert scores[0].shape == (2,)


def test_the_best_epoch_on_images_set_aside_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = bars(30)
    groups = np.array([None if row % 6 == 5 else row // 2 for row in range(30)], dtype=object)
    seen: list[Any] = []
    fit = foveola.estimator.classifier.fit_pixels  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "foveola.estimator.classifier.fit_pixels",
        lambda *parts, **options: (
            seen.append((parts[2].rows, parts[3].rows, options["groups"])),
            fit(*parts, **options),
        )[1],
    )
    options = {**QUICK, "epochs": 6, "lr": 0.05, "validation_fraction": 0.3}
    model = AttentionClassifier(**options).fit(images, labels, groups=groups)
    learned, aside, given = seen[0]
    assert sorted([*learned, *aside]) == list(range(30))
    assert 8 <= len(aside) <= 11
    named = np.array(["" if group is None else str(group) for group in groups])
    assert not (set(named[learned]) & set(named[aside])) - {""}
    assert given.tolist() == named[learned].tolist()
    assert model.model_.description.epoch == 1 + model.history_["val_loss"].idxmin()


@pytest.mark.parametrize(
    ("arm", "places"), [("plain", []), ("l1", ["input"]), ("cbam", ["block1", "block2", "block3"])]
)
def test_maps_are_those_that_are_used(arm: str, places: list[str]) -> None:
    images, labels = bars(14, 12, 12)
    model = AttentionClassifier(arm, **QUICK).fit(images, labels)
    maps = model.maps(images[:5])
    assert list(maps) == places
    if not places:
        assert model.map_ is None
        return
    with torch.no_grad():
        scaled = model.model_.description.scaling.apply(torch.from_numpy(images[:, None]))
        _, used = model.model_.network(scaled, return_maps=True)
    expected = {place: np.broadcast_to(used[place], (14, *used[place].shape[-2:])) for place in places}
    for place in places:
        np.testing.assert_allclose(maps[place], expected[place][:5], rtol=1e-4)
    every = [summary({place: expected[place][index] for place in places}, 12, 12) for index in range(14)]
    np.testing.assert_allclose(model.map_, np.mean(every, axis=0), rtol=1e-4)


def test_images_are_brought_to_the_size_that_is_asked_for() -> None:
    images, labels = bars(14)
    model = AttentionClassifier(**QUICK, image_size=16).fit(images, labels)
    assert model.maps(images[:2])["input"].shape == (2, 16, 16)
    assert model.map_ is not None
    assert model.map_.shape == (12, 10)


class Nearest(nn.Module):
    """Classifies by the nearest mean, which lies in its state."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.zeros(classes, 1, 12, 12))

    def forward(self, images: Tensor) -> Tensor:
        return -(images[:, None] - self.means).square().sum((2, 3, 4))


def test_an_arm_that_is_solved_learns_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = bars(21, 12, 12)
    seen: dict[str, Any] = {}

    def solve(network: Any, batches: Any, labels: Any, groups: Any, settings: Any, seed: int) -> nn.Module:
        seen.update(labels=labels, groups=groups, seed=seed)
        all_images = torch.cat(list(batches))
        for label in range(3):
            network.means.data[label] = all_images[torch.from_numpy(labels == label)].mean(0)
        return network  # type: ignore[no-any-return]

    arm = Arm(
        "nearest",
        "the nearest mean",
        ArmSettings,
        "none",
        network=lambda backbone, image, settings: Nearest(3),
        solve=solve,
    )
    monkeypatch.setitem(ARMS._members, "nearest", arm)
    model = AttentionClassifier("nearest", **QUICK, validation_fraction=0.3).fit(images, labels, groups=[7] * 21)
    assert (seen["labels"] == np.searchsorted(NAMES, labels)).all()
    assert (seen["groups"].tolist(), seen["seed"]) == (["7"] * 21, 0)
    means = np.stack([images[labels == name].astype(float).mean(axis=0) for name in NAMES])
    nearest = ((images[:, None] - means) ** 2).sum(axis=(2, 3)).argmin(axis=1)
    assert (model.predict(images) == NAMES[nearest]).all()
    assert (model.history_.empty, model.map_, model.model_.description.epoch) == (True, None, 0)


def test_epochs_are_logged_where_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    images, labels = bars(14)
    with caplog.at_level(logging.INFO, logger="foveola"):
        AttentionClassifier(**QUICK).fit(images, labels)
        assert not caplog.messages
        AttentionClassifier(**QUICK, verbose=True).fit(images, labels)
    assert [message.split(":")[0] for message in caplog.messages] == ["epoch 1", "epoch 2"]
    assert "train_loss" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arm": "globl"}, "known arm, got 'globl'.*did you mean 'global'"),
        ({"backbone": "resnt18"}, "known backbone, got 'resnt18'.*did you mean 'resnet18'"),
        ({"epochs": 0}, "greater than or equal to 1, got 0, in AttentionClassifier.epochs"),
        ({"epochs": 3, "cutoff": 4}, "a cut-off within the 3 epochs"),
        ({"device": "abacus"}, "got 'abacus', in AttentionClassifier.device"),
        ({"image_size": 4}, "got 4, in AttentionClassifier.image_size"),
        ({"arm_settings": {"widht": 3}}, "known key, got 'widht', in the settings of arm 'global'"),
        ({"validation_fraction": 1}, "a fraction below 1, got 1, in AttentionClassifier.validation_fraction"),
        ({"weights": "none.pth"}, "a file of weights, got no such file, in none.pth"),
        ({"lr": 1e30}, "the training diverged, in AttentionClassifier; give a smaller lr"),
    ],
)
def test_bad_parameters_are_named(options: dict[str, Any], message: str) -> None:
    images, labels = bars(14)
    with pytest.raises(FoveolaError, match=message):
        AttentionClassifier(**{**QUICK, **options}).fit(images, labels)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((6, 12, 10, 4), {}, r"N x C x H x W or N x H x W x C, got an X of shape \(1?6, 12, 10, 4\)"),
        ((6, 1, 3, 12, 10), {}, "change the order of the axes"),
        ((6, 120), {"image_shape": (12, 11)}, r"images that fit image_shape=\(12, 11\), got an X of shape \(6, 120\)"),
        ((6, 500), {}, "rows of 500 values, in X; give image_shape"),
    ],
)
def test_bad_images_are_named(shape: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message) as caught:
        AttentionClassifier(**QUICK, **options).fit(np.zeros(shape), [0, 1] * 3)
    assert isinstance(caught.value, ValueError), "scikit-learn's tools look for a ValueError"


def test_what_does_not_belong_together_is_named() -> None:
    images, labels = bars(14)
    model = AttentionClassifier(**QUICK)
    for method in (model.predict, model.maps):
        with pytest.raises(NotFittedError):
            method(images)
    with pytest.raises(FoveolaError, match="14 groups, one an image, got 3, in groups"):
        model.fit(images, labels, groups=["a", "b", "c"])
    with pytest.raises(FoveolaError, match="at least two classes, got 1 class, in y"):
        model.fit(images, ["one"] * 14)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(images > 200, np.nan, images), labels)
    model.fit(images, labels)
    for other, got in ((images.swapaxes(1, 2), "N x 10 x 12"), (images.reshape(14, -1), "N x 120")):
        with pytest.raises(ValueError, match=f"images N x 12 x 10, as were fitted, got {got}, in X"):
            model.predict(other)
