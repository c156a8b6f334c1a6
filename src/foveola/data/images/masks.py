"""Masks: for every pixel of an image its class, as one or several observers drew it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image, ImageFile, ImageOps

from foveola.data.images.decode import DIGEST_BYTES, file_digest, is_grey, kind_of, opened, stored_mode, upright_size
from foveola.foundation.errors import FoveolaError

IGNORED = 255
"""What a stored mask holds where there is no image; no class has this number."""
SHOWN = 3
"""How many unknown values an error message names."""
LOSSY = {"JPEG": "JPEG", "MPO": "JPEG", "WEBP": "WebP"}
"""Formats whose values are, or may be, not those that were saved."""

Code = int | tuple[int, int, int]
"""What stands for a class in a file: a value 0..255, or red, green and blue."""


@runtime_checkable
class Masks(Protocol):
    """The masks of a cohort, in the order of its table; decoded when asked for, not before.

    Whoever knows the size of a mask without decoding it has a method ``header(index, observer)`` too, which returns
    width and height.
    """

    @property
    def observers(self) -> tuple[str, ...]:
        """The names of those who drew; the first is the reference."""

    def read(self, index: int, observer: int = 0) -> np.ndarray:
        """Returns a mask as ``height x width`` numbers of classes, ``uint8``, of the size of its image as taken.

        Raises:
            FoveolaError: If the mask cannot be read, or holds what stands for no class.
        """

    def digest(self, index: int) -> str:
        """Returns a hexadecimal digest of what all observers drew on image ``index``."""

    def where(self, index: int, observer: int = 0) -> str:
        """Returns the path or the name by which a person finds a mask."""


@dataclass(frozen=True, eq=False)
class FileMasks:
    """Mask files, decoded one by one when they are asked for, without any resampling or rounding.

    A value is what the file holds for a pixel: its grey, or 0 and 1 in a 1-bit file. A file with a palette holds the
    greys of a grey palette, and else the numbers of its colours, if colour number 0 is black. An orientation tag is
    obeyed, as it is for images.

    Attributes:
        paths: One tuple an image, with one file an observer.
        observers: The names of the observers.
        codes: The number of the class that each value or each colour stands for. Empty for two classes by value: 0 is
            the background, and the one other value of a file, 1 or 255, is the foreground.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vessels.png"
        >>> Image.fromarray(np.array([[0, 255, 255]], np.uint8)).save(path)
        >>> FileMasks(((path,),)).read(0)
        array([[0, 1, 1]], dtype=uint8)
    """

    paths: tuple[tuple[Path, ...], ...]
    observers: tuple[str, ...] = ("mask",)
    codes: Mapping[Code, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if any(len(files) != len(self.observers) for files in self.paths):
            raise ValueError("every image needs one mask an observer")

    def read(self, index: int, observer: int = 0) -> np.ndarray:
        """Returns a mask as ``height x width`` numbers of classes, ``uint8``; one without foreground is as good.

        Raises:
            FoveolaError: If the file is missing, damaged, lossy or of a mode that holds no values or no colours, or
                holds what stands for no class.
        """
        where = self.where(index, observer)
        by_colour = any(isinstance(code, tuple) for code in self.codes)
        with opened(self.paths[index][observer]) as image:
            _refuse_lossy(image, where)
            mode = stored_mode(image)
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            pixels = _colours(image, mode, where) if by_colour else _values(image, mode, where)
        if not self.codes:
            return _foreground(pixels, where)
        classes = np.full(pixels.shape, IGNORED, np.uint8)
        for code, number in self.codes.items():
            classes[pixels == (_packed(*code) if isinstance(code, tuple) else code)] = number
        if (classes == IGNORED).any():
            raise _unknown(pixels[classes == IGNORED], ", ".join(map(_written, self.codes)), where, by_colour=by_colour)
        return classes

    def header(self, index: int, observer: int = 0) -> tuple[int, int]:
        """Returns the width and the height of a mask; nothing is decoded.

        Raises:
            FoveolaError: If the file is missing or no image.
        """
        with opened(self.paths[index][observer]) as image:
            return upright_size(image)

    def digest(self, index: int) -> str:
        """Returns the BLAKE2b digest of the files of image ``index`` and of the classes that are read from them."""
        meanings = sorted(f"{_written(code)}:{number}" for code, number in self.codes.items())
        parts = [*meanings, *(file_digest(path) for path in self.paths[index])]
        return hashlib.blake2b("\n".join(parts).encode(), digest_size=DIGEST_BYTES).hexdigest()

    def where(self, index: int, observer: int = 0) -> str:
        """Returns the path of a mask."""
        return str(self.paths[index][observer])


def parse_classes(text: str, where: str) -> tuple[tuple[str, ...], dict[Code, int]]:
    """Reads the classes of masks: ``value:name+value:name`` or ``colour:name+colour:name``.

    A value is a whole number from 0 to 255, a colour ``#rrggbb`` or ``red-green-blue``. Classes are numbered in the
    order in which they are named, the background first; several values may have one name.

    Args:
        text: What the user wrote.
        where: The option, for the message.

    Returns:
        The names of the classes, and the number of the class that each code stands for.

    Raises:
        FoveolaError: If it is written in another way, a code is there twice, codes of both kinds are mixed, or there
            are fewer than two classes.

    Example:
        >>> parse_classes("0:background+1:cup+2:disc+3:disc", "--data")
        (('background', 'cup', 'disc'), {0: 0, 1: 1, 2: 2, 3: 2})
        >>> parse_classes("#000000:background+255-0-16:vessel", "--data")[1]
        {(0, 0, 0): 0, (255, 0, 16): 1}
    """
    names: list[str] = []
    codes: dict[Code, int] = {}
    for part in text.split("+"):
        written, _, name = (piece.strip() for piece in part.partition(":"))
        code = _code(written)
        if code is None or not name:
            raise FoveolaError(
                "classes such as 0:background+255:vessel or #000000:background+#ff0000:vessel",
                f"'{part}'",
                where,
                "write a value from 0 to 255 or a colour before each name",
            )
        if code in codes:
            raise FoveolaError("every value once", f"'{written}' twice", where, "leave out one of the two")
        if name not in names:
            names.append(name)
        codes[code] = names.index(name)
    if len({type(code) for code in codes}) > 1:
        raise FoveolaError("values or colours", "both", where, "write all of them as colours")
    if not 2 <= len(names) <= IGNORED:
        raise FoveolaError("2 to 255 classes", str(len(names)), where, "name the background and what is to be found")
    return tuple(names), codes


def _code(text: str) -> Code | None:
    if match := re.fullmatch(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})", text):
        red, green, blue = (int(part, 16) for part in match.groups())
        return red, green, blue
    numbers = [int(part) for part in text.split("-") if re.fullmatch(r"[0-9]{1,3}", part)]
    if len(numbers) != text.count("-") + 1 or max(numbers) > 255:
        return None
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else None


def _written(code: Code) -> str:
    return "#{:02x}{:02x}{:02x}".format(*code) if isinstance(code, tuple) else str(code)


def _packed(red: int, green: int, blue: int) -> int:
    return (red << 16) | (green << 8) | blue


def _refuse_lossy(image: ImageFile.ImageFile, where: str) -> None:
    inside = str(image.info.get("compression", ""))
    name = LOSSY.get(image.format or "") or ("JPEG in a TIFF" if inside in ("jpeg", "tiff_jpeg", "webp") else "")
    if name:
        raise FoveolaError(
            "a mask without loss (PNG, TIFF or BMP)",
            f"{name}, which changes values at edges",
            where,
            "save the mask anew from where it was drawn",
        )


def _values(image: Image.Image, mode: str, where: str) -> np.ndarray:
    """Returns the values of a mask, ``uint8``."""
    if mode in ("1", "L"):
        return np.asarray(image).astype(np.uint8)
    if mode == "P" and is_grey(image):
        return np.asarray(image.convert("L"))
    if mode == "P" and (image.getpalette("RGB") or [])[:3] == [0, 0, 0]:
        return np.asarray(image)
    remedy = "save one number a pixel as 8-bit grey"
    if mode in ("P", "RGB"):
        remedy = "name the classes by colour, such as classes=#000000:background+#ffffff:lesion, or " + remedy
    raise FoveolaError("a mask of 1-bit or 8-bit values", f"mode {mode} ({kind_of(mode)})", where, remedy)


def _colours(image: Image.Image, mode: str, where: str) -> np.ndarray:
    """Returns the colours of a mask, each packed into one number."""
    if mode not in ("1", "L", "P", "RGB"):
        raise FoveolaError(
            "a mask of 8-bit colours", f"mode {mode} ({kind_of(mode)})", where, "save it as 8-bit RGB without alpha"
        )
    red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.int32), 2, 0)
    return np.asarray((red << 16) | (green << 8) | blue)


def _foreground(values: np.ndarray, where: str) -> np.ndarray:
    others = np.flatnonzero(np.bincount(values.reshape(-1), minlength=256)[1:]) + 1
    if len(others) > 1 or not set(others.tolist()) <= {1, 255}:
        raise _unknown(values[values > 0], "0 and one of 1 and 255", where, by_colour=False)
    return (values > 0).astype(np.uint8)


def _unknown(found: np.ndarray, known: str, where: str, *, by_colour: bool) -> FoveolaError:
    values, counts = np.unique(found, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    names = [f"#{value:06x}" if by_colour else str(value) for value in values[order].tolist()]
    shown = [f"{name} in {count} pixels" for name, count in zip(names, counts[order].tolist(), strict=True)][:SHOWN]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return FoveolaError(
        f"the {'colours' if by_colour else 'values'} {known}",
        ", ".join(shown) + more,
        where,
        "correct the mask or name all its classes, such as classes=0:background+1:cup+2:disc",
    )
