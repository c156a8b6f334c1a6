"""Paints a scene of ``fundus_scene`` as a colour photograph of any size."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from foveola.data.sources.drawn.fundus_scene import APERTURE_RADIUS, DISC, DISC_DIAMETER, FOVEA, Scene

DRAWING_VERSION = 1  # goes into the digest of every image; raise it when a pixel changes

_FINEST = 512  # edges are drawn up to four times finer, on at most so many pixels, and averaged down
_SUBPIXEL = 4  # bits behind the point in OpenCV's coordinates
_RETINA = np.array([0.74, 0.34, 0.14], np.float32)
_DISC_COLOUR = np.array([0.95, 0.70, 0.36], np.float32)
_CUP_COLOUR = np.array([1.00, 0.86, 0.56], np.float32)
_EXUDATE = np.array([1.00, 0.96, 0.62], np.float32)
_BLOOD = np.array([0.42, 0.68, 0.62], np.float32)  # share of the light that a vessel takes
_PIGMENT = np.array([0.28, 0.40, 0.40], np.float32)  # share of the light that the fovea's pigment takes


def paint(scene: Scene, size: int, rng: np.random.Generator) -> np.ndarray:
    """Paints a scene as ``size x size x 3`` RGB, ``uint8``.

    Args:
        scene: What to show.
        size: Height and width in pixels.
        rng: Where light, colour, the texture of the retina and the camera's noise come from.
    """
    x, y = _grid(size)
    x, y = x - np.float32(scene.offset[0]), y - np.float32(scene.offset[1])
    picture = _RETINA * (1 + 0.05 * _smooth_field(rng, 9, size))[..., None]
    pigment = 0.55 * _bump(x, y, FOVEA, 0.030) + 0.45 * _bump(x, y, FOVEA, 0.075)
    picture *= 1 - pigment[..., None] * _PIGMENT
    picture = _blend(picture, 0.25 * _bump(x, y, DISC, 0.08), _DISC_COLOUR)
    radius, pallor, cup = DISC_DIAMETER / 2, rng.uniform(0.5, 1.0), rng.uniform(0.4, 0.6)
    picture = _blend(picture, pallor * _soft_ellipse(x, y, DISC, (0.9 * radius, radius)), _DISC_COLOUR)
    picture = _blend(picture, pallor * _bump(x, y, DISC, cup * radius), _CUP_COLOUR)
    picture *= 1 - _vessel_cover(scene, size)[..., None] * _BLOOD
    picture = _blend(picture, 0.95 * _lesion_cover(scene, size), _EXUDATE)
    photograph = _photograph(picture, rng)
    return np.ascontiguousarray(photograph[:, ::-1]) if scene.laterality == "R" else photograph


def lesion_mask(scene: Scene, size: int) -> np.ndarray:
    """Returns which pixels of a painted scene are lesion, near the fovea or not: ``size x size``, ``bool``.

    A pixel is lesion if its centre lies in the ellipse of one, so the mask is exact where the picture is blurred.
    """
    x, y = (axis.astype(np.float64) for axis in _grid(size))
    mask = np.zeros((size, size), bool)
    for centre_x, centre_y, radius, ratio, degrees in np.vstack([scene.nuisance, scene.macular]).tolist():
        across, down = x - (centre_x + scene.offset[0]), y - (centre_y + scene.offset[1])
        turn = np.deg2rad(degrees)
        along, beside = across * np.cos(turn) + down * np.sin(turn), down * np.cos(turn) - across * np.sin(turn)
        mask |= np.hypot(along, beside / ratio) <= radius
    return np.ascontiguousarray(mask[:, ::-1]) if scene.laterality == "R" else mask


def _photograph(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds what the camera does: uneven light, tint, aperture, blur and noise."""
    size = len(picture)
    x, y = _grid(size)
    from_middle = np.hypot(x - 0.5, y - 0.5) / APERTURE_RADIUS
    light = (1.08 - 0.38 * from_middle**2.5) * np.exp(0.13 * _smooth_field(rng, 3, size))
    tint = np.exp(rng.normal(0, (0.05, 0.07, 0.10))).astype(np.float32)
    aperture = np.clip((1 - from_middle) * APERTURE_RADIUS * size + 0.5, 0, 1)
    picture = cv2.GaussianBlur(picture * (light * aperture)[..., None] * tint, (0, 0), 0.3 + size / 1024)
    noise = 0.03 * np.sqrt(np.maximum(picture, 0.002)) * rng.standard_normal(picture.shape, dtype=np.float32)
    return np.clip(np.round(255 * (picture + noise)), 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the x and the y of every pixel's centre, ``size x size`` each, read-only."""
    centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    x, y = np.meshgrid(centres, centres)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def _bump(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], width: float) -> np.ndarray:
    """Returns a Gaussian bump of height 1 and standard deviation ``width``."""
    squared = (x - np.float32(centre[0])) ** 2 + (y - np.float32(centre[1])) ** 2
    return np.asarray(np.exp(squared * np.float32(-0.5 / width**2)))


