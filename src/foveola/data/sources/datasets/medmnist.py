"""The source ``medmnist``: data sets of MedMNIST through its own package."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from foveola.data.cohort import Cohort
from foveola.data.sources.npz import read_npz
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError, unknown_name
from foveola.foundation.extras import needed

SIZES = (28, 64, 128, 224)
"""Sides of the images in pixels that MedMNIST is published in."""


def load(request: Request) -> Cohort:
    """Reads a data set of MedMNIST with its official split.

    Its ``.npz`` file is looked for in ``root`` (``~/.medmnist``, MedMNIST's own folder, if not given) and downloaded
    where it is missing.

    Raises:
        FoveolaError: If the package is missing, there is no such data set or size, the task has several labels an
            image, or the download fails.
    """
    package = needed("medmnist", "medmnist")
    known = {name: info for name, info in package.INFO.items() if not name.endswith("3d")}
    if request.location not in known:
        raise unknown_name("data set", request.location, known, "--data medmnist")
    name, info = request.location, known[request.location]
    if info["task"].startswith("multi-label"):
        raise FoveolaError("one label an image", f"a {info['task']} task", f"--data medmnist:{name}", "choose another")
    size = request.number("size", SIZES[0], SIZES[0], SIZES[-1])
    if size not in SIZES:
        raise FoveolaError("28, 64, 128 or 224", f"'{size}'", "--data medmnist, option size", "change it")
    root = Path(request.options.get("root") or "~/.medmnist").expanduser()
    path = root / f"{name}{'' if size == SIZES[0] else f'_{size}'}.npz"
    if not path.is_file():
        _download(getattr(package, info["python_class"]), path, size)
    return read_npz(path, labelled=request.labelled, names={int(key): text for key, text in info["label"].items()})


def _download(dataset: Any, path: Path, size: int) -> None:
    """Lets the package download one file, which appears at ``path`` only when it is whole."""
    remedy = f"put {path.name} there by hand, or pass --data npz:FILE with a copy from elsewhere"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
            dataset(split="test", download=True, root=folder, size=size)
            (Path(folder) / path.name).replace(path)
    except (OSError, RuntimeError) as error:
        raise FoveolaError(f"the file {path.name}", "a download that failed", str(path.parent), remedy) from error


SOURCES.add(
    Source(
        "medmnist",
        usage="NAME[,root=DIR][,size=28]",
        summary="a 2D data set of MedMNIST, downloaded once by the package medmnist",
        options=("root", "size"),
        load=load,
    )
)
