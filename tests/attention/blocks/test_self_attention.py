"""The self-attention block: what it is made of and how coarse its keys are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention import ARMS, SelfAttentionBlock, recording
from foveola.foundation.errors import FoveolaError

CHANNELS, HEIGHT, WIDTH = 16, 5, 4


def test_every_position_gets_a_mean_of_all_and_keeps_itself() -> None:
    torch.manual_seed(0)
    block = SelfAttentionBlock(CHANNELS, residual_start=0.7, dtype=torch.float64)
    features = torch.randn(2, CHANNELS, HEIGHT, WIDTH, dtype=torch.float64)
    with recording() as emitted:
        output = block(features).detach().numpy()
    state = {name: tensor.numpy() for name, tensor in block.state_dict().items()}
    query, key, value, project = (
        state[f"{name}.weight"][:, :, 0, 0] for name in ("pairs.query", "pairs.key", "value", "output")
    )
    maps = emitted[0][1].received().detach().numpy()
    for image, result, shown in zip(features.numpy(), output, maps, strict=True):
        positions, received = image.reshape(CHANNELS, -1).T, np.zeros(HEIGHT * WIDTH)
        for i, here in enumerate(positions):
            asks = query @ here + state["pairs.query.bias"]
            scores = np.array([asks @ (key @ there) / np.sqrt(2) for there in positions])
            row = np.exp(scores) / np.exp(scores).sum()
            received += row
            context = sum(share * (value @ there) for share, there in zip(row, positions, strict=True))
            expected = here + 0.7 * (project @ context + state["output.bias"])
            np.testing.assert_allclose(result.reshape(CHANNELS, -1)[:, i], expected, atol=1e-10)
        np.testing.assert_allclose(shown.ravel(), received, atol=1e-10)


@pytest.mark.parametrize(
    ("stride", "size", "expected"), [("auto", (64, 32), 1), ("auto", (64, 33), 2), (3, (8, 9), 3), (1, (128, 96), 1)]
)
def test_keys_are_coarse_where_there_are_many_positions(
    stride: int | str, size: tuple[int, int], expected: int
) -> None:
    arm = ARMS["self"]
    assert arm.layer is not None
    block = arm.layer(CHANNELS, size, arm.configure({"stride": stride}))
    assert isinstance(block, SelfAttentionBlock)
    assert block.pairs.stride == expected


@pytest.mark.parametrize("values", [{"stride": 0}, {"stride": "some"}, {"kind": "axial"}, {"passes": 0}])
def test_settings_that_cannot_be_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(FoveolaError, match=next(iter(values))):
        ARMS["self"].configure(values)


def test_coarse_keys_are_refused_where_only_the_own_row_and_column_are_looked_at() -> None:
    with pytest.raises(FoveolaError, match="a stride of 1"):
        ARMS["self"].configure({"kind": "crisscross", "stride": 2})
