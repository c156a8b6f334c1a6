"""Stochastic gates against their formula, and against those of captum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from captum.module import GaussianStochasticGates
from scipy.stats import ks_2samp

from foveola.attention import ARMS, StochasticGates

MU = torch.linspace(-1.3, 1.3, 120).reshape(12, 10)


def pair(sigma: float, penalty_weight: float = 0.2) -> tuple[StochasticGates, GaussianStochasticGates]:
    """Our gates and captum's, whose mu is our mu + 0.5."""
    ours = StochasticGates(12, 10, penalty_weight=penalty_weight, sigma=sigma)
    ours.load_state_dict({"mu": MU})
    theirs = GaussianStochasticGates(120, reg_weight=penalty_weight, std=sigma, reg_reduction="mean")
    theirs.load_state_dict({"mu": MU.flatten() + 0.5})
    return ours, theirs


def test_gates_and_penalty_are_those_of_the_formula() -> None:
    ours, _ = pair(sigma=0.4)
    total = 0.0
    for y, x in np.ndindex(12, 10):
        mu = float(MU[y, x])
        assert ours.map()[y, x].item() == pytest.approx(min(max(mu + 0.5, 0), 1), abs=1e-6)
        total += 0.5 * (1 + math.erf((mu + 0.5) / 0.4 / math.sqrt(2)))
    assert ours.penalty(ours.weights()).item() == pytest.approx(0.2 * total / 120, rel=1e-5)


def test_noise_while_training_is_gaussian_before_the_clamp() -> None:
    ours, _ = pair(sigma=0.4)
    torch.manual_seed(3)
    gates = ours.train().weights()
    torch.manual_seed(3)
    expected = (MU + 0.5 + 0.4 * torch.randn(12, 10)).numpy().clip(0, 1)
    np.testing.assert_allclose(gates.detach().numpy(), expected, atol=1e-6)
    assert not torch.equal(ours.weights(), gates), "every step draws anew"


@pytest.mark.parametrize("sigma", [0.3, 0.5, 1.1])
def test_without_noise_they_are_those_of_captum(sigma: float) -> None:
    ours, theirs = pair(sigma)
    images = torch.randn(1, 1, 12, 10)
    gated, penalty = theirs.eval()(images.reshape(1, 120))
    torch.testing.assert_close(ours.eval()(images).reshape(1, 120), gated)
    torch.testing.assert_close(ours.map().flatten(), theirs.get_gate_values())
    torch.testing.assert_close(ours.penalty(ours.weights()), penalty)
    torch.autograd.backward([ours.penalty(ours.weights()), penalty])
    torch.testing.assert_close(ours.mu.grad.flatten(), theirs.mu.grad)  # type: ignore[union-attr]


@pytest.mark.parametrize("sigma", [0.3, 1.1])
def test_with_noise_they_are_distributed_as_those_of_captum(sigma: float) -> None:
    """Closed, half open and open gates; a batch of captum's draws one gate an image, ours one a step."""
    ours, theirs = pair(sigma)
    torch.manual_seed(6)
    with torch.no_grad():
        drawn = torch.stack([ours.weights() for _ in range(2000)]).reshape(2000, 120)
        expected = theirs(torch.ones(2000, 120))[0]
    for gate in (5, 40, 60, 75, 115):
        assert ks_2samp(drawn[:, gate], expected[:, gate]).pvalue > 0.001
    assert ks_2samp(drawn[:, 60], expected[:, 75]).pvalue < 0.001
    np.testing.assert_allclose((drawn > 0).float().mean(0), theirs.get_gate_active_probs(), atol=0.06)


def test_one_draw_serves_all_images_of_a_step() -> None:
    gates = StochasticGates(12, 10).train()
    masked = gates(torch.ones(5, 3, 12, 10))
    assert masked.std() > 0.1
    assert torch.equal(masked, masked[:1, :1].expand(5, 3, 12, 10))


def test_the_arm_passes_its_settings_on() -> None:
    arm = ARMS["stochastic-gates"]
    assert arm.mask is not None
    gates = arm.mask(torch.rand(7, 3, 12, 10), arm.configure({"penalty": 0.3, "sigma": 0.8}))
    assert isinstance(gates, StochasticGates)
    assert gates.sigma == 0.8
    expected = 0.3 * 0.5 * (1 + math.erf(0.5 / 0.8 / math.sqrt(2)))
    assert gates.penalty(gates.weights()).item() == pytest.approx(expected, rel=1e-5)
