"""What ``import foveola`` offers: few names, found by TAB, and not paid for before they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import foveola
from foveola import attention
from foveola.attention import algebra


def test_the_public_face_is_small_and_whole() -> None:
    assert len(foveola.__all__) <= 20
    assert foveola.__all__ == sorted(foveola.__all__)
    assert all(getattr(foveola, name) is not None for name in foveola.__all__)
    with pytest.raises(AttributeError, match="module 'foveola' has no attribute 'attahc'"):
        foveola.attahc  # noqa: B018


def test_tab_completes_names_that_are_not_imported_yet() -> None:
    fresh = subprocess.run(
        [sys.executable, "-c", "import sys, foveola; print(dir(foveola), 'torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert fresh == f"{sorted(foveola.__all__)} False"


def test_operators_are_offered_by_the_algebra_alone() -> None:
    assert {"Operator", "Pointwise", "SelfAttention", "Shared", "Sum"} <= set(algebra.__all__)
    assert set(algebra.__all__) & set(attention.__all__) == set()
