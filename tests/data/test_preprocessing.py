from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from foveola.data.preprocessing import IMAGENET, Preprocessing, Scaling, prepare, resolve, training_scaling
from foveola.errors import FoveolaError


def axis_weights(length: int, size: int) -> np.ndarray:
    """Weights ``size x length``: covered share of each source pixel if it shrinks, two neighbours if it grows."""
    weights = np.zeros((size, length))
    scale = length / size
    for i in range(size):
        if size <= length:
            for j in range(length):
                weights[i, j] = max(0.0, min(j + 1, (i + 1) * scale) - max(j, i * scale)) / scale
        else:
            centre = (i + 0.5) * scale - 0.5
            low = int(np.floor(centre))
            for j, weight in ((low, low + 1 - centre), (low + 1, centre - low)):
                weights[i, min(max(j, 0), length - 1)] += weight
    return weights


def resized(plane: np.ndarray, size: int) -> np.ndarray:
    height, width = plane.shape
    return axis_weights(height, size) @ plane.astype(np.float64) @ axis_weights(width, size).T


@pytest.fixture
def photograph() -> np.ndarray:
    """12 high, 10 wide, a red top left corner and a blue bottom right one."""
    image = np.zeros((12, 10, 3), np.uint8)
    image[:3, :4] = (200, 0, 0)
    image[9:, 8:] = (0, 30, 250)
    return image


@given(
    height=st.integers(3, 40), width=st.integers(3, 40), size=st.integers(8, 30), seed=st.integers(0, 99),
    colour=st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=30, derandomize=True)
def test_resizing_agrees_with_fractional_coverage(height: int, width: int, size: int, seed: int, colour: bool) -> None:
    shape = (height, width, 3) if colour else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    planes = prepare(image, "", Preprocessing(image_size=size), 3 if colour else 1)
    assert planes.dtype == np.uint8
    for channel, plane in enumerate(planes):
        expected = resized(image[..., channel] if colour else image, size)
        tolerance = 1.0 if size <= min(height, width) else 1.6  # two roundings where one axis grows
        assert np.abs(plane - expected).max() <= tolerance


def test_floats_are_resized_as_floats_and_stay_in_range() -> None:
    image = np.random.default_rng(3).random((31, 17)).astype(np.float32)
    image[:5] = 1
    plane = prepare(image, "", Preprocessing(image_size=11), 1)[0]
    assert plane.dtype == np.float32
    assert plane.max() <= 1
    np.testing.assert_allclose(plane, resized(image, 11), atol=1e-5)


def test_a_size_that_is_right_already_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    assert np.array_equal(prepare(image, "L", Preprocessing(image_size=9), 3), np.moveaxis(image, 2, 0))


def test_colours_and_axes_keep_their_order(photograph: np.ndarray) -> None:
    red, green, blue = prepare(photograph, "L", Preprocessing(image_size=60), 3)
    assert (red[0, 0], green[0, 0], blue[0, 0]) == (200, 0, 0)
    assert (red[-1, -1], green[-1, -1], blue[-1, -1]) == (0, 30, 250)
    assert red[0, -1] == red[-1, 0] == 0
    assert (red > 100).sum(axis=0).max() == 60 * 3 // 12  # height of the corner
    assert (red > 100).sum(axis=1).max() == 60 * 4 // 10  # width of the corner


@pytest.mark.parametrize(
    ("side", "flip", "mirrored"), [("R", True, True), ("L", True, False), ("", True, False), ("R", False, False)]
)
def test_only_right_eyes_are_mirrored_and_only_if_asked(
    photograph: np.ndarray, side: str, flip: bool, mirrored: bool
) -> None:
    got = prepare(photograph, side, Preprocessing(image_size=30, flip=flip), 3)
    plain = prepare(photograph, "", Preprocessing(image_size=30), 3)
    assert np.array_equal(got, plain[:, :, ::-1] if mirrored else plain)
    assert not np.array_equal(plain, plain[:, :, ::-1])


def test_the_crop_is_cut_before_mirroring(photograph: np.ndarray) -> None:
    cropped = prepare(photograph, "R", Preprocessing(image_size=8, crop=(2, 1, 10, 9)), 3)
    assert np.array_equal(cropped, np.moveaxis(photograph[1:9, 2:10][:, ::-1], 2, 0))


@pytest.mark.parametrize("crop", [(0, 0, 11, 12), (0, 0, 10, 13)])
def test_a_crop_beyond_the_image_is_refused(photograph: np.ndarray, crop: tuple[int, int, int, int]) -> None:
    with pytest.raises(FoveolaError, match=r"10 x 12 pixels, in eye\.png; .*crop"):
        prepare(photograph, "", Preprocessing(image_size=8, crop=crop), 3, where="eye.png")


