from __future__ import annotations

import numpy as np
import pytest

from foveola.data import load_cohort
from foveola.foundation.errors import FoveolaError


def test_digits_are_whole() -> None:
    cohort = load_cohort("digits")
    assert len(cohort) == 1797
    assert cohort.classes == tuple("0123456789")
    assert np.bincount(cohort.table["label"]).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert set(cohort.table["split"]) == {""}
    first = cohort.images.read(0)
    assert first.dtype == np.float32
    assert first.shape == (8, 8)
    assert first[0].tolist() == [0, 0, 5 / 16, 13 / 16, 9 / 16, 1 / 16, 0, 0]


def test_digits_have_no_options_and_labels_of_their_own() -> None:
    with pytest.raises(FoveolaError, match="expected no options, got 'n'"):
        load_cohort("digits:n=5")
    with pytest.raises(FoveolaError, match="expected no --label, got one, in --data digits"):
        load_cohort("digits", label="writer")
    with pytest.raises(FoveolaError, match="expected no --bins"):
        load_cohort("digits", bins=(3.0,))


def test_digits_without_labels() -> None:
    cohort = load_cohort("digits", labelled=False)
    assert cohort.classes == ()
    assert set(cohort.table["label"]) == {-1}
