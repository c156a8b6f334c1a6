"""Pictures of the maps of one image: the place of every pixel, flat maps, and what was cropped away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError
from foveola.maps.resize import resized
from foveola.pictures.image_pictures import DPI, INCHES, overlay_on_original, place_picture
from foveola.pictures.map_pictures import overlay

RNG = np.random.default_rng(5)
MAP = RNG.random((3, 4))
GREY = RNG.integers(0, 256, (40, 60), dtype=np.uint8)
RGB = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB")).astype(int)


def test_a_map_at_its_own_resolution(tmp_path: Path) -> None:
    place_picture(tmp_path / "a.png", MAP, title="layer1")
    place_picture(tmp_path / "again.png", MAP, title="layer1")
    place_picture(tmp_path / "more.png", 1000 * MAP, title="layer1", label="times average")
    pixels = read(tmp_path / "a.png")
    assert pixels.shape[1] == pytest.approx((INCHES + 1.1) * DPI, abs=1)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert (read(tmp_path / "more.png") != pixels).any(), "the colour bar gives the true values"
    assert (pixels[0, 0] == 255).all()


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0, 7.0, -3.0])
def test_a_flat_map_gives_a_flat_picture(tmp_path: Path, value: float) -> None:
    place_picture(tmp_path / "flat.png", np.full((6, 5), value), title="flat")
    pixels = read(tmp_path / "flat.png")
    middle = pixels[pixels.shape[0] // 2, 60:250]
    assert (middle == middle[0]).all()
    tinted = overlay_on_original(np.full((12, 10), 99, np.uint8), np.full((6, 5), value), Preprocessing(), "")
    assert (tinted == tinted[0, 0]).all()


def test_rounding_is_not_blown_up_to_a_pattern() -> None:
    nearly = np.float32(0.5) + np.float32(1e-6) * MAP.astype(np.float32)
    tinted = overlay_on_original(np.full((12, 10), 99, np.uint8), nearly, Preprocessing(), "")
    assert (tinted == tinted[0, 0]).all()


@pytest.mark.parametrize("shape", [(50, 2), (2, 50), (1, 1)])
def test_long_and_tiny_maps_can_be_drawn(tmp_path: Path, shape: tuple[int, int]) -> None:
    place_picture(tmp_path / "a.png", RNG.random(shape), title="layer1", bounded=True)
    assert 100 < len(read(tmp_path / "a.png")) < 1100


@pytest.mark.parametrize("image", [GREY, RGB, GREY / np.float32(255)])
@pytest.mark.parametrize("side", ["L", "R"])
def test_an_overlay_lies_on_the_image_as_it_was_taken(image: np.ndarray, side: str) -> None:
    settings = Preprocessing(image_size=8, crop=(5, 3, 50, 30))
    picture = overlay_on_original(image, MAP, settings, side)
    assert (picture.shape, picture.dtype) == ((40, 60, 3), np.uint8)
    shown = resized(MAP[:, ::-1] if side == "R" else MAP, 27, 45)
    np.testing.assert_array_equal(picture[3:30, 5:50], overlay(image[3:30, 5:50], shown))
    stored = RGB if image.ndim == 3 else np.repeat(GREY[..., None], 3, axis=2)
    outside = np.ones((40, 60), bool)
    outside[3:30, 5:50] = False
    np.testing.assert_array_equal(picture[outside], stored[outside])


def test_the_image_is_left_as_it_is() -> None:
    before = RGB.copy()
    overlay_on_original(RGB, MAP, Preprocessing(), "")
    np.testing.assert_array_equal(RGB, before)


def test_what_cannot_be_drawn_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    with pytest.raises(FoveolaError, match="finite map"):
        place_picture(path, np.full((3, 4), np.inf), title="layer1")
    with pytest.raises(FoveolaError, match="finite map"):
        overlay_on_original(GREY, np.full((3, 4), np.nan), Preprocessing(), "")
    assert path.read_bytes() == b"before"
