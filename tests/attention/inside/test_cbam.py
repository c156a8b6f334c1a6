"""CBAM against its equations and against timm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from timm.layers.cbam import CbamModule

from foveola.attention import ARMS, recording
from foveola.attention.inside.cbam import Cbam
from foveola.foundation.errors import FoveolaError


def moved(channels: int, reduction: int = 16) -> Cbam:
    torch.manual_seed(0)
    layer = Cbam(channels, reduction).double()
    layer.spatial.conv.bn.running_mean.fill_(0.3)
    layer.spatial.conv.bn.running_var.fill_(1.7)
    return layer


def sigmoid(values: np.ndarray) -> Any:
    return 1 / (1 + np.exp(-values))


def test_the_map_is_equation_3_with_the_batch_norm_of_the_authors_code() -> None:
    layer = moved(8, reduction=2).eval()
    features = torch.randn(2, 8, 12, 10, dtype=torch.float64)
    with recording() as emitted:
        output = layer(features).detach().numpy()
    maps = emitted[0][1].received().detach().numpy()
    kernel = layer.spatial.conv.conv.weight.detach().numpy()[0]
    down, up = (layer.state_dict()[f"channel.{name}.weight"].numpy()[:, :, 0, 0] for name in ("fc1", "fc2"))
    for image, result, shown in zip(features.numpy(), output, maps, strict=True):
        mean, largest = image.mean((1, 2)), image.max((1, 2))
        gates = sigmoid(up @ np.maximum(down @ mean, 0) + up @ np.maximum(down @ largest, 0))
        weighed = image * gates[:, None, None]
        described = np.pad(np.stack([weighed.mean(0), weighed.max(0)]), ((0, 0), (3, 3), (3, 3)))
        for row in range(12):
            for column in range(10):
                score = (kernel * described[:, row : row + 7, column : column + 7]).sum()
                weight = sigmoid((score - 0.3) / np.sqrt(1.7 + 1e-5))
                assert shown[row, column] == pytest.approx(weight, abs=1e-10)
                np.testing.assert_allclose(result[:, row, column], weighed[:, row, column] * weight, atol=1e-10)


@pytest.mark.parametrize("training", [True, False])
def test_it_is_timms_module_bit_by_bit(training: bool) -> None:
    layer, theirs = moved(32).train(training), CbamModule(32).double().train(training)
    theirs.load_state_dict(layer.state_dict())
    features = torch.randn(3, 32, 12, 10, dtype=torch.float64)
    assert torch.equal(layer(features), theirs(features))


def test_a_kernel_that_is_even_is_refused() -> None:
    with pytest.raises(FoveolaError, match="kernel"):
        ARMS["cbam"].configure({"kernel": 4})
