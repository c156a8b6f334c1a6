"""What is set aside has its share of every class and whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from foveola.data.splits.validation_rows import group_names, set_aside
from foveola.foundation.errors import FoveolaError, InputError

LABELS = np.arange(30) % 3


def test_every_class_gives_its_share_and_every_image_is_somewhere() -> None:
    stay, aside = set_aside(LABELS, group_names(None, 30), 0.2, seed=1)
    assert sorted([*stay, *aside]) == list(range(30))
    assert np.bincount(LABELS[aside]).tolist() == [2, 2, 2]
    again = set_aside(LABELS, group_names(None, 30), 0.2, seed=1)
    assert (again[1] == aside).all()
    assert set_aside(LABELS, group_names(None, 30), 0.2, seed=2)[1].tolist() != aside.tolist()


def test_groups_are_not_divided() -> None:
    groups = group_names(np.arange(30) // 5, 30)
    stay, aside = set_aside(LABELS, groups, 0.3, seed=0)
    assert len(stay) > 0
    assert len(aside) > 0
    assert not set(groups[stay]) & set(groups[aside])


def test_nothing_is_set_aside_where_nothing_is_asked_for() -> None:
    stay, aside = set_aside(np.array([0, 1]), group_names(None, 2), 0, seed=0)
    assert (stay.tolist(), len(aside)) == ([0, 1], 0)


def test_a_class_of_one_image_cannot_be_divided() -> None:
    with pytest.raises(FoveolaError, match="at least two images of every class, got 1 of class '1'"):
        set_aside(np.array([0, 0, 1]), group_names(None, 3), 0.5, seed=0)


def test_groups_of_any_type_get_names() -> None:
    assert group_names(np.array([3, 3, 4]), 3).tolist() == ["3", "3", "4"]
    assert group_names(["a", None, float("nan")], 3).tolist() == ["a", "", ""]
    with pytest.raises(InputError, match="3 groups, one an image, got 2"):
        group_names([1, 2], 3)
