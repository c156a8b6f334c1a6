"""Gather-excite against its definition and against timm."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.layers.gather_excite import GatherExcite as Theirs

from foveola.attention import ARMS, recording
from foveola.attention.inside.gather_excite import GatherExcite
from foveola.foundation.errors import FoveolaError


@pytest.mark.parametrize("extent", [2, 4])
def test_each_position_is_weighed_by_the_mean_around_the_nearest_centre(extent: int) -> None:
    features = torch.randn(2, 3, 13, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    output = GatherExcite(3, extent)(features).numpy()
    rows, columns = (-(-side // extent) for side in (13, 10))
    for image, result in zip(features.numpy(), output, strict=True):
        for row in range(13):
            for column in range(10):
                y, x = extent * (row * rows // 13), extent * (column * columns // 10)
                window = image[:, max(y - extent + 1, 0) : y + extent, max(x - extent + 1, 0) : x + extent]
                weights = 1 / (1 + np.exp(-window.mean((1, 2))))
                np.testing.assert_allclose(result[:, row, column], image[:, row, column] * weights, atol=1e-12)


@pytest.mark.parametrize("size", [(12, 10), (7, 5), (3, 2), (1, 1)])
def test_it_is_timms_module_without_its_mlp(size: tuple[int, int]) -> None:
    features = torch.randn(2, 8, *size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(GatherExcite(8, 4)(features), Theirs(8, extent=4, use_mlp=False)(features))


def test_one_window_over_everything_gives_a_flat_map() -> None:
    with recording() as emitted:
        GatherExcite(8, 8)(torch.randn(2, 8, 7, 5))
    received = emitted[0][1].received()
    assert received.shape == (2, 7, 5)
    torch.testing.assert_close(received, received[:, :1, :1].expand(2, 7, 5))


def test_an_odd_extent_is_refused() -> None:
    with pytest.raises(FoveolaError, match="extent"):
        ARMS["ge"].configure({"extent": 3})
