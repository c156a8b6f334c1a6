"""Image files on disk: which they are, and in which order."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from foveola.foundation.errors import FoveolaError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp")

log = logging.getLogger(__name__)


def natural_key(text: str) -> tuple[tuple[str | int, ...], str]:
    """Returns a key for ``sorted`` that puts numbers inside a text in the order of their value.

    Example:
        >>> sorted(["s10", "s2", "S1"], key=natural_key)
        ['S1', 's2', 's10']
    """
    parts = re.split(r"([0-9]+)", text.casefold())
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), text


def existing(location: str, kind: str, source: str) -> Path:
    """Returns ``location`` as a path.

    Args:
        location: What the user gave after the source's name.
        kind: What has to be there, ``"folder"``, ``"file"`` or ``"file or folder"``.
        source: The name of the source, for the message.

    Raises:
        FoveolaError: If there is no such folder or file.
    """
    if not location:
        raise FoveolaError(f"a {kind}", "none", f"--data {source}", f"write --data {source}:PATH")
    path = Path(location).expanduser()
    if not path.exists():
        raise FoveolaError(f"a {kind}", "nothing of that name", str(path), "check the path given to --data")
    if kind == "folder" and not path.is_dir():
        raise FoveolaError("a folder", "a file", str(path), "give the folder that holds it")
    if kind == "file" and path.is_dir():
        raise FoveolaError("a file", "a folder", str(path), "give a file inside it")
    return path


def visible(folder: Path) -> list[Path]:
    """Returns what lies in a folder, in natural order, without hidden files and what macOS adds to archives."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".") and path.name != "__MACOSX"]
    return sorted(inside, key=lambda path: natural_key(path.name))


def is_image(path: Path) -> bool:
    """Says whether the name of a file is that of an image."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def find_images(folder: Path) -> list[Path]:
    """Returns the images in a folder and the folders inside it, in natural order; other files are passed over."""
    images: list[Path] = []
    for path in visible(folder):
        if path.is_dir():
            if not (path.is_symlink() and folder.resolve().is_relative_to(path.resolve())):  # a link back up
                images += find_images(path)
        elif is_image(path):
            images.append(path)
        else:
            log.debug("%s is not an image and is ignored", path)
    return images
