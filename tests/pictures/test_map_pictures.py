"""Pictures of maps: whole, of the size they should have, and never blank."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from foveola.foundation.errors import FoveolaError
from foveola.pictures.map_pictures import arms_picture, before_after_picture, map_picture, overlay
from foveola.pictures.panels import DPI, PANEL_INCHES

HEIGHT, WIDTH = 10, 14
RNG = np.random.default_rng(3)
MAP = RNG.random((HEIGHT, WIDTH))
IMAGE = RNG.random((HEIGHT, WIDTH, 3))
FLAT = np.full((HEIGHT, WIDTH), 0.5)
TRUTH = np.zeros((HEIGHT, WIDTH), bool)
TRUTH[3:7, 8:12] = True
DARKEST = 4
"""The colour of 0, at the foot of the colour bar and nowhere over an image."""


def read(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


def differs(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one != other).any())


@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0], np.round(255 * IMAGE).astype(np.uint8)])
def test_one_map(tmp_path: Path, image: np.ndarray) -> None:
    map_picture(tmp_path / "map.png", MAP, image, title="global", truth=TRUTH)
    pixels = read(tmp_path / "map.png")
    assert pixels.shape[1] == pytest.approx((2 * PANEL_INCHES + 0.75) * DPI, abs=1)
    assert (pixels[0, 0] == 255).all()
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > HEIGHT * WIDTH
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_truth_is_outlined_only_where_it_has_an_outline(tmp_path: Path) -> None:
    truths = {"some": TRUTH, "none": None, "empty": np.zeros_like(TRUTH), "all": np.ones_like(TRUTH)}
    pixels = {}
    for name, truth in truths.items():
        map_picture(tmp_path / f"{name}.png", MAP, IMAGE, title="map", truth=truth)
        pixels[name] = read(tmp_path / f"{name}.png")
    assert differs(pixels["some"], pixels["none"])
    assert not differs(pixels["empty"], pixels["none"])
    assert not differs(pixels["all"], pixels["none"])


def test_before_and_after(tmp_path: Path) -> None:
    before_after_picture(tmp_path / "a.png", FLAT, MAP, IMAGE, title="global", truth=TRUTH)
    before_after_picture(tmp_path / "b.png", MAP, FLAT, IMAGE, title="global", truth=TRUTH)
    one, other = read(tmp_path / "a.png"), read(tmp_path / "b.png")
    assert one.shape == other.shape
    assert differs(one, other)


def test_arms_are_wrapped_into_rows_and_captioned(tmp_path: Path) -> None:
    maps = {name: MAP**power for power, name in enumerate(("plain", "l1", "global", "free-mask", "coarse-mask"))}
    arms_picture(tmp_path / "all.png", maps, IMAGE, truth=TRUTH)
    arms_picture(tmp_path / "captions.png", maps, IMAGE, truth=TRUTH, captions={"global": "global  AUC 0.99"})
    arms_picture(tmp_path / "two.png", {"plain": FLAT, "global": MAP}, IMAGE)
    many, captioned, few = (read(tmp_path / f"{name}.png") for name in ("all", "captions", "two"))
    assert many.shape[0] == pytest.approx(2 * few.shape[0], abs=2)
    assert differs(many, captioned)
    assert few.shape[1] == pytest.approx((3 * PANEL_INCHES + 0.75) * DPI, abs=1)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -2.0])
def test_flat_maps_are_drawn_flat(tmp_path: Path, value: float) -> None:
    flat = np.full((HEIGHT, WIDTH), value)
    grey = np.full((HEIGHT, WIDTH), 0.4)
    map_picture(tmp_path / "flat.png", flat, grey, title="flat")
    pixels = read(tmp_path / "flat.png")
    middle = pixels[pixels.shape[0] // 2, 50 : int((PANEL_INCHES - 0.5) * DPI)]
    assert (middle == middle[0]).all()
    assert (middle[0] != 255).any()
    tinted = overlay(grey, flat)
    assert (tinted == tinted[0, 0]).all()


def test_scale_starts_at_zero_so_a_map_that_hardly_varies_looks_even(tmp_path: Path) -> None:
    nearly = 0.5 + 0.001 * MAP
    before_after_picture(tmp_path / "nearly.png", nearly, MAP, np.full((HEIGHT, WIDTH), 0.4), title="map")
    pixels = read(tmp_path / "nearly.png").astype(int)
    left = pixels[pixels.shape[0] // 2, 50 : int((PANEL_INCHES - 0.5) * DPI)]
    assert np.ptp(left, axis=0).max() <= 4


def test_overlay_is_the_formula() -> None:
    alpha, low, high = 0.7, MAP.min(), MAP.max()
    picture = overlay(IMAGE, MAP, alpha)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.dtype == np.uint8
    for row, column in ((0, 0), (3, 11), (9, 13)):
        scaled = (MAP[row, column] - low) / (high - low)
        share = alpha * alpha + (alpha - alpha * alpha) * scaled
        red, green, blue = IMAGE[row, column]
        grey = 0.299 * red + 0.587 * green + 0.114 * blue
        expected = [255 * (share * c + (1 - share) * grey) for c in matplotlib.colormaps["magma"](scaled)[:3]]
        np.testing.assert_allclose(picture[row, column], expected, atol=0.51)


def test_overlay_ends() -> None:
    grey = np.round(255 * IMAGE[..., 0]).astype(np.uint8)
    np.testing.assert_array_equal(overlay(grey, MAP, alpha=0.0), np.repeat(grey[..., None], 3, axis=2))
    np.testing.assert_array_equal(overlay(grey, MAP, alpha=1.0), overlay(255 - grey, MAP, alpha=1.0))
    np.testing.assert_array_equal(overlay(grey, 5 + 2 * MAP), overlay(grey, MAP))


def test_bad_input_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "map.png"
    path.write_bytes(b"before")
    broken = np.where(TRUTH, np.nan, MAP)
    with pytest.raises(FoveolaError, match="16 of 140 pixels"):
        map_picture(path, broken, IMAGE, title="map")
    with pytest.raises(FoveolaError, match="image under the map"):
        map_picture(path, MAP, np.where(TRUTH, np.nan, MAP), title="map")
    with pytest.raises(FoveolaError, match="finite map"):
        before_after_picture(path, MAP, broken, IMAGE, title="map")
    with pytest.raises(FoveolaError, match="at least one arm"):
        arms_picture(path, {}, IMAGE)
    with pytest.raises(ValueError, match="same height and width"):
        map_picture(path, MAP.T, IMAGE, title="map")
    with pytest.raises(ValueError, match="same shape"):
        map_picture(path, MAP, IMAGE, title="map", truth=TRUTH.T)
    with pytest.raises(ValueError, match="height x width x 3"):
        overlay(np.zeros((HEIGHT, WIDTH, 4)), MAP)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_relative_maps_are_not_cut_off_at_1(tmp_path: Path) -> None:
    """Of the same map, drawn as weights and as relative use, only the first loses what lies beyond 1."""
    double = np.where(TRUTH, 3.0, 1.5)
    for relative in (False, True):
        map_picture(tmp_path / f"one-{relative}.png", double, IMAGE, title="map", relative=relative)
        before_after_picture(tmp_path / f"two-{relative}.png", FLAT, double, IMAGE, title="map", relative=relative)
    assert differs(read(tmp_path / "two-False.png"), read(tmp_path / "two-True.png"))
    window = np.s_[150:350, 100:300]
    assert len(colours(tmp_path / "one-False.png", window)) == 1, "all at the upper end"
    assert len(colours(tmp_path / "one-True.png", window)) > 1


def colours(path: Path, window: tuple[slice, ...] = (slice(None),)) -> set[int]:
    """The colours of a picture, each as one number: 256² red + 256 green + blue."""
    return set(np.unique(read(path)[window].astype(int) @ [65536, 256, 1]).tolist())


def test_weights_keep_their_scale_beside_relative_maps(tmp_path: Path) -> None:
    maps, path = {"global": MAP, "ppcr": 3 * MAP}, tmp_path / "maps.png"
    panel = (slice(100, 300), slice(560, 840))  # within the second panel, with a colour bar or without
    arms_picture(path, {"global": MAP}, IMAGE)
    weights = colours(path, panel)
    arms_picture(path, {"ppcr": 3 * MAP}, IMAGE, relative=["ppcr"])
    relative = colours(path, panel)
    assert min(len(weights), len(relative)) > 30
    arms_picture(path, maps, IMAGE)
    assert weights <= colours(path)
    assert not relative <= colours(path), "what lies beyond 1 is cut off"
    arms_picture(path, maps, IMAGE, relative=["ppcr"])
    assert weights | relative <= colours(path)
    assert DARKEST in colours(path), "the weights have a colour bar"
    arms_picture(path, maps, IMAGE, relative=["global", "ppcr"])
    assert DARKEST not in colours(path), "maps of different scales share a colour bar"


def test_same_picture_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        map_picture(tmp_path / name, MAP, IMAGE, title="map", truth=TRUTH)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
