"""What masks of arms promise beside the contract, and settings of theirs that it does not try by itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, Attended, GlobalAttention, InputMask, attach
from foveola.contract import MASK, contract

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "global, compressed": ("global", {"representation": "compressed", "dim": 5, "hidden": 6}),
    "global, deep": ("global", {"hidden": 6, "hidden_layers": 3, "dense": True, "kernel": 5, "last_kernel": 3}),
    "coarse-mask, one row": ("coarse-mask", {"grid": 1}),
}
CASES = {**{name: (name, {}) for name, arm in ARMS.items() if arm.mask is not None}, **SETTINGS}
every_mask = pytest.mark.parametrize("case", CASES)


def draw(count: int, channels: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(count, channels, 12, 10, generator=torch.Generator().manual_seed(seed))


def build(case: str, *, channels: int = 3) -> InputMask:
    name, values = CASES[case]
    arm = ARMS[name]
    assert arm.mask is not None
    torch.manual_seed(1)
    return arm.mask(draw(7, channels), arm.configure(values))


def test_other_settings_keep_the_contract_too() -> None:
    for name, settings in SETTINGS.values():
        tests = contract(name, settings=settings)
        assert len(tests) == len(MASK)
        for run in tests.values():
            run()


@every_mask
@pytest.mark.parametrize("channels", [1, 3])
def test_every_parameter_learns_from_the_loss_and_from_the_penalty(case: str, channels: int) -> None:
    mask = build(case, channels=channels)
    torch.manual_seed(9)
    classifier = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 10 * 8, 2))
    model = attach(classifier, mask)
    logits, maps = model(draw(5, channels, seed=3), return_maps=True)
    penalty = model.penalty(maps)
    assert penalty.item() > 0
    for loss in (nn.functional.cross_entropy(logits, torch.arange(5) % 2), penalty):
        model.zero_grad()
        torch.autograd.backward(loss, retain_graph=True)
        for name, parameter in mask.named_parameters():
            assert parameter.grad is not None, name
            learns = parameter.grad != 0
            assert learns.any() if isinstance(mask, GlobalAttention) else learns.float().mean() > 0.6, name


@every_mask
def test_the_penalty_pulls_the_map_down(case: str) -> None:
    mask = build(case)
    before = mask.map().abs().mean()
    optimizer = torch.optim.SGD(mask.parameters(), lr=0.1)
    torch.autograd.backward(mask.penalty(mask.weights()))
    optimizer.step()
    assert mask.map().abs().mean() < before


def test_without_attention_it_is_the_network_alone() -> None:
    plain = ARMS["plain"]
    assert (plain.mask, plain.layer, plain.network, plain.backbone) == (None, None, None, None)
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(360, 2)), draw(5)
    logits, maps = Attended(network, None)(images, return_maps=True)
    assert maps == {}
    assert torch.equal(logits, network(images))
