"""The global context block against its equations and against timm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from timm.layers.global_context import GlobalContext as Theirs
from torch import nn

from foveola.attention import recording
from foveola.attention.inside.global_context import GlobalContext


def moved(channels: int) -> GlobalContext:
    torch.manual_seed(0)
    layer = GlobalContext(channels)
    for parameter in layer.transform.parameters():
        nn.init.normal_(parameter)
    return layer


def test_a_pooled_vector_is_added_at_every_position() -> None:
    layer = moved(12).double()
    features = torch.randn(2, 12, 8, 10, dtype=torch.float64)
    with recording() as emitted:
        output = layer(features).detach().numpy()
    score = layer.score.weight.detach().numpy()[0, :, 0, 0]
    first, first_bias, scale, shift, second, second_bias = (p.detach().numpy() for p in layer.transform.parameters())
    for image, result, shown in zip(features.numpy(), output, emitted[0][1].received().detach().numpy(), strict=True):
        exponentials = np.array([[np.exp(score @ image[:, row, column]) for column in range(10)] for row in range(8)])
        weights = exponentials / exponentials.sum()
        context = np.array([(channel * weights).sum() for channel in image])
        hidden = first[:, :, 0, 0] @ context + first_bias
        hidden = scale * (hidden - hidden.mean()) / np.sqrt(hidden.var() + 1e-6) + shift
        added = second[:, :, 0, 0] @ np.maximum(hidden, 0) + second_bias
        np.testing.assert_allclose(shown, weights, atol=1e-12)
        np.testing.assert_allclose(result, image + added[:, None, None], atol=1e-10)


def test_it_is_timms_module_that_adds() -> None:
    layer = moved(128)
    theirs: Any = Theirs(128, fuse_add=True, fuse_scale=False, rd_ratio=1 / 16)
    theirs.mlp_add.load_state_dict(layer.transform.state_dict())
    nn.init.zeros_(theirs.conv_attn.bias)
    theirs.conv_attn.load_state_dict(layer.score.state_dict(), strict=False)
    features = torch.randn(3, 128, 12, 10)
    torch.testing.assert_close(layer(features), theirs(features), atol=1e-4, rtol=1e-5)


def test_it_changes_nothing_at_the_start() -> None:
    features = torch.randn(2, 16, 12, 10)
    assert torch.equal(GlobalContext(16)(features), features)


def test_few_channels_still_get_8_hidden_ones() -> None:
    assert next(GlobalContext(16).transform.parameters()).shape == (8, 16, 1, 1)
    assert next(GlobalContext(256).transform.parameters()).shape == (16, 256, 1, 1)
