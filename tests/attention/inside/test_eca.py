"""Efficient channel attention against its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention.inside.eca import EfficientChannelAttention


def test_each_channel_is_weighed_by_its_neighbours() -> None:
    torch.manual_seed(0)
    layer = EfficientChannelAttention(24).double()
    features = torch.randn(3, 24, 12, 10, dtype=torch.float64)
    (kernel,) = (parameter.detach().numpy().ravel() for parameter in layer.parameters())
    output = layer(features).detach().numpy()
    for image, result in zip(features.numpy(), output, strict=True):
        means = [0.0, *image.mean((1, 2)), 0.0]
        for channel in range(24):
            score = sum(kernel[step] * means[channel + step] for step in range(3))
            np.testing.assert_allclose(result[channel], image[channel] / (1 + np.exp(-score)), atol=1e-12)


@pytest.mark.parametrize(("channels", "kernel"), [(16, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)])
def test_the_kernel_grows_with_the_logarithm_of_the_channels(channels: int, kernel: int) -> None:
    assert [tuple(p.shape) for p in EfficientChannelAttention(channels).parameters()] == [(1, 1, kernel)]
