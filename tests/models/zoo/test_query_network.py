"""Networks that end in FC-1 and a classifier."""

from __future__ import annotations

import torch
from torch import nn

from foveola.models.zoo.query_network import QueryNetwork


def build() -> QueryNetwork:
    torch.manual_seed(0)
    layers = {"first": nn.Conv2d(3, 4, 3), "pool": nn.AdaptiveAvgPool2d(1)}
    return QueryNetwork(layers, {"first": 4}, pooled=4, dim=6, classes=5).eval()


def test_ends_in_a_linear_layer_and_a_classifier_with_nothing_between() -> None:
    network, images = build(), torch.rand(2, 3, 12, 10)
    pooled = network.first(images).mean((2, 3))  # type: ignore[operator]
    (_, layer), classify = network.fc1.children(), network.classify
    assert isinstance(layer, nn.Linear)
    assert isinstance(classify, nn.Linear)
    g = pooled @ layer.weight.T + layer.bias
    torch.testing.assert_close(network(images), g @ classify.weight.T + classify.bias)
    network.reset_classifier(0)
    torch.testing.assert_close(network(images), g)
    network.reset_classifier(7)
    assert network(images).shape == (2, 7)


def test_tells_its_stages_as_timm_does() -> None:
    assert build().feature_info == [{"module": "first", "num_chs": 4}]
