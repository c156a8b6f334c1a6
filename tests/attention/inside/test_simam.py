"""SimAM against its equations."""

from __future__ import annotations

import numpy as np
import torch

from foveola.attention import recording
from foveola.attention.inside.simam import SimAM


def test_each_position_is_weighed_by_how_far_it_is_from_its_channel() -> None:
    features = torch.randn(2, 3, 12, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with recording() as emitted:
        output = SimAM(3, floor=0.01)(features).numpy()
    for image, result, shown in zip(features.numpy(), output, emitted[0][1].received().numpy(), strict=True):
        weights = np.zeros_like(image)
        for channel, values in enumerate(image):
            mean = values.sum() / 120
            variance = sum((value - mean) ** 2 for value in values.ravel()) / 119
            energy = 4 * (variance + 0.01) / ((values - mean) ** 2 + 2 * variance + 2 * 0.01)
            weights[channel] = 1 / (1 + np.exp(-1 / energy))
        np.testing.assert_allclose(result, image * weights, atol=1e-12)
        np.testing.assert_allclose(shown, weights.mean(0), atol=1e-12)


def test_flat_features_and_a_single_position_get_the_lowest_weight() -> None:
    lowest = torch.sigmoid(torch.tensor(0.5))
    for features in (torch.full((2, 8, 12, 10), 3.0), torch.randn(2, 8, 1, 1)):
        torch.testing.assert_close(SimAM(8)(features), features * lowest)


def test_it_has_no_parameters() -> None:
    assert list(SimAM(8).parameters()) == []
