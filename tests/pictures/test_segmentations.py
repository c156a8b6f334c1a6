"""Pictures of predicted masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from foveola.pictures.segmentations import FALSE, MISSED, OTHER, RIGHT, agreement, masks_picture


def test_every_pixel_has_the_colour_of_what_it_is() -> None:
    mask = np.uint8([[0, 1, 1, 0, 1, 2, 1]])
    reference = np.uint8([[0, 1, 0, 1, 2, 2, 255]])
    picture = agreement(mask, reference)
    expected = [(0, 0, 0), RIGHT, FALSE, MISSED, OTHER, RIGHT, (0.5, 0.5, 0.5)]
    np.testing.assert_allclose(picture[0], expected)


def test_the_colours_are_told_apart_in_grey_too() -> None:
    luminance = [float(np.dot(colour, (0.299, 0.587, 0.114))) for colour in (RIGHT, OTHER, MISSED, FALSE)]
    assert all(abs(a - b) > 0.05 for i, a in enumerate(luminance) for b in luminance[:i])


def test_a_picture_holds_the_image_every_observer_and_every_arm(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    reference = (rng.random((24, 20)) < 0.3).astype(np.uint8)
    masks = {name: (rng.random((24, 20)) < 0.3).astype(np.uint8) for name in ("second", "plain", "joint")}
    path = tmp_path / "pictures" / "eye.png"
    image = rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    masks_picture(path, image, reference, masks, reference_name="first", title="eye", notes={"plain": "Dice 0.5"})
    with Image.open(path) as written:
        shown = np.asarray(written.convert("RGB")).reshape(-1, 3)
    for colour in (RIGHT, FALSE, MISSED):
        distance = np.abs(shown - 255 * np.array(colour)).max(axis=1)
        assert (distance < 2).sum() > 100
    assert [path.name for path in path.parent.iterdir()] == ["eye.png"]
