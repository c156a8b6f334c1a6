"""Blocks that start at nothing are still there when training wants them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from foveola.attention import ARMS
from foveola.attention.blocks.residual import ResidualBlock


def after_a_while(arm: str, **settings: float) -> tuple[Tensor, Tensor]:
    """Returns W_v before and after 100 steps of Adam in which the loss does not ask for attention."""
    torch.manual_seed(0)
    configured, layer = ARMS[arm].configure(dict(settings)), ARMS[arm].layer
    assert layer is not None
    assert configured.weight_decay is not None
    block = layer(8, (6, 5), configured)
    assert isinstance(block, ResidualBlock)
    optimizer = torch.optim.Adam(block.parameters(), lr=0.003, weight_decay=configured.weight_decay)
    before = block.value.weight.detach().clone()
    for step in range(100):
        features = torch.randn(2, 8, 6, 5, generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        (0 * block(features)).sum().backward()
        optimizer.step()
    return before, block.value.weight.detach()


@pytest.mark.parametrize("arm", ["pointwise", "self", "joint"])
def test_they_do_not_die_before_they_are_asked_for(arm: str) -> None:
    before, after = after_a_while(arm)
    assert torch.equal(before, after)


def test_with_adam_s_l2_term_they_would() -> None:
    before, after = after_a_while("joint", weight_decay=1e-4)
    assert after.abs().max() < 0.5 * before.abs().max()
