"""Spatial group-wise enhance against its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention import recording
from foveola.attention.inside.sge import SpatialGroupEnhance


def test_it_is_equations_1_to_5_of_the_paper() -> None:
    torch.manual_seed(0)
    layer = SpatialGroupEnhance(12, groups=4).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    features = torch.randn(2, 12, 8, 10, dtype=torch.float64)
    with recording() as emitted:
        output = layer(features).detach().numpy()
    weight, bias = (parameter.detach().numpy() for parameter in layer.parameters())
    for image, result, shown in zip(features.numpy(), output, emitted[0][1].received().detach().numpy(), strict=True):
        gates = []
        for group in range(4):
            members = image[3 * group : 3 * group + 3]
            mean = members.mean((1, 2))
            likeness = np.array([[mean @ members[:, row, column] for column in range(10)] for row in range(8)])
            standardised = (likeness - likeness.mean()) / (likeness.std(ddof=1) + 1e-5)
            gates.append(1 / (1 + np.exp(-(weight[group] * standardised + bias[group]))))
            np.testing.assert_allclose(result[3 * group : 3 * group + 3], members * gates[-1], atol=1e-12)
        np.testing.assert_allclose(shown, np.mean(gates, axis=0), atol=1e-12)


def test_all_weights_start_alike() -> None:
    features = torch.randn(2, 12, 8, 10)
    torch.testing.assert_close(SpatialGroupEnhance(12)(features), features * torch.sigmoid(torch.tensor(1.0)))


@pytest.mark.parametrize(("channels", "groups"), [(16, 16), (40, 40), (64, 64), (112, 56), (320, 64), (512, 64)])
def test_groups_divide_the_channels(channels: int, groups: int) -> None:
    assert SpatialGroupEnhance(channels).weight.shape == (groups,)


def test_a_single_position_is_not_standardised() -> None:
    layer = SpatialGroupEnhance(12)
    torch.nn.init.ones_(layer.weight)
    features = torch.randn(2, 12, 1, 1)
    torch.testing.assert_close(layer(features), features * torch.sigmoid(torch.tensor(1.0)))
