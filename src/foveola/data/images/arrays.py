"""Arrays in memory as the images of a cohort."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from foveola.data.images.decode import DIGEST_BYTES
from foveola.foundation.errors import FoveolaError


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images that lie in memory as one array.

    Attributes:
        array: ``images x height x width``, or ``images x height x width x channels`` with 1 (grey) or 3 (RGB) channels;
            ``uint8``, or floats in 0..1.
        name: What the array is called, such as ``train_images of scans.npz``.

    Raises:
        FoveolaError: If the array has another shape or type, or holds NaN, infinity or values out of range.

    Example:
        >>> ArrayImages(np.zeros((7, 12, 10)), "scans").header(0)
        (10, 12, 1)
    """

    array: np.ndarray
    name: str

    def __post_init__(self) -> None:
        shape, kind = self.array.shape, self.array.dtype
        if not (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))) or 0 in shape[1:]:
            raise FoveolaError(
                "images x height x width, or images x height x width x 1 or 3 channels",
                " x ".join(map(str, shape)),
                self.name,
                "change the order of the axes or the channels",
            )
        if kind != np.uint8 and kind.kind != "f":
            raise FoveolaError(
                "uint8, or floats in 0..1", str(kind), self.name, "scale the values to 0..1 and save them as float32"
            )
        if kind.kind == "f" and len(self.array):
            self._check_values()

    def _check_values(self) -> None:
        lowest, highest = (extreme(self.array.reshape(len(self.array), -1), axis=1) for extreme in (np.min, np.max))
        bad = np.flatnonzero(~((lowest >= 0) & (highest <= 1)))  # comparisons with NaN are false
        if len(bad):
            index = int(bad[0])
            finite = np.isfinite(self.array[index]).all()
            got = f"{lowest[index]:.6g} to {highest[index]:.6g}" if finite else "NaN or infinity"
            raise FoveolaError(
                "finite values in 0..1",
                f"{got} in image {index} (the first of {len(bad)})",
                self.name,
                "rescale the array or remove these images",
            )

    def __len__(self) -> int:
        return len(self.array)

    def read(self, index: int) -> np.ndarray:
        """Returns image ``index`` as ``height x width`` or ``height x width x 3``, ``uint8`` or ``float32`` in 0..1."""
        image: np.ndarray = self.array[index]
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[:, :, 0]
        return image if self.array.dtype == np.uint8 else image.astype(np.float32)

    def header(self, index: int) -> tuple[int, int, int]:
        """Returns width, height and channels (1 or 3) of image ``index``."""
        return self.array.shape[2], self.array.shape[1], self.array.shape[3] if self.array.ndim == 4 else 1

    def digest(self, index: int) -> str:
        """Returns the BLAKE2b digest of the values of image ``index``, their type and their shape."""
        image = self.read(index)
        state = hashlib.blake2b(f"{image.dtype.str} {image.shape}".encode(), digest_size=DIGEST_BYTES)
        state.update(np.ascontiguousarray(image).tobytes())
        return state.hexdigest()

    def where(self, index: int) -> str:
        """Returns the name of the array and the place in it."""
        return f"{self.name}[{index}]"


@dataclass(frozen=True, eq=False)
class JoinedImages:
    """Several arrays of images one after the other, none of them copied.

    Attributes:
        parts: The arrays in their order.
    """

    parts: tuple[ArrayImages, ...]

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def _find(self, index: int) -> tuple[ArrayImages, int]:
        starts = [0, *accumulate(len(part) for part in self.parts)]
        if not 0 <= index < starts[-1]:
            raise IndexError(index)
        place = bisect_right(starts, index) - 1
        return self.parts[place], index - starts[place]

    def read(self, index: int) -> np.ndarray:
        """Returns image ``index`` as ``ArrayImages.read`` does."""
        part, inside = self._find(index)
        return part.read(inside)

    def header(self, index: int) -> tuple[int, int, int]:
        """Returns width, height and channels (1 or 3) of image ``index``."""
        part, inside = self._find(index)
        return part.header(inside)

    def digest(self, index: int) -> str:
        """Returns the digest of image ``index`` as ``ArrayImages.digest`` does."""
        part, inside = self._find(index)
        return part.digest(inside)

    def where(self, index: int) -> str:
        """Returns the name of the array that holds image ``index`` and the place in it."""
        part, inside = self._find(index)
        return part.where(inside)
