"""Squeeze-and-excitation against its equations."""

from __future__ import annotations

import numpy as np
import torch

from foveola.attention.inside.squeeze_excite import SqueezeExcite


def test_it_is_equations_2_to_4_of_the_paper() -> None:
    torch.manual_seed(0)
    layer = SqueezeExcite(24, reduction=6).double()
    features = torch.randn(3, 24, 12, 10, dtype=torch.float64)
    down, down_bias, up, up_bias = (parameter.detach().numpy() for parameter in layer.parameters())
    assert down.shape[:2] == (4, 24)
    output = layer(features).detach().numpy()
    for image, result in zip(features.numpy(), output, strict=True):
        squeezed = np.array([channel.sum() / 120 for channel in image])
        hidden = np.maximum(down[:, :, 0, 0] @ squeezed + down_bias, 0)
        weights = 1 / (1 + np.exp(-(up[:, :, 0, 0] @ hidden + up_bias)))
        np.testing.assert_allclose(result, image * weights[:, None, None], atol=1e-12)


def test_fewer_channels_than_the_reduction_keep_one_hidden_channel() -> None:
    assert next(SqueezeExcite(8, reduction=16).parameters()).shape == (1, 8, 1, 1)
