"""Style-based recalibration against its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention.inside.srm import StyleRecalibration
from foveola.foundation.errors import FoveolaError


def moved(channels: int) -> StyleRecalibration:
    torch.manual_seed(0)
    layer = StyleRecalibration(channels).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return layer


def test_each_channel_is_weighed_by_its_own_style() -> None:
    layer = moved(8)
    features = torch.randn(3, 8, 12, 10, dtype=torch.float64)
    output = layer(features).detach().numpy()
    weight, scale, shift = (parameter.detach().numpy() for parameter in layer.parameters())
    for channel in range(8):
        scores = []
        for image in features.numpy():
            values = image[channel].ravel()
            mean = sum(values) / 120
            deviation = np.sqrt(sum((value - mean) ** 2 for value in values) / 119 + 1e-5)
            scores.append(weight[channel, 0] * mean + weight[channel, 1] * deviation)
        normalised = (np.array(scores) - np.mean(scores)) / np.sqrt(np.var(scores) + 1e-5)
        gates = 1 / (1 + np.exp(-(scale[channel] * normalised + shift[channel])))
        expected = features.numpy()[:, channel] * gates[:, None, None]
        np.testing.assert_allclose(output[:, channel], expected, atol=1e-10)


def test_it_starts_at_one_half() -> None:
    features = torch.randn(3, 8, 12, 10)
    torch.testing.assert_close(StyleRecalibration(8).eval()(features), features / 2)


def test_a_single_position_is_a_style_too() -> None:
    output = moved(8).eval()(torch.randn(3, 8, 1, 1, dtype=torch.float64))
    assert output.isfinite().all()


def test_a_batch_of_one_cannot_be_trained_and_can_be_evaluated() -> None:
    layer, features = StyleRecalibration(8), torch.randn(1, 8, 12, 10)
    with pytest.raises(FoveolaError, match="at least 2 images a batch in training, got 1, in attention"):
        layer(features)
    assert layer.eval()(features).shape == features.shape
