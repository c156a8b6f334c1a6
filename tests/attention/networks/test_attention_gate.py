"""Attention gates against their equations, and pooling by them."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, attach, recording
from foveola.attention.networks.attention_gate import AttentionGate, AttentionGatePooling
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.small_cnn import small_cnn


def weights(layer: nn.Module) -> tuple[np.ndarray, ...]:
    return tuple(parameter.detach().numpy() for parameter in layer.parameters())


def resized(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear, with half pixels at the border."""
    result = np.zeros((len(values), height, width))
    for row in range(height):
        for column in range(width):
            y, x = (
                min(max((to + 0.5) * old / new - 0.5, 0), old - 1)
                for to, old, new in ((row, values.shape[1], height), (column, values.shape[2], width))
            )
            top, left = int(y), int(x)
            for i, share_y in ((top, 1 - y + top), (min(top + 1, values.shape[1] - 1), y - top)):
                for j, share_x in ((left, 1 - x + left), (min(left + 1, values.shape[2] - 1), x - left)):
                    result[:, row, column] += share_y * share_x * values[:, i, j]
    return result


def test_the_gate_is_equations_1_and_2_of_the_paper() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(4, gating=6).double().eval()
    features, gating = (torch.randn(2, *shape, dtype=torch.float64) for shape in ((4, 9, 8), (6, 3, 2)))
    with recording() as emitted:
        output = gate(features, gating).detach().numpy()
    (of_features,), (of_gating, bias), (psi, psi_bias), (project,), (scale, shift) = (
        weights(layer) for layer in (gate.of_features, gate.of_gating, gate.score, gate.output, gate.norm)
    )
    shown = emitted[0][1].received().detach().numpy()
    for index, image in enumerate(features.numpy()):
        compared = np.zeros((2, 4, 4))
        for row in range(4):
            for column in range(4):
                patch = image[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                compared[:, row, column] = (of_features * patch).sum((1, 2, 3))
        question = np.einsum("dk,kij->dij", of_gating[:, :, 0, 0], gating[index].numpy()) + bias[:, None, None]
        scores = np.einsum("d,dij->ij", psi[0, :, 0, 0], np.maximum(compared + resized(question, 4, 4), 0)) + psi_bias
        expected = resized(1 / (1 + np.exp(-scores))[None], 9, 8)[0]
        np.testing.assert_allclose(shown[index], expected, atol=1e-12)
        gated = np.einsum("ck,kij->cij", project[:, :, 0, 0], image * expected) / np.sqrt(1 + 1e-5)
        np.testing.assert_allclose(output[index], scale[:, None, None] * gated + shift[:, None, None], atol=1e-10)


def test_what_is_classified_are_the_means_of_gated_features_and_what_the_backbone_pools() -> None:
    torch.manual_seed(0)
    backbone = timm.create_model("resnet18", num_classes=5)
    network = AttentionGatePooling(backbone, torch.zeros(1, 3, 64, 96), "layer1,layer3,layer4").eval()
    images = torch.randn(2, 3, 64, 96)
    features: dict[str, Tensor] = {}
    handles = [
        network.backbone.get_submodule(name).register_forward_hook(lambda _, __, out, n=name: features.update({n: out}))
        for name in ("layer1", "layer3", "layer4")
    ]
    logits = network(images)
    for handle in handles:
        handle.remove()
    first, second = network.gates
    vectors = [features["layer4"].mean((2, 3))]
    vectors += [first(features["layer1"], features["layer4"]).mean((2, 3))]
    vectors += [second(features["layer3"], features["layer4"]).mean((2, 3))]
    torch.testing.assert_close(logits, network.classify(torch.cat(vectors, 1)))
    assert network.classify.in_features == 512 + 64 + 256


@pytest.mark.parametrize("levels", [3, "layer2, layer3, layer4"])
def test_maps_are_named_after_the_gated_stages(levels: int | str) -> None:
    arm = ARMS["attention-gate"]
    backbone = timm.create_model("resnet18", num_classes=5)
    network = arm.adapt(backbone, torch.zeros(1, 3, 64, 96), arm.configure({"levels": levels}))
    model = attach(network)
    logits, maps = model(torch.randn(2, 3, 64, 96), return_maps=True)
    assert {name: tuple(map.shape) for name, map in maps.items()} == {"layer2": (2, 8, 12), "layer3": (2, 4, 6)}
    assert len(model.attention_parameters()) == 2 * 8
    torch.autograd.backward(logits.square().sum())
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.attention_parameters())


def test_any_cnn_will_do() -> None:
    network = AttentionGatePooling(small_cnn(channels=1, classes=3), torch.zeros(1, 1, 20, 12), levels=2)
    assert network(torch.randn(2, 1, 20, 12)).shape == (2, 3)


def test_features_of_one_row_are_not_halved() -> None:
    network = AttentionGatePooling(timm.create_model("resnet18"), torch.zeros(1, 3, 32, 24), "layer4.0,layer4")
    assert network(torch.randn(2, 3, 32, 24)).shape == (2, 1000)


@pytest.mark.parametrize("levels", [0, 1, -2, "layer4"])
def test_one_level_is_not_enough(levels: int | str) -> None:
    with pytest.raises(FoveolaError, match="at least two levels"):
        ARMS["attention-gate"].configure({"levels": levels})


def test_a_level_that_is_not_there_is_named() -> None:
    with pytest.raises(FoveolaError, match="'layer7'"):
        AttentionGatePooling(timm.create_model("resnet18"), torch.zeros(1, 3, 32, 24), "layer7,layer4")
