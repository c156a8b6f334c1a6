"""The convolution whose input gradient is fast."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveola.models.building.strided import StridedConvolution, quicken

SHAPES = [
    (7, 3, 24, 20),
    (7, 3, 23, 21),
    (3, 1, 13, 10),
    (3, 0, 12, 11),
    (5, 2, 15, 18),
    (4, 1, 12, 14),
    (2, 0, 12, 10),
]


@pytest.mark.parametrize(("kernel", "padding", "height", "width"), SHAPES)
def test_gradients_are_those_of_conv2d(kernel: int, padding: int, height: int, width: int) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 5, kernel, stride=2, padding=padding).double()
    images = torch.randn(2, 3, height, width, dtype=torch.double, requires_grad=True)
    expected = layer(images)
    gradient = torch.randn_like(expected)
    got = StridedConvolution.like(layer)(images)
    inputs = [images, layer.weight, layer.bias]
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(
        torch.autograd.grad(got, inputs, gradient), torch.autograd.grad(expected, inputs, gradient)
    )


def test_numerical_gradient() -> None:
    torch.manual_seed(0)
    layer = StridedConvolution.like(nn.Conv2d(2, 3, (5, 3), stride=2, padding=(2, 1), bias=False).double())
    images = torch.randn(2, 2, 8, 7, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(layer, [images])


def test_shares_parameters_and_names() -> None:
    layer = nn.Conv2d(3, 5, 7, stride=2, padding=3)
    fast = StridedConvolution.like(layer)
    assert list(fast.state_dict()) == ["weight", "bias"]
    assert fast.weight is layer.weight


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3, stride=2, groups=2),
        nn.Conv2d(3, 4, 3, stride=1),
        nn.Conv2d(3, 4, 3, stride=2, dilation=2),
        nn.Conv2d(3, 4, 3, stride=2, padding=1, padding_mode="reflect"),
        nn.Linear(3, 4),
    ],
)
def test_other_layers_do_not_suit(layer: nn.Module) -> None:
    assert not StridedConvolution.suits(layer)


def test_takes_the_place_of_those_that_it_suits() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 4, 3))
    kept = network[0].weight
    quicken(network, ["0", "1", "2"])
    assert [type(layer) for layer in network] == [StridedConvolution, nn.ReLU, nn.Conv2d]
    assert network[0].weight is kept