def _smooth_field(rng: np.random.Generator, cells: int, size: int) -> np.ndarray:
    """Returns smooth noise of about unit variance with ``cells`` bends along each side, ``size x size``."""
    return cv2.resize(
        rng.standard_normal((cells, cells), dtype=np.float32), (size, size), interpolation=cv2.INTER_CUBIC
    )


def _blend(picture: np.ndarray, cover: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Covers the picture with a colour where ``cover`` is 1, and partly where it is less."""
    return np.asarray(picture + cover[..., None] * (colour - picture))


def _soft_ellipse(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], axes: tuple[float, float]) -> np.ndarray:
    """Returns the cover of an upright ellipse with an edge that is about one pixel wide."""
    distance = np.hypot((x - np.float32(centre[0])) / axes[0], (y - np.float32(centre[1])) / axes[1])
    return np.asarray(np.clip((1 - distance) * min(axes) * len(x) + 0.5, 0, 1))


def _canvas(size: int) -> np.ndarray:
    """Returns an empty canvas, a whole multiple of ``size`` and, for small sizes, finer."""
    side = size * max(1, min(4, _FINEST // size))
    return np.zeros((side, side), np.uint8)


def _average_down(canvas: np.ndarray, size: int) -> np.ndarray:
    """Returns the canvas as the covered share of each of ``size x size`` pixels, 0..1."""
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)


def _fixed_point(points: np.ndarray, side: int) -> np.ndarray:
    """Returns positions as OpenCV's fixed-point coordinates, where whole numbers are the centres of pixels."""
    return np.asarray(np.round((points * side - 0.5) * 2**_SUBPIXEL), dtype=np.int32)


def _lesion_cover(scene: Scene, size: int) -> np.ndarray:
    """Returns how much of each pixel is covered by lesions, 0..1."""
    canvas = _canvas(size)
    for x, y, radius, ratio, angle in np.vstack([scene.nuisance, scene.macular]).tolist():
        centre = _fixed_point(np.array([x, y]) + scene.offset, len(canvas)).tolist()
        axes = [round(r * len(canvas) * 2**_SUBPIXEL) for r in (radius, ratio * radius)]
        cv2.ellipse(canvas, centre, axes, angle, 0, 360, 255, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL)
    return _average_down(canvas, size)


def _vessel_cover(scene: Scene, size: int) -> np.ndarray:
    """Returns how much of the light in each pixel has to pass a vessel, 0..1."""
    canvas = _canvas(size)
    for vessels in reversed(scene.vessels):  # twigs first, so that trunks lie on top
        points = _fixed_point(vessels.points + scene.offset, len(canvas))
        stretches = -(-(points.shape[1] - 1) // 4)  # a vessel gets thinner every four points
        along = (np.arange(stretches) + 0.5) / stretches
        widths = len(canvas) * (vessels.widths[:, :1] * (1 - along) + vessels.widths[:, 1:] * along)
        thickness = np.maximum(1, np.round(widths)).astype(int).tolist()
        darkness = np.round(255 * vessels.depths).tolist()
        for i, curve in enumerate(points):
            for j, thick in enumerate(thickness[i]):
                stretch = curve[4 * j : 4 * j + 5]
                cv2.polylines(canvas, [stretch], False, darkness[i], thick, cv2.LINE_AA, _SUBPIXEL)
    return _average_down(canvas, size)
