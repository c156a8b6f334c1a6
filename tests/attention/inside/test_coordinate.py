"""Coordinate attention against its equations and against timm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from timm.layers.coord_attn import CoordAttn

from foveola.attention import recording
from foveola.attention.inside.coordinate import CoordinateAttention


def test_it_is_equations_4_to_9_of_the_paper() -> None:
    torch.manual_seed(0)
    layer = CoordinateAttention(16).double().eval()
    layer.layers.bn1.running_mean.fill_(0.1)
    features = torch.randn(2, 16, 12, 10, dtype=torch.float64)
    with recording() as emitted:
        output = layer(features).detach().numpy()
    squeeze, of_rows, of_columns = (
        layer.layers.get_submodule(name).weight.detach().numpy()[:, :, 0, 0] for name in ("conv1", "conv_h", "conv_w")
    )

    def hidden(strip: np.ndarray) -> Any:
        normalised = (squeeze @ strip - 0.1) / np.sqrt(1 + 1e-5)
        return normalised * np.clip(normalised + 3, 0, 6) / 6

    def gate(weight: np.ndarray, strip: np.ndarray) -> Any:
        return 1 / (1 + np.exp(-weight @ hidden(strip)))

    for image, result, shown in zip(features.numpy(), output, emitted[0][1].received().detach().numpy(), strict=True):
        rows = np.stack([gate(of_rows, image[:, row].mean(1)) for row in range(12)], axis=1)
        columns = np.stack([gate(of_columns, image[:, :, column].mean(1)) for column in range(10)], axis=1)
        weights = rows[:, :, None] * columns[:, None, :]
        np.testing.assert_allclose(result, image * weights, atol=1e-12)
        np.testing.assert_allclose(shown, weights.mean(0), atol=1e-12)


@pytest.mark.parametrize("training", [True, False])
def test_it_is_timms_module(training: bool) -> None:
    layer, theirs = CoordinateAttention(32).train(training), CoordAttn(32).train(training)
    theirs.load_state_dict(layer.layers.state_dict())
    features = torch.randn(3, 32, 12, 10)
    torch.testing.assert_close(layer(features), theirs(features))
