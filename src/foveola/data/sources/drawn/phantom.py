"""The source ``phantom``: a drawn fundus cohort whose truth is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foveola.data.cohort import UNLABELLED, Cohort, sample_table
from foveola.data.sources.drawn.fundus import DRAWING_VERSION, lesion_mask, paint
from foveola.data.sources.drawn.fundus_scene import CLASSES, FOVEA, MACULA_RADIUS, draw_scene, eye_label
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError

FEWEST, MOST = 6, 999_999  # six images hold two of every class
SMALLEST, LARGEST = 16, 2048
LARGEST_SEED = 999_999
LARGEST_SHIFT = 0.2
MASK_CLASSES = ("background", "lesion")


@dataclass(frozen=True)
class PhantomImages:
    """The drawn images, painted when they are asked for; image ``i`` does not depend on ``count``.

    Attributes:
        count: How many images there are.
        size: Height and width in pixels.
        seed: Seed of the whole cohort.
        shift: Greatest shift of the anatomy along each axis, as a fraction of the width.

    Example:
        >>> PhantomImages(count=6, size=32, seed=0).read(5).shape
        (32, 32, 3)
    """

    count: int
    size: int
    seed: int
    shift: float = 0.0

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> np.ndarray:
        """Returns image ``index`` as ``size x size x 3`` RGB, ``uint8``."""
        camera = np.random.default_rng([self.seed, index]).spawn(1)[0]
        return paint(draw_scene(self.seed, index, self.shift), self.size, camera)

    def header(self, index: int) -> tuple[int, int, int]:
        """Returns width, height and channels of image ``index``."""
        return self.size, self.size, 3

    def digest(self, index: int) -> str:
        """Returns a digest of everything that decides the pixels of image ``index``."""
        return hashlib.sha256(f"{DRAWING_VERSION} {self.where(index)}".encode()).hexdigest()

    def where(self, index: int) -> str:
        """Returns how image ``index`` is drawn."""
        return f"phantom:size={self.size},seed={self.seed},shift={self.shift:g} image {index}"


@dataclass(frozen=True)
class PhantomMasks:
    """The lesions of the drawn images, from the geometry of the scene and not from the pixels.

    Attributes:
        images: What the masks belong to.

    Example:
        >>> PhantomMasks(PhantomImages(count=6, size=32, seed=0)).read(5).max()
        np.uint8(1)
    """

    images: PhantomImages
    observers: tuple[str, ...] = ("drawn",)

    def read(self, index: int, observer: int = 0) -> np.ndarray:
        """Returns ``size x size`` with 1 in lesions and 0 elsewhere, ``uint8``."""
        scene = draw_scene(self.images.seed, index, self.images.shift)
        return lesion_mask(scene, self.images.size).astype(np.uint8)

    def header(self, index: int, observer: int = 0) -> tuple[int, int]:
        """Returns width and height of a mask."""
        return self.images.size, self.images.size

    def digest(self, index: int) -> str:
        """Returns a digest of everything that decides the mask of image ``index``."""
        return hashlib.sha256(f"{DRAWING_VERSION} {self.where(index)}".encode()).hexdigest()

    def where(self, index: int, observer: int = 0) -> str:
        """Returns how the mask of image ``index`` is drawn."""
        return f"lesions of {self.images.where(index)}"


def phantom_truth(*, flip: bool) -> Callable[[int, int], np.ndarray]:
    """Returns the function that marks where the class is decided: one disc diameter around the fovea.

    It marks the canonical place, however far the anatomy of the single images is shifted. Without flipping, right eyes
    stay mirrored, and the region is the disc of the left eyes together with its mirror image.

    Example:
        >>> phantom_truth(flip=True)(10, 20).sum()
        np.int64(10)
    """

    def truth(height: int, width: int) -> np.ndarray:
        x = (np.arange(width) + 0.5) / width
        y = (np.arange(height)[:, None] + 0.5) / height
        region = np.hypot(x - FOVEA[0], y - FOVEA[1]) <= MACULA_RADIUS
        return np.asarray(region if flip else region | region[:, ::-1])

    return truth


def load_phantom(request: Request) -> Cohort:
    """Describes the drawn cohort; nothing is painted yet.

    Images ``2k`` and ``2k + 1`` are the left and the right eye of patient ``k`` and share a group. The classes are
    balanced, and those of the two eyes are independent. With ``masks=true`` the lesions are to be segmented, those near
    the fovea and the others alike, and the images have no classes.

    Raises:
        FoveolaError: If an option is out of range, or a path, label or bins are given.
    """
    for given, option in ((request.location, "--data phantom"), (request.label, "--label"), (request.bins, "--bins")):
        if given:
            raise FoveolaError("nothing", f"'{given}'", option, "remove it: the phantom is drawn with its own labels")
    count = request.number("n", 400, FEWEST, MOST)
    size = request.number("size", 64, SMALLEST, LARGEST)
    seed = request.number("seed", 0, 0, LARGEST_SEED)
    shift = request.number("shift", 0.0, 0.0, LARGEST_SHIFT)
    flip = request.truth("flip", True)
    patients = [f"p{index // 2:04d}" for index in range(count)]
    sides = ["LR"[index % 2] for index in range(count)]
    table = sample_table(
        [patient + side for patient, side in zip(patients, sides, strict=True)],
        [eye_label(seed, index) for index in range(count)],
        groups=patients,
        laterality=sides,
    )
    preprocessing = {"image_size": size, "flip": flip}
    images = PhantomImages(count, size, seed, shift)
    if request.truth("masks", False):
        table = table.assign(label=UNLABELLED)
        return Cohort("phantom", MASK_CLASSES, table, images, preprocessing, masks=PhantomMasks(images))
    return Cohort("phantom", CLASSES, table, images, preprocessing, phantom_truth(flip=flip))


SOURCES.add(
    Source(
        "phantom",
        usage="phantom[:n=400,size=64,seed=0,shift=0,flip=true,masks=false]",
        summary="a drawn fundus cohort; lesions near the fovea decide the class; with masks, all are to be segmented",
        options=("n", "size", "seed", "shift", "flip", "masks"),
        load=load_phantom,
    )
)
