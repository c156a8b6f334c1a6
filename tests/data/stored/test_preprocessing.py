from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from foveola.data.stored.preprocessing import IMAGENET, Preprocessing, Scaling, resolve, training_scaling


def test_settings_understand_what_a_command_line_gives() -> None:
    given_as_text = Preprocessing.model_validate(
        {"image_size": "64", "crop": "1,2,30,40", "channels": "3", "flip": "no"}
    )
    assert given_as_text == Preprocessing(image_size=64, crop=(1, 2, 30, 40), channels=3, flip=False)
    assert Preprocessing.model_validate({"crop": [1, 2, 30, 40], "channels": "auto"}).crop == (1, 2, 30, 40)


@pytest.mark.parametrize(
    "wrong",
    [
        {"image_size": 7},
        {"image_size": 4097},
        {"crop": (5, 0, 5, 9)},
        {"crop": (0, 9, 5, 2)},
        {"crop": (-1, 0, 5, 9)},
        {"crop": "1,2,3"},
        {"crop": "a,b,c,d"},
        {"channels": 2},
        {"scaling": "none"},
        {"sizes": "all"},
        {"size": 64},
        {"fit": "cover"},
    ],
)
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
    monkeypatch.setattr("foveola.data.stored.preprocessing.CHUNK", 2 * 3 * 6 * 5)  # two rows at a time
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
