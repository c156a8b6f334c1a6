"""The painted images: what the scene says is found again in the pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foveola.data.sources.drawn.fundus import paint
from foveola.data.sources.drawn.fundus_scene import APERTURE_RADIUS, DISC, FOVEA, Scene, draw_scene


def camera() -> np.random.Generator:
    return np.random.default_rng(11)


def patch(picture: np.ndarray, x: float, y: float) -> float:
    """The mean intensity of 3 x 3 pixels around a position."""
    column, row = int(x * picture.shape[1]), int(y * picture.shape[0])
    return float(picture[row - 1 : row + 2, column - 1 : column + 2].mean())


@pytest.mark.parametrize("size", [48, 64, 160])
def test_picture_is_a_retina_on_black(size: int) -> None:
    picture = paint(draw_scene(0, 2), size, camera())
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8
    x, y = np.meshgrid((np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size)
    outside = np.hypot(x - 0.5, y - 0.5) > APERTURE_RADIUS + 2 / size
    assert picture[outside].max() <= 3
    red, green, blue = picture[~outside].mean(axis=0)
    assert red > green > blue


@pytest.mark.parametrize("laterality", ["L", "R"])
def test_disc_is_bright_on_the_nasal_side_and_fovea_dark_on_the_temporal(laterality: str) -> None:
    pictures = []
    for index in range(30):
        scene = replace(draw_scene(3, index), laterality=laterality)
        pictures.append(paint(scene, 64, np.random.default_rng(index)))
    mean = np.mean(pictures, axis=0)
    mean = mean if laterality == "L" else mean[:, ::-1]
    assert patch(mean, *DISC) > 1.2 * patch(mean, 1 - DISC[0], 0.4)
    assert patch(mean, *FOVEA) < 0.9 * patch(mean, FOVEA[0], FOVEA[1] - 0.2)


def test_a_right_eye_is_the_mirror_image() -> None:
    scene = draw_scene(0, 4)
    left, right = (paint(replace(scene, laterality=side), 64, camera()) for side in "LR")
    np.testing.assert_array_equal(left[:, ::-1], right)


@pytest.mark.parametrize("size", [64, 200])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_every_lesion_is_painted_where_the_scene_says(size: int, shift: float) -> None:
    for index in (1, 2, 5):
        scene = draw_scene(6, index, shift)
        bare = replace(scene, macular=np.empty((0, 5)), nuisance=np.empty((0, 5)))
        added = lesion_light(scene, size) - lesion_light(bare, size)
        lesions = np.vstack([scene.macular, scene.nuisance])
        x, y = np.meshgrid((np.arange(size) + 0.5) / size, (np.arange(size) + 0.5) / size)
        near = np.zeros((size, size), bool)
        for lesion in lesions:
            distance = np.hypot(x - lesion[0] - scene.offset[0], y - lesion[1] - scene.offset[1])
            seen = np.hypot(*(lesion[:2] + scene.offset - 0.5)) < APERTURE_RADIUS - lesion[2]
            assert not seen or added[distance < max(lesion[2], 1 / size)].max() > 20
            near |= distance < lesion[2] + 3 / size
        assert added[~near].max() < 2


def lesion_light(scene: Scene, size: int) -> np.ndarray:
    """The blue channel of a left eye, in which lesions stand out most; the camera's noise is the same in all."""
    return paint(replace(scene, laterality="L"), size, camera())[..., 2].astype(float)


def test_shift_moves_the_whole_anatomy_by_the_offset() -> None:
    scene, size = replace(draw_scene(2, 6), laterality="L"), 128
    moved = replace(scene, offset=(10 / size, -6 / size))
    before, after = (paint(s, size, camera())[..., 1].astype(float) for s in (scene, moved))
    inner = slice(40, 88)
    fits = {}
    for dx in range(6, 15):
        for dy in range(-10, -1):
            back = np.roll(after, (-dy, -dx), axis=(0, 1))[inner, inner]
            fits[dx, dy] = np.corrcoef(before[inner, inner].ravel(), back.ravel())[0, 1]
    assert max(fits, key=fits.__getitem__) == (10, -6)
