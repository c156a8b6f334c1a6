"""The L1 mask against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention import ARMS, L1Mask


def test_weights_start_at_one_and_leave_the_images_alone() -> None:
    images = torch.randn(5, 3, 12, 10)
    assert torch.equal(L1Mask(12, 10)(images), images)


def test_weights_and_penalty_are_those_of_a_slow_sum() -> None:
    values = np.random.default_rng(0).normal(size=(12, 10)).astype(np.float32)
    mask = L1Mask(12, 10, penalty_weight=0.7)
    mask.load_state_dict({"values": torch.from_numpy(values)})
    total = 0.0
    for y in range(12):
        for x in range(10):
            total += abs(float(values[y, x]))
    assert mask.penalty(mask.weights()).item() == pytest.approx(0.7 * total / 120, rel=1e-5)
    np.testing.assert_array_equal(mask.map().numpy(), values)
    assert values.min() < 0 < 1 < values.max()


def test_the_arm_passes_its_penalty_on() -> None:
    arm = ARMS["l1"]
    assert arm.mask is not None
    mask = arm.mask(torch.rand(7, 3, 12, 10), arm.configure({"penalty": 100}))
    assert mask.penalty(mask.weights()).item() == pytest.approx(100)
