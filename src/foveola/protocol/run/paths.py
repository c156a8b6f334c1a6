"""Where what belongs to a sample lies in a folder."""

from __future__ import annotations

from pathlib import Path


def path_of(sample: str) -> Path:
    """Returns a path for what belongs to a sample that stays inside a folder, wherever the image is.

    Example:
        >>> path_of("../scans/a.png").as_posix(), path_of("/data/b.png").as_posix()
        ('up/scans/a.png', 'data/b.png')
    """
    parts = ("up" if part == ".." else part.strip("/\\:") for part in Path(sample).parts)
    return Path(*filter(None, parts))
