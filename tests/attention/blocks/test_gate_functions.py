"""GateName functions against their formulas."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.attention.blocks.gate_functions import GateFunction, GateName, gate_function
from foveola.foundation.errors import FoveolaError

CHANNELS, HEIGHT, WIDTH = 6, 5, 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moved(name: GateName, signal: int | None = None) -> GateFunction:
    """A point function away from its start, in evaluation mode."""
    torch.manual_seed(0)
    point = gate_function(name, CHANNELS)
    if signal is not None:
        point.take_signal(signal)
    for parameter in point.parameters():
        nn.init.normal_(parameter)
    for norm in point.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean)  # type: ignore[arg-type]
            nn.init.uniform_(norm.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return point.double().eval()


def sigmoid(values: Any) -> Any:
    return 1 / (1 + np.exp(-values))


def normed(values: Any, state: dict[str, np.ndarray], name: str) -> Any:
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return (values - mean) / np.sqrt(variance + 1e-5) * state[f"{name}.weight"] + state[f"{name}.bias"]


def slow(name: GateName, state: dict[str, np.ndarray], image: np.ndarray, row: int, column: int) -> float:
    """a at one position of one image."""
    here = image[:, row, column]
    if name == "conv":
        inner = np.maximum(normed(state["inner.weight"][:, :, 0, 0] @ here, state, "norm"), 0)
        return float(sigmoid(state["score.weight"][0, :, 0, 0] @ inner + state["score.bias"][0]))
    if name == "scse":
        return float(sigmoid(state["score.weight"][0, :, 0, 0] @ here + state["score.bias"][0]))
    if name == "gate":
        inner = state["of_features.weight"][:, :, 0, 0] @ here
        inner = inner + state["of_signal.weight"][:, :, 0, 0] @ here + state["of_signal.bias"]
        return float(sigmoid(state["score.weight"][0, :, 0, 0] @ np.maximum(inner, 0) + state["score.bias"][0]))
    if name == "cbam":
        described = np.pad(np.stack([image.mean(0), image.max(0)]), ((0, 0), (3, 3), (3, 3)))
        kernel = state["spatial.conv.conv.weight"][0]
        score = (kernel * described[:, row : row + 7, column : column + 7]).sum()
        return float(sigmoid(normed(score, state, "spatial.conv.bn")[0]))
    contexts = [here.mean(), here[:3].mean(), here[3:].mean()]
    contexts += [here[0:2].mean(), here[1:3].mean(), here[3:5].mean(), here[4:6].mean()]
    normalised = normed(np.array(contexts), state, "contexts.norm")
    return float(sigmoid(state["contexts.weight"][:, 0, 0] @ normalised))


@pytest.mark.parametrize("name", get_args(GateName))
def test_it_is_its_formula(name: GateName) -> None:
    point, features = moved(name), drawn(2, CHANNELS, HEIGHT, WIDTH)
    weights = point(features).detach().numpy()
    assert weights.shape == (2, 1, HEIGHT, WIDTH)
    state = {key: value.numpy() for key, value in point.state_dict().items()}
    for image, row, column in np.ndindex(2, HEIGHT, WIDTH):
        expected = slow(name, state, features[image].numpy(), row, column)
        assert weights[image, 0, row, column] == pytest.approx(
            expected, abs=1e-7
        )  # contexts are means in single precision


def test_a_signal_of_the_same_grid_gates_with_channels_of_its_own() -> None:
    point, features, signal = moved("gate", signal=9), drawn(2, CHANNELS, HEIGHT, WIDTH), drawn(2, 9, HEIGHT, WIDTH)
    weights = point(features, signal).detach().numpy()
    state = {key: value.numpy() for key, value in point.state_dict().items()}
    for image, row, column in np.ndindex(2, HEIGHT, WIDTH):
        here, there = features.numpy()[image, :, row, column], signal.numpy()[image, :, row, column]
        inner = state["of_features.weight"][:, :, 0, 0] @ here
        inner = np.maximum(inner + state["of_signal.weight"][:, :, 0, 0] @ there + state["of_signal.bias"], 0)
        expected = sigmoid(state["score.weight"][0, :, 0, 0] @ inner + state["score.bias"][0])
        assert weights[image, 0, row, column] == pytest.approx(expected, abs=1e-10)


def test_a_coarser_signal_is_resized_bilinearly() -> None:
    point, features = moved("gate", signal=9), drawn(2, CHANNELS, 4, 6)
    coarse = drawn(2, 9, 2, 3)
    fine = torch.zeros(2, 9, 4, 6, dtype=torch.float64)
    for row, column in np.ndindex(4, 6):  # centres of fine positions lie at (row - 0.5) / 2 of the coarse grid
        y, x = np.clip((row - 0.5) / 2, 0, 1), np.clip((column - 0.5) / 2, 0, 2)
        for v, u in np.ndindex(2, 3):
            share = max(0.0, 1 - abs(y - v)) * max(0.0, 1 - abs(x - u))
            fine[:, :, row, column] += share * coarse[:, :, v, u]
    torch.testing.assert_close(point(features, coarse), point(features, fine))


@pytest.mark.parametrize("name", [name for name in get_args(GateName) if name != "gate"])
def test_the_others_have_no_use_for_a_signal(name: GateName) -> None:
    point, features = moved(name, signal=9), drawn(2, CHANNELS, HEIGHT, WIDTH)
    assert torch.equal(point(features, drawn(2, 9, 3, 2)), point(features))


def test_contexts_need_as_many_channels_as_groups() -> None:
    with pytest.raises(FoveolaError, match="at least 4 channels"):
        gate_function("ppcr", 3)
