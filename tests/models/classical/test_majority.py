"""The shares of the classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn


@pytest.mark.parametrize(("counts", "most"), [((9, 20, 12), 1), ((14, 13, 14), 0), ((1, 20, 20), 1), ((0, 40, 1), 1)])
def test_every_image_gets_the_shares_of_the_training_images(
    counts: tuple[int, ...], most: int, solve: Callable[..., nn.Module]
) -> None:
    """On ties the first class is predicted."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), counts))
    network = solve("majority", labels=labels)
    for images in (torch.zeros(5, 3, 10, 10), torch.rand(1, 3, 10, 10)):
        with torch.no_grad():
            logits = network(images)
        assert logits.shape == (len(images), 3)
        assert logits.isfinite().all()
        assert np.allclose(logits.softmax(1), np.array(counts) / 41, atol=1e-6)
        assert (logits.argmax(1) == most).all()
