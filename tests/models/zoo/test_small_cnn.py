"""The small CNN."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from foveola.models.zoo.small_cnn import small_cnn


@pytest.mark.parametrize(("channels", "classes", "width"), [(1, 3, 16), (3, 5, 4)])
def test_has_the_layers_that_it_says(channels: int, classes: int, width: int) -> None:
    network = small_cnn(channels, classes, width)
    kernels = 9 * (channels * width + width * 2 * width + 2 * width * 4 * width)
    norms = 2 * (width + 2 * width + 4 * width)
    head = classes * (4 * width + 1)
    assert sum(parameter.numel() for parameter in network.parameters()) == kernels + norms + head


def test_computes_three_blocks_an_average_and_a_linear_layer() -> None:
    torch.manual_seed(1)
    network = small_cnn(channels=3, classes=5, width=4).eval()
    images = torch.randn(7, 3, 12, 10)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    head = network[-1]
    assert isinstance(head, nn.Linear)
    for norm in norms:
        norm.running_mean = torch.randn(norm.num_features) / 4
        norm.running_var = 0.5 + torch.rand(norm.num_features)
    values = images
    for convolution, norm in zip(convolutions, norms, strict=True):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        values = functional.conv2d(values, convolution.weight, padding=1)
        centred = (values - norm.running_mean.view(-1, 1, 1)) / (norm.running_var + norm.eps).view(-1, 1, 1).sqrt()
        values = functional.max_pool2d((centred * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)).relu(), 2)
    expected = values.mean((2, 3)) @ head.weight.T + head.bias
    torch.testing.assert_close(network(images), expected)


def test_learns_where_a_dot_is() -> None:
    torch.manual_seed(0)
    images = torch.zeros(40, 1, 12, 10)
    labels = torch.arange(40) % 2
    for index, label in enumerate(labels.tolist()):
        images[index, 0, 3 + index % 5, 2 + 6 * label] = 1 + label  # left and weak, or right and strong
    network = small_cnn(channels=1, classes=2, width=4)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(12):
        optimizer.zero_grad()
        functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert (network(images).argmax(1) == labels).float().mean() > 0.95
