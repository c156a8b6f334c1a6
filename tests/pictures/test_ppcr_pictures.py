from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foveola.pictures.ppcr_pictures import DPI, QUANTILES, WIDTH_INCHES, gates_picture, levels_picture

PLACES = ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0"]


def levels(shares: list[float] | None = None) -> pd.DataFrame:
    rows = []
    for index, place in enumerate(PLACES):
        own = shares or [0.1 * (index + 1), 0.3 - 0.05 * index, 0.6 - 0.05 * index]
        total = sum(own) or 1
        rows += [(place, level, share / total, level / 7) for level, share in zip((1, 2, 4), own, strict=True)]
    return pd.DataFrame(rows, columns=["place", "level", "share", "even_share"])


def gates(spread: float = 0.02, names: tuple[str, ...] = ("healthy", "ill")) -> pd.DataFrame:
    rows = [
        (place, name, *(0.4 + 0.05 * index + 0.03 * number + spread * (q - 0.5) for q in QUANTILES.values()))
        for index, place in enumerate(PLACES)
        for number, name in enumerate(names)
    ]
    return pd.DataFrame(rows, columns=["place", "class", *QUANTILES])


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_levels_are_drawn_in_their_shares(tmp_path: Path) -> None:
    levels_picture(tmp_path / "levels.png", levels([0.5, 0.2, 0.3]), title="levels")
    pixels = read(tmp_path / "levels.png").astype(int)
    assert pixels.shape[1] == pytest.approx(WIDTH_INCHES * DPI, abs=1)
    values, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    coloured = np.ptp(values, axis=1) > 60
    largest = np.sort(counts[coloured])[::-1][:3]
    np.testing.assert_allclose(largest / largest.sum(), [0.5, 0.3, 0.2], atol=0.03)


def test_more_places_make_a_taller_picture(tmp_path: Path) -> None:
    few = levels().query("place != 'layer3.0'")
    levels_picture(tmp_path / "few.png", few, title="levels")
    levels_picture(tmp_path / "many.png", levels(), title="levels")
    assert read(tmp_path / "many.png").shape[0] - read(tmp_path / "few.png").shape[0] == pytest.approx(0.3 * DPI, abs=1)
    gates_picture(tmp_path / "two.png", gates(), title="gates")
    gates_picture(tmp_path / "three.png", gates(names=("a", "b", "c")), title="gates")
    assert read(tmp_path / "three.png").shape[0] > read(tmp_path / "two.png").shape[0]


def test_the_gates_are_drawn_where_they_are(tmp_path: Path) -> None:
    gates_picture(tmp_path / "one.png", gates(), title="gates")
    gates_picture(tmp_path / "other.png", gates().assign(q50=lambda table: table["q25"]), title="gates")
    one, other = read(tmp_path / "one.png"), read(tmp_path / "other.png")
    assert one.shape == other.shape
    assert (one != other).any()


def test_what_is_all_alike_is_drawn_too(tmp_path: Path) -> None:
    levels_picture(tmp_path / "levels.png", levels([0.0, 0.0, 0.0]), title="levels")
    flat = gates(spread=0).assign(**dict.fromkeys(QUANTILES, 0.5))
    gates_picture(tmp_path / "gates.png", flat, title="gates")
    assert read(tmp_path / "levels.png").std() > 0
    assert read(tmp_path / "gates.png").std() > 0


def test_the_same_tables_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        levels_picture(tmp_path / f"{name}-levels.png", levels(), title="levels")
        gates_picture(tmp_path / f"{name}-gates.png", gates(), title="gates")
    for kind in ("levels", "gates"):
        assert (tmp_path / f"one-{kind}.png").read_bytes() == (tmp_path / f"two-{kind}.png").read_bytes()