def test_channels() -> None:
    colour = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    luma = prepare(colour, "", Preprocessing(image_size=8), 1)
    assert luma.shape == (1, 8, 8)
    assert np.abs(luma[0] - colour @ np.array([0.299, 0.587, 0.114])).max() <= 0.51
    copies = prepare(colour[..., 0], "", Preprocessing(image_size=8), 3)
    assert np.array_equal(copies, np.stack([colour[..., 0]] * 3))


def test_settings_understand_what_a_command_line_gives() -> None:
    given_as_text = Preprocessing.model_validate(
        {"image_size": "64", "crop": "1,2,30,40", "channels": "3", "flip": "no"}
    )
    assert given_as_text == Preprocessing(image_size=64, crop=(1, 2, 30, 40), channels=3, flip=False)
    assert Preprocessing.model_validate({"crop": [1, 2, 30, 40], "channels": "auto"}).crop == (1, 2, 30, 40)


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 7}, {"image_size": 4097}, {"crop": (5, 0, 5, 9)}, {"crop": (0, 9, 5, 2)},
        {"crop": (-1, 0, 5, 9)}, {"crop": "1,2,3"}, {"crop": "a,b,c,d"}, {"channels": 2}, {"scaling": "none"},
        {"sizes": "all"}, {"size": 64},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate(wrong)


def test_the_user_goes_before_the_source_and_the_source_before_the_defaults() -> None:
    source = {"image_size": 48, "crop": (0, 0, 20, 30), "flip": True}
    merged = resolve(Preprocessing(flip=False, crop=None, image_size=None), source)
    assert (merged.flip, merged.crop, merged.image_size) == (False, None, 48)
    assert resolve(Preprocessing(), source).crop == (0, 0, 20, 30)
    assert resolve(Preprocessing(), {}).image_size == 224
    assert resolve(merged, source) == merged


def test_scaling_follows_its_formula() -> None:
    batch = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).to(torch.uint8)
    scaled = IMAGENET[3].apply(batch)
    expected = (batch[1, 2, 3, 4].item() / 255 - 0.406) / 0.225
    assert scaled.dtype == torch.float32
    assert scaled[1, 2, 3, 4].item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(IMAGENET[3].apply(batch.float() / 255), scaled)
    assert IMAGENET[1].mean[0] == pytest.approx(np.mean(IMAGENET[3].mean))
    assert IMAGENET[1].std[0] == pytest.approx(np.mean(IMAGENET[3].std))
    with pytest.raises(ValueError, match="3 channels"):
        IMAGENET[1].apply(batch)


@pytest.mark.parametrize("wrong", [{"mean": (), "std": ()}, {"mean": (0,), "std": (0,)}, {"mean": (0, 1), "std": (1,)}])
def test_scaling_refuses_unusable_constants(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Scaling(**wrong)


@pytest.mark.parametrize("floats", [False, True])
def test_training_scaling_reads_the_training_rows_alone(monkeypatch: pytest.MonkeyPatch, floats: bool) -> None:
    monkeypatch.setattr("foveola.data.preprocessing.CHUNK", 2 * 3 * 6 * 5)  # two rows at a time
    rng = np.random.default_rng(5)
    pixels = rng.integers(0, 256, (7, 3, 6, 5), dtype=np.uint8) // np.array([1, 2, 5], np.uint8)[:, None, None]
    intensity = pixels / 255
    if floats:
        pixels = intensity.astype(np.float32)
    rows = np.array([6, 0, 3, 2, 5])
    scaling = training_scaling(pixels, rows)
    np.testing.assert_allclose(scaling.mean, intensity[rows].mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(scaling.std, intensity[rows].std(axis=(0, 2, 3)), rtol=1e-6)
    assert training_scaling(pixels, rows[::-1]) == scaling
    others = pixels.copy()
    others[[1, 4]] = 0
    assert training_scaling(others, rows) == scaling
    others[3] = 0
    assert training_scaling(others, rows) != scaling


def test_a_constant_channel_is_not_stretched(caplog: pytest.LogCaptureFixture) -> None:
    pixels = np.full((5, 2, 4, 3), 51, np.uint8)
    pixels[:, 1, 0] = 0
    with caplog.at_level(logging.WARNING):
        scaling = training_scaling(pixels, np.arange(5))
    assert (scaling.mean[0], scaling.std[0]) == (pytest.approx(0.2), 1.0)
    assert scaling.std[1] < 0.2
    assert [record.message for record in caplog.records] == [
        "channel 0 is 0.2 in every training image; it is not stretched"
    ]
    assert training_scaling(np.full((9, 1, 7, 3), 0.7, np.float32), np.arange(9)).std == (1.0,)
    with pytest.raises(ValueError, match="no images"):
        training_scaling(pixels, np.arange(0))
