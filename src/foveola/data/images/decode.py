"""Decoding: image files as the images of a cohort."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

from foveola.foundation.errors import FoveolaError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "PPM", "WEBP")
DIGEST_BYTES = 16
KINDS = {
    "L": "8-bit grey",
    "RGB": "8-bit RGB",
    "1": "1-bit",
    "P": "palette",
    "PA": "palette with alpha",
    "LA": "grey with alpha",
    "RGBA": "RGB with alpha",
    "CMYK": "CMYK",
    "I": "32-bit grey",
    "F": "floating-point grey",
}
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises where a file is damaged."""


@dataclass(frozen=True)
class FileImages:
    """Image files, decoded one by one when they are asked for.

    A camera's orientation tag is obeyed. The preprocessing asks for conversion by
    ``dataclasses.replace(images, modes="convert")``.

    Attributes:
        paths: One file an image.
        modes: ``strict`` refuses what is neither 8-bit grey nor 8-bit RGB. ``convert`` takes it: 16-bit grey becomes
            ``float32`` (value / 65535), floating-point grey in 0..1 stays as it is, 16-bit RGB is reduced to eight
            bits, CMYK becomes RGB, a palette becomes RGB or, if all its colours are grey, grey, 1-bit becomes 0 and
            255, and what is transparent is laid over black.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "clear.png"
        >>> Image.new("LA", (10, 12), (200, 51)).save(path)
        >>> FileImages((path,), modes="convert").read(0)[0, 0]
        np.uint8(40)
    """

    paths: tuple[Path, ...]
    modes: Literal["strict", "convert"] = "strict"

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int) -> np.ndarray:
        """Returns image ``index`` as ``height x width`` or ``height x width x 3``, ``uint8`` or ``float32`` in 0..1.

        Raises:
            FoveolaError: If the file is missing, truncated, damaged, or of a mode that is refused.
        """
        with self._opened(index) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _to_array(image, self.where(index))

    def header(self, index: int) -> tuple[int, int, int]:
        """Returns width, height and channels (1 or 3) of what ``read`` will return; only a palette image is decoded.

        Raises:
            FoveolaError: If the file is missing, is no image, or is of a mode that is refused.
        """
        with self._opened(index) as image:
            return *upright_size(image), 1 if is_grey(image) else 3

    def digest(self, index: int) -> str:
        """Returns the BLAKE2b digest of the file's bytes.

        Raises:
            FoveolaError: If the file cannot be read.
        """
        return file_digest(self.paths[index])

    def where(self, index: int) -> str:
        """Returns the path of image ``index``."""
        return str(self.paths[index])

    @contextmanager
    def _opened(self, index: int) -> Iterator[ImageFile.ImageFile]:
        with opened(self.paths[index]) as image:
            mode = stored_mode(image)
            if self.modes == "strict" and mode not in ("L", "RGB"):
                raise FoveolaError(
                    "an 8-bit grey or RGB image",
                    f"mode {mode} ({kind_of(mode)})",
                    self.where(index),
                    "convert the file, or pass --set preprocessing.modes=convert",
                )
            yield image


@contextmanager
def opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Yields the one image in a file, not decoded yet; damage is one sentence, also where it shows inside the block.

    Raises:
        FoveolaError: If the file is missing, damaged, no image, or holds several.
    """
    with _named(str(path)), Image.open(path, formats=FORMATS) as image:
        frames = getattr(image, "n_frames", 1)
        if frames > 1 and image.format != "MPO":  # a camera's MPO: the photograph, then previews of it
            raise FoveolaError("one image in a file", f"{frames} of them", str(path), "save each as a file of its own")
        yield image


def file_digest(path: Path) -> str:
    """Returns the BLAKE2b digest of a file's bytes.

    Raises:
        FoveolaError: If the file cannot be read.
    """
    with _named(str(path)), path.open("rb") as handle:
        return hashlib.file_digest(handle, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Turns what a damaged or missing file raises into one sentence with its path."""
    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise FoveolaError(
            "truncated images to be refused",
            "PIL.ImageFile.LOAD_TRUNCATED_IMAGES = True",
            "this process",
            "set it to False: a truncated image would be filled up with grey",
        )
    try:
        yield
    except FileNotFoundError as error:
        raise FoveolaError("an image", "no such file", where, "put the file there or leave the image out") from error
    except DAMAGE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).rstrip(".")
        if isinstance(error, UnidentifiedImageError):
            reason = "no known image format" if Path(where).stat().st_size else "an empty file"
        raise FoveolaError(
            "a readable image",
            f"damaged or unreadable data ({reason or type(error).__name__})",
            where,
            "replace the file or leave the image out",
        ) from error


def stored_mode(image: ImageFile.ImageFile) -> str:
    """Returns Pillow's mode, made more exact where Pillow hides 16-bit colour or a transparent colour."""
    codec, arguments = (image.tile[0].codec_name, image.tile[0].args) if image.tile else ("", ())
    if image.mode == "RGB":
        if ";16" in str(arguments):
            return "RGB;16"
        if codec == "ppm" and isinstance(arguments, tuple) and isinstance(arguments[-1], int) and arguments[-1] > 255:
            return "RGB;16"
    if image.mode in ("L", "RGB") and image.has_transparency_data:
        return f"{image.mode}A"
    return image.mode


def kind_of(mode: str) -> str:
    """Returns a stored mode in words."""
    if ";16" in mode:
        return "16-bit " + ("RGB" if mode == "RGB;16" else "grey")
    return KINDS.get(mode, "no grey or RGB")


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Returns the width and the height of an image that has just been opened, as its orientation tag says."""
    width, height = image.size
    if image.format != "TIFF" and _orientation(image) >= 5:  # Pillow has turned a TIFF already
        return height, width
    return width, height


def is_grey(image: Image.Image) -> bool:
    """Says whether an image has no colour; one with a palette, whether its palette has none."""
    if image.mode in ("P", "PA"):
        colours = np.reshape(image.getpalette("RGB") or [0, 0, 0], (-1, 3))
        return bool((colours == colours[:, :1]).all())
    return image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;16")


def _orientation(image: Image.Image) -> int:
    """Returns the orientation tag (1..8); in a PNG only one that stands before the pixels, where it belongs."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if isinstance(value, int) else 1


def _to_array(image: Image.Image, where: str) -> np.ndarray:
    mode = image.mode
    if mode == "F" or mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float64) / (1 if mode == "F" else 65535)
        if not (values.min() >= 0 and values.max() <= 1):
            allowed = "0..1" if mode == "F" else "0..65535"
            raise FoveolaError(
                f"values in {allowed}", "values beyond it or NaN", where, "rescale it and save it as 8-bit"
            )
        return values.astype(np.float32)
    target = "L" if is_grey(image) else "RGB"
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image.convert(target))
