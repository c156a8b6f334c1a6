"""The source ``folder``: a folder with a folder per class."""

from __future__ import annotations

from pathlib import Path

from foveola.data.cohort import UNLABELLED, Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.sources.files import existing, find_images, is_image, natural_key, visible
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What a split may be called, and its name here."""


def load(request: Request) -> Cohort:
    """Reads the images below a folder; the folder that holds them gives the class.

    If the folders at the top are called train, val and test (or training, valid, validation, testing), they are the
    splits, and the folders inside them are the classes. A sample's id is its path relative to the folder. Without
    labels any folder of images will do, and so will a single image.

    Raises:
        FoveolaError: If there are no class folders, one of them is empty, or images lie outside them.
    """
    if not request.labelled:
        return _unlabelled(request.location)
    root = existing(request.location, "folder", "folder")
    paths: list[Path] = []
    labels: list[str] = []
    splits: list[str] = []
    for split, parent in _parents(root):
        for folder in _class_folders(parent):
            images = find_images(folder)
            if not images:
                raise FoveolaError("images in every class folder", "none", str(folder), "add images or remove it")
            paths += images
            labels += [folder.name] * len(images)
            splits += [split] * len(images)
    classes = tuple(sorted(set(labels), key=natural_key))
    table = sample_table(_samples(root, paths), [classes.index(label) for label in labels], splits=splits)
    return Cohort(root.resolve().name, classes, table, FileImages(tuple(paths)))


def _unlabelled(location: str) -> Cohort:
    path = Path(location).expanduser()
    if path.is_file() and is_image(path):
        root, paths = path.parent, [path]
    else:
        root = existing(location, "folder", "folder")
        paths = find_images(root)
    table = sample_table(_samples(root, paths), [UNLABELLED] * len(paths))
    return Cohort(root.resolve().name, (), table, FileImages(tuple(paths)))


def _samples(root: Path, paths: list[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def _parents(root: Path) -> list[tuple[str, Path]]:
    """Returns the folders that hold class folders, each with its split; one without a split if there are none."""
    folders = [path for path in visible(root) if path.is_dir()]
    words = [SPLIT_WORDS.get(folder.name.lower()) for folder in folders]
    if "train" not in words and (not words or None in words):
        return [("", root)]
    if stray := [folder.name for folder, word in zip(folders, words, strict=True) if word is None]:
        raise FoveolaError(
            "only the splits train, val and test beside one another",
            f"'{stray[0]}' too",
            str(root),
            "move it out of the folder, or rename the splits if they are classes",
        )
    _refuse_loose_images(root)
    return [(word, folder) for word, folder in zip(words, folders, strict=True) if word]


def _class_folders(parent: Path) -> list[Path]:
    folders = [path for path in visible(parent) if path.is_dir()]
    if not folders:
        got = "images without labels" if find_images(parent) else "no images"
        raise FoveolaError(
            "a folder with a folder per class",
            got,
            str(parent),
            "put the images of each class into a folder of its own, or name their labels in a CSV with file,label",
        )
    _refuse_loose_images(parent)
    return folders


def _refuse_loose_images(folder: Path) -> None:
    loose = [path for path in visible(folder) if path.is_file() and is_image(path)]
    if loose:
        raise FoveolaError(
            "every image in a class folder",
            f"{len(loose)} files without labels, the first '{loose[0].name}'",
            str(folder),
            "move them into the folders of their classes or out of the way",
        )


SOURCES.add(
    Source("folder", usage="DIR", summary="a folder with a folder per class, in train/val/test or not", load=load)
)
