"""The non-local block against its equations and against timm."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from timm.layers.non_local_attn import NonLocalAttn
from torch import nn

from foveola.attention import ARMS, recording
from foveola.attention.inside.non_local import NonLocal


def moved(layer: NonLocal) -> NonLocal:
    for parameter in layer.output.parameters():
        nn.init.normal_(parameter)
    return layer


def test_every_position_gets_a_mean_of_all() -> None:
    torch.manual_seed(0)
    layer = moved(NonLocal(6)).double()
    features = torch.randn(2, 6, 5, 4, dtype=torch.float64)
    with recording() as emitted:
        output = layer(features).detach().numpy()
    state = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
    query, key, value, project = (state[f"{name}.weight"][:, :, 0, 0] for name in ("query", "key", "value", "output"))
    for image, result, shown in zip(features.numpy(), output, emitted[0][1].received().detach().numpy(), strict=True):
        positions = image.reshape(6, 20).T
        received = np.zeros(20)
        for i, here in enumerate(positions):
            asks = query @ here + state["query.bias"]
            scores = np.array([asks @ (key @ there) / np.sqrt(3) for there in positions])
            row = np.exp(scores) / np.exp(scores).sum()
            received += row
            context = sum(share * (value @ there) for share, there in zip(row, positions, strict=True))
            expected = here + project @ context + state["output.bias"]
            np.testing.assert_allclose(result.reshape(6, 20)[:, i], expected, atol=1e-10)
        np.testing.assert_allclose(shown.ravel(), received, atol=1e-10)


def test_it_is_timms_module_but_for_the_batch_norm() -> None:
    theirs: Any = NonLocalAttn(32, rd_channels=8)  # type: ignore[no-untyped-call]
    theirs.norm = nn.Identity()
    layer = moved(NonLocal(32, reduction=4, scale=32**-0.5))
    names = {"query": "t", "key": "p", "value": "g", "output": "z"}
    state = layer.state_dict()
    renamed = {re.sub(r"^\w+", lambda match: names[match[0]], name): value for name, value in state.items()}
    missing, unexpected = theirs.load_state_dict(renamed, strict=False)
    assert (sorted(missing), unexpected) == (["g.bias", "p.bias"], [])
    features = torch.randn(3, 32, 12, 10)
    torch.testing.assert_close(layer(features), theirs(features), atol=1e-4, rtol=1e-4)


def test_it_changes_nothing_at_the_start() -> None:
    features = torch.randn(2, 16, 12, 10)
    assert torch.equal(NonLocal(16)(features), features)


def test_the_arm_goes_behind_stages() -> None:
    assert ARMS["nonlocal"].configure({}).at == ARMS["gc"].configure({}).at == "stages"  # type: ignore[attr-defined]
