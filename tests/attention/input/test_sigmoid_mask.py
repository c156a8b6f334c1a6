"""The sigmoid masks against a bilinear enlargement written slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveola.attention import ARMS, SigmoidMask


def position(pixel: int, pixels: int, cells: int) -> tuple[int, int, float]:
    """The two cells that a pixel's centre lies between, and how near it is to the second."""
    centre = max((pixel + 0.5) * cells / pixels - 0.5, 0.0)
    first = min(int(centre), cells - 1)
    return first, min(first + 1, cells - 1), centre - first


def slow_map(logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """The logits enlarged bilinearly, cell centres in the middle of their cells, under a sigmoid."""
    result = np.zeros((height, width))
    for y in range(height):
        top, bottom, down = position(y, height, logits.shape[0])
        for x in range(width):
            left, right, across = position(x, width, logits.shape[1])
            upper = (1 - across) * logits[top, left] + across * logits[top, right]
            lower = (1 - across) * logits[bottom, left] + across * logits[bottom, right]
            result[y, x] = 1 / (1 + math.exp(-((1 - down) * upper + down * lower)))
    return result


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.integers(1, 14), st.integers(1, 14), st.data())
def test_map_and_penalty_are_those_of_the_slow_ones(height: int, width: int, data: st.DataObject) -> None:
    rows, columns = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    logits = np.random.default_rng(rows).normal(scale=2, size=(rows, columns)).astype(np.float32)
    mask = SigmoidMask(height, width, grid=(rows, columns), penalty_weight=0.3)
    mask.load_state_dict({"logits": torch.from_numpy(logits)})
    expected = slow_map(logits, height, width)
    np.testing.assert_allclose(mask.map().numpy(), expected, atol=1e-5)
    assert mask.penalty(mask.weights()).item() == pytest.approx(0.3 * expected.mean(), rel=1e-4)


def test_without_a_grid_there_is_one_logit_a_pixel() -> None:
    mask = SigmoidMask(12, 10)
    assert mask.logits.shape == (12, 10)
    logits = torch.linspace(-4, 4, 120).reshape(12, 10)
    mask.load_state_dict({"logits": logits})
    np.testing.assert_allclose(mask.map().numpy(), 1 / (1 + np.exp(-logits.numpy())), rtol=1e-6)


@pytest.mark.parametrize(("arm", "shape"), [("free-mask", (12, 10)), ("coarse-mask", (4, 4))])
def test_arms_start_half_open_with_the_grid_they_were_told(arm: str, shape: tuple[int, int]) -> None:
    member = ARMS[arm]
    assert member.mask is not None
    values = {"grid": 4} if arm == "coarse-mask" else {}
    mask = member.mask(torch.rand(7, 3, 12, 10), member.configure({"penalty": 0.5, **values}))
    assert isinstance(mask, SigmoidMask)
    assert mask.logits.shape == shape
    assert torch.unique(mask.map()).tolist() == [0.5]
    assert mask.penalty(mask.weights()).item() == pytest.approx(0.25)
