"""Which mask file belongs to which image file: by a folder for each observer and what follows the image's name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from foveola.data.sources.files import IMAGE_SUFFIXES, find_images
from foveola.foundation.errors import FoveolaError


@dataclass(frozen=True)
class Observer:
    """Where the masks of one observer lie.

    Attributes:
        name: Of the observer.
        folder: Where the masks are, in folders inside it as the images are in theirs.
        suffix: What follows the name of the image in that of its mask, such as ``_segmentation.png``; any kind of image
            file where it does not end in one.
    """

    name: str
    folder: Path
    suffix: str = ""

    def masked(self, path: Path) -> str | None:
        """Returns the name, without its ending, of the image that a file in the folder is the mask of, if it is one.

        Example:
            >>> Observer("2nd", Path("masks"), "_b.png").masked(Path("masks/left/01_b.png"))
            'left/01'
        """
        whole = path.relative_to(self.folder).as_posix()
        if Path(f"x{self.suffix}").suffix.lower() not in IMAGE_SUFFIXES:
            whole = whole[: -len(path.suffix)]
        return whole.removesuffix(self.suffix) if whole.endswith(self.suffix) else None


def images_beside(folder: Path, observers: Sequence[Observer]) -> list[Path]:
    """Returns the images in a folder that are no masks of the observers, whose folders may be the same."""
    return [
        path
        for path in find_images(folder)
        if not any(path.is_relative_to(seen.folder) and seen.masked(path) is not None for seen in observers)
    ]


def paired(images: Sequence[Path], folder: Path, observers: Sequence[Observer]) -> tuple[tuple[Path, ...], ...]:
    """Finds the masks of images.

    Args:
        images: The images.
        folder: The folder that they are in, at any depth.
        observers: Where each observer's masks are.

    Returns:
        One tuple an image, with one file an observer.

    Raises:
        FoveolaError: If an image has no mask of an observer, or two, or a mask has no image.
    """
    names = [path.relative_to(folder).as_posix()[: -len(path.suffix)] for path in images]
    columns: list[list[Path]] = []
    for observer in observers:
        masks: dict[str, Path] = {}
        for path in find_images(observer.folder):
            name = observer.masked(path)
            if name is None:
                continue
            if name in masks:
                raise FoveolaError(
                    f"one mask of '{name}'",
                    f"{masks[name].name} and {path.name}",
                    str(observer.folder),
                    "remove one of the two",
                )
            masks[name] = path
        _check(names, masks, observer)
        columns.append([masks[name] for name in names])
    return tuple(zip(*columns, strict=True))


def _check(names: list[str], masks: dict[str, Path], observer: Observer) -> None:
    if lacking := [name for name in names if name not in masks]:
        raise FoveolaError(
            f"a mask of every image by the observer '{observer.name}'",
            f"{len(lacking)} images without, the first '{lacking[0]}' (no '{lacking[0]}{observer.suffix}')",
            str(observer.folder),
            "add the mask or leave the image out",
        )
    if extra := sorted(set(masks) - set(names)):
        raise FoveolaError(
            "an image for every mask",
            f"{len(extra)} masks without, the first '{masks[extra[0]].name}'",
            str(observer.folder),
            "add the image or remove the mask",
        )
