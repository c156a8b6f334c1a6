"""Standardised features and their inner products, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from foveola.models.classical import standardise
from foveola.models.classical.standardise import Standardisation, Standardise


@pytest.fixture(params=[3, 1024])
def values(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Features of different sizes, one of them constant, in blocks of three or all at once."""
    monkeypatch.setattr(standardise, "COLUMNS_AT_ONCE", request.param)
    rng = np.random.default_rng(0)
    drawn = rng.normal(rng.uniform(-9, 9, 11), 10.0 ** rng.uniform(-3, 2, 11), (7, 11))
    drawn[:, 4] = 0.1
    return drawn.astype(np.float32)


def test_it_is_what_scikit_learn_does(values: np.ndarray) -> None:
    reference = StandardScaler().fit(values.astype(np.float64))
    found = Standardisation.of(values)
    assert found.scale[4] == 1
    assert np.allclose(found.mean, reference.mean_, rtol=1e-12)
    assert np.allclose(found.scale, reference.scale_, rtol=1e-12)
    expected = reference.transform(values.astype(np.float64))
    assert np.allclose(found.apply(values), expected, atol=1e-10)
    assert np.allclose(found.gram(values), expected @ expected.T, atol=1e-10)
    weights = np.random.default_rng(1).normal(size=(2, 7))
    assert np.allclose(found.combined(weights, values), weights @ expected, atol=1e-10)
    module = Standardise(11)
    found.fill(module)
    assert np.allclose(module(torch.from_numpy(values)), expected, atol=1e-3)


def test_as_made_it_changes_nothing() -> None:
    features = torch.rand(2, 5)
    assert torch.equal(Standardise(5)(features), features)
