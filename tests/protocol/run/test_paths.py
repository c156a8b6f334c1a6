"""What belongs to a sample stays inside of the folder that it is written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveola.protocol.run.mask_predictions import mask_path
from foveola.protocol.run.paths import path_of


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        ("a.png", "a.png"),
        ("scans/a 1.png", "scans/a 1.png"),
        ("image-00003", "image-00003"),
        ("../a.png", "up/a.png"),
        ("../../scans/../a.png", "up/up/scans/up/a.png"),
        ("/data/b.png", "data/b.png"),
        ("./a.png", "a.png"),
        ("C:/b.png", "C/b.png"),
    ],
)
def test_a_sample_has_a_path_inside(sample: str, path: str) -> None:
    assert path_of(sample).as_posix() == path
    inside = Path("/run/masks")
    assert (inside / path_of(sample)).resolve().is_relative_to(inside)


def test_a_mask_is_named_after_its_whole_sample() -> None:
    """Images that differ in the suffix alone have masks that differ."""
    masks = Path("masks")
    assert mask_path(masks, "left/eye.jpg") == masks / "left" / "eye.jpg.png"
    assert mask_path(masks, "Image_01L") == masks / "Image_01L.png"
    assert mask_path(masks, "eye.jpg") != mask_path(masks, "eye.tif")
    assert mask_path(masks, "../eye.png") == masks / "up" / "eye.png.png"
