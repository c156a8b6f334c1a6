from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from foveola.foundation.errors import FoveolaError
from foveola.pictures.curve import COLOURS, curve_picture

LABELS: dict[str, Any] = {"x_label": "training images", "y_label": "macro AUC", "title": "a title"}


def rows(x: list[Any], mean: list[float], half: list[float]) -> pd.DataFrame:
    low, high = np.subtract(mean, half), np.add(mean, half)
    return pd.DataFrame({"x": x, "mean": mean, "low": low, "high": high})


@pytest.fixture
def axes_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Draws curves, and returns the axes that were written."""
    seen: list[Any] = []
    save = matplotlib.figure.Figure.savefig

    def kept(figure: Any, *arguments: Any, **options: Any) -> None:
        seen.append(figure.axes[0])
        save(figure, *arguments, **options)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", kept)

    def draw(curves: dict[str, pd.DataFrame], **options: Any) -> Any:
        curve_picture(tmp_path / "curve.png", curves, **LABELS, **options)
        return seen[-1]

    return draw


def test_lines_go_through_the_points_in_ascending_order(axes_of: Any) -> None:
    axes = axes_of({"plain": rows([200, 50, 100], [0.9, 0.7, 0.8], [0.1, 0.2, 0.1])}, log_x=True)
    (line,) = axes.get_lines()
    assert line.get_xdata().tolist() == [50, 100, 200]
    assert line.get_ydata().tolist() == [0.7, 0.8, 0.9]
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["50", "100", "200"]
    assert axes.get_legend() is None


def test_the_band_spans_the_intervals(axes_of: Any) -> None:
    axes = axes_of({"plain": rows([1, 2], [0.5, 0.6], [0.1, 0.2])})
    band, bars = axes.collections
    assert band.get_paths()[0].get_extents().intervaly == pytest.approx([0.4, 0.8])
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [
        pytest.approx([0.4, 0.6]),
        pytest.approx([0.4, 0.8]),
    ]


def test_a_point_without_interval_stands_alone(axes_of: Any) -> None:
    axes = axes_of({"plain": rows([1, 2, 3], [0.5, 0.6, 0.7], [0.1, np.nan, 0.1])})
    assert len(axes.collections[1].get_segments()) == 2
    assert len(axes.get_lines()[0].get_xdata()) == 3


def test_text_stands_in_the_order_given(axes_of: Any) -> None:
    axes = axes_of({"plain": rows(["softmax", "none", "batch"], [0.3, 0.2, 0.1], [0.1] * 3)})
    assert axes.get_lines()[0].get_xdata().tolist() == [0, 1, 2]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["softmax", "none", "batch"]


def test_several_curves_have_colours_and_a_legend(axes_of: Any) -> None:
    names = [f"arm {number}" for number in range(len(COLOURS) + 1)]
    axes = axes_of({name: rows([1, 2], [0.5, 0.6], [0.1, 0.1]) for name in names})
    looks = {(line.get_color(), line.get_marker()) for line in axes.get_lines()}
    assert len(looks) == len(names)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == names


def test_the_same_curves_give_the_same_bytes(tmp_path: Path) -> None:
    curves = {"plain": rows([1, 2], [0.5, 0.6], [0.1, 0.2])}
    for name in ("a.png", "b.png"):
        curve_picture(tmp_path / name, curves, **LABELS)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size[0] > picture.size[1] > 400


def test_no_curve_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match="at least one curve"):
        curve_picture(tmp_path / "curve.png", {"plain": rows([], [], [])}, **LABELS)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("table", "log_x", "message"),
    [
        (rows([0, 1], [0.1, 0.2], [0.1, 0.1]), True, "positive on a log scale"),
        (rows(["a", "b"], [0.1, 0.2], [0.1, 0.1]), True, "not on a log scale"),
        (rows([1, "b"], [0.1, 0.2], [0.1, 0.1]), False, "all numbers, or all text"),
        (rows([1, 2], [0.1, 0.2], [0.1, 0.1]).drop(columns="low"), False, "no column low"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path: Path, table: pd.DataFrame, log_x: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        curve_picture(tmp_path / "curve.png", {"plain": table}, log_x=log_x, **LABELS)
