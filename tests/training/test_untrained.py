"""The model that a fit begins with depends on the seed and the training images, and on nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch

from foveola.attention import ARMS, Arm, ArmSettings, Attended, FixedMask
from foveola.data.stored.preprocessing import Scaling
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape
from foveola.training.untrained import check_device, untrained

PIXELS = np.random.default_rng(3).random((11, 1, 12, 12), dtype=np.float32)


def built(arm: Arm, seed: int = 3) -> Attended:
    return untrained(
        arm,
        arm.configure({}),
        BackboneSettings(name="small-cnn"),
        ImageShape(channels=1, size=12, classes=3),
        PIXELS,
        np.arange(7),
        scaling=Scaling(mean=(0.5,), std=(0.3,)),
        seed=seed,
    )


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def test_the_seed_alone_decides_and_the_callers_random_numbers_are_left() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    model = built(ARMS["global"])
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(2)
    assert same(built(ARMS["global"]), model)
    assert not same(built(ARMS["global"], seed=4), model)
    assert same(built(ARMS["plain"]).network, model.network), "arms must share the weights of the backbone"
    assert not any(module.training for module in model.modules())


def test_the_mask_is_made_of_the_training_images_as_the_network_sees_them() -> None:
    seen: list[torch.Tensor] = []

    def mask(batches: Iterable[torch.Tensor], settings: Any) -> FixedMask:
        seen.extend(batches)
        return FixedMask(torch.rand(12, 12))

    arm = Arm("spy", "looks at what it is given", ArmSettings, "shared", mask=mask)
    first, second = built(arm), built(arm)
    np.testing.assert_allclose(seen[0].numpy(), (PIXELS[:7] - 0.5) / 0.3, rtol=1e-6)
    assert len(seen) == 2
    assert same(first, second), "what is random in a mask depends on the seed alone"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    for name in ("cuda", "backends.mps"):
        monkeypatch.setattr(f"torch.{name}.is_available", lambda: False)
    with pytest.raises(FoveolaError, match=f"got '{device}', in --device; give --device auto or cpu"):
        check_device(device)
    for there in ("cpu", "auto"):
        check_device(there)
