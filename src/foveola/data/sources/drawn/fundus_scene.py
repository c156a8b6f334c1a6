"""What a drawn fundus photograph shows, thrown with dice: vessels, lesions, class.

Positions and lengths are fractions of the image's width, x to the right and y downwards. Everything is laid out for a
left eye, the canonical orientation: the optic disc lies to the left, the fovea to the right of the middle. A right eye
is laid out the same way and mirrored when it is painted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CLASSES = ("risk 0", "risk 1", "risk 2")
MACULAR_COUNTS = ((0, 0), (1, 2), (4, 7))  # fewest and most macular lesions of each class
MOST_NUISANCE = 13
DISC_DIAMETER = 0.13
MACULA_RADIUS = DISC_DIAMETER
FOVEA = (0.64, 0.51)
DISC = (0.29, 0.49)
APERTURE_RADIUS = 0.49
LESION_RADIUS = (0.014, 0.018)


@dataclass(frozen=True, eq=False)
class Vessels:
    """One generation of blood vessels.

    Attributes:
        points: ``vessels x points x 2`` positions, from the roots to the tips.
        widths: ``vessels x 2``, the width at the root and at the tip.
        depths: How dark each is, 0..1; veins are darker than arteries.
    """

    points: np.ndarray
    widths: np.ndarray
    depths: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """What one image shows, in the canonical orientation and before the shift.

    Attributes:
        label: The class, 0..2, decided by the number of macular lesions alone.
        laterality: ``L`` or ``R``; a right eye is mirrored when it is painted.
        offset: How far the anatomy is shifted before mirroring, x and y. The camera's aperture stays.
        macular: Lesions that lie wholly within ``MACULA_RADIUS`` of the fovea: ``n x 5``, x, y, greatest radius,
            ratio of the axes, angle in degrees.
        nuisance: Lesions that lie wholly outside of it, in the same form; they tell nothing about the class.
        vessels: Trunks, branches and twigs.
    """

    label: int
    laterality: str
    offset: tuple[float, float]
    macular: np.ndarray
    nuisance: np.ndarray
    vessels: tuple[Vessels, Vessels, Vessels]


def eye_label(seed: int, index: int) -> int:
    """Returns the class of image ``index``, balanced within every three left and every three right eyes in a row.

    The two sides are dealt separately, so the eyes of one patient have independent classes.
    """
    patient, side = divmod(index, 2)
    block, place = divmod(patient, len(CLASSES))
    return int(np.random.default_rng([seed, block, 1 + side]).permutation(len(CLASSES))[place])


def draw_scene(seed: int, index: int, shift: float = 0.0) -> Scene:
    """Throws the dice for image ``index``; the scene does not depend on how many images there are.

    Images ``2k`` and ``2k + 1`` are the left and the right eye of patient ``k``.

    Args:
        seed: Seed of the whole cohort.
        index: Which image of it.
        shift: Greatest shift of the anatomy along each axis.

    Example:
        >>> scene = draw_scene(seed=0, index=3)
        >>> scene.laterality, scene.label, len(scene.macular)
        ('R', 1, 1)
    """
    rng = np.random.default_rng([seed, index])
    label = eye_label(seed, index)
    offset = shift * rng.uniform(-1, 1, 2)
    nuisance = _scatter_lesions(rng, int(rng.integers(MOST_NUISANCE + 1)), macular=False)
    fewest, most = MACULAR_COUNTS[label]
    macular = _scatter_lesions(rng, int(rng.integers(fewest, most + 1)), macular=True)
    return Scene(label, "LR"[index % 2], (float(offset[0]), float(offset[1])), macular, nuisance, _grow_vessels(rng))


def _scatter_lesions(rng: np.random.Generator, count: int, *, macular: bool) -> np.ndarray:
    """Returns ``count x 5`` lesions that do not touch each other, inside or outside the macula."""
    centre, reach = (FOVEA, MACULA_RADIUS) if macular else ((0.5, 0.5), APERTURE_RADIUS - 0.02)
    lowest = (centre[0] - reach, centre[1] - reach, LESION_RADIUS[0], 0.65, 0.0)
    highest = (centre[0] + reach, centre[1] + reach, LESION_RADIUS[1], 1.0, 180.0)
    lesions: list[list[float]] = []
    while len(lesions) < count:
        for lesion in rng.uniform(lowest, highest, (4 * count, 5)).tolist():
            at, radius = lesion[:2], lesion[2]
            fits = len(lesions) < count and math.dist(at, centre) + radius < reach
            fits &= macular or math.dist(at, FOVEA) - radius > MACULA_RADIUS
            if fits and all(math.dist(at, other[:2]) > 1.15 * (radius + other[2]) for other in lesions):
                lesions.append(lesion)
    return np.array(lesions).reshape(count, 5)


def _grow_vessels(rng: np.random.Generator) -> tuple[Vessels, Vessels, Vessels]:
    """Grows the arcades around the macula and the nasal trunks, then branches and twigs."""
    controls, widths, depths = [], [], []
    for up in (-1.0, 1.0):
        for depth, width, spread in ((1.0, 0.0125, 0.02), (0.7, 0.0095, -0.015)):  # a vein and its artery
            controls.append([(0, 0), (-0.02, up * (0.26 + spread)), (0.25, up * (0.40 + spread)), (0.58, up * 0.15)])
            controls.append([(0, 0), (-0.05, up * 0.10), (-0.13, up * (0.16 + spread)), (-0.2, up * (0.32 + spread))])
            widths += [(width, 0.3 * width), (0.65 * width, 0.25 * width)]
            depths += [depth, depth]
    jitter = rng.normal(0, 0.012, (len(controls), 4, 2)) * [[0.5], [1.0], [1.5], [2.0]]
    trunks = Vessels(_bezier(np.array(controls) + jitter + DISC, 17), np.array(widths), np.array(depths))
    branches = _branch(rng, trunks, each=3, count=9)
    return trunks, branches, _branch(rng, branches, each=1, count=5)


def _branch(rng: np.random.Generator, parents: Vessels, *, each: int, count: int) -> Vessels:
    """Lets thinner vessels leave their parents at a sharp angle and bend on; they end before they reach the fovea."""
    points, widths, depths = (np.repeat(a, each, axis=0) for a in (parents.points, parents.widths, parents.depths))
    total, length = len(points), points.shape[1]
    number, at = np.arange(total), rng.integers(length // 4, length - 2, total)
    heading = points[number, at + 1] - points[number, at]
    reach = np.linalg.norm(heading, axis=1) * length * rng.uniform(0.25, 0.5, total)
    turn = rng.choice([-1.0, 1.0], total) * rng.uniform(0.5, 0.9, total)
    bends = np.stack([0.6 * turn, turn, turn * rng.uniform(0.2, 1.6, total)], axis=1)
    angles = np.arctan2(heading[:, 1], heading[:, 0])[:, None] + bends
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=2) * reach[:, None, None] / 3
    roots = points[number, at][:, None]
    curves = _bezier(np.concatenate([roots, roots + np.cumsum(steps, axis=1)], axis=1), count)
    close = np.linalg.norm(curves - FOVEA, axis=2) < 0.35 * MACULA_RADIUS
    last = np.where(close.any(axis=1), close.argmax(axis=1) - 1, count - 1).clip(0)
    curves = curves[number[:, None], np.minimum(np.arange(count), last[:, None])]
    width = widths[:, 0] + (widths[:, 1] - widths[:, 0]) * at / length
    return Vessels(curves, width[:, None] * [0.65, 0.25], 0.85 * depths)


def _bezier(controls: np.ndarray, count: int) -> np.ndarray:
    """Returns ``curves x count x 2`` points on the cubic Bezier curves of ``curves x 4 x 2`` control points."""
    t = np.linspace(0, 1, count)
    weights = np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return np.asarray(weights @ controls)
