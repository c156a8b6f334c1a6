"""The scaling is that of the weights, or of the training images alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foveola.data.stored.preprocessing import IMAGENET, Preprocessing, training_scaling
from foveola.models import BackboneSettings, pretrained_statistics
from foveola.models.fitted.scaling import choose_scaling


@pytest.mark.parametrize(
    ("scaling", "backbone", "channels", "expected"),
    [
        ("imagenet", {"name": "small-cnn"}, 1, IMAGENET[1]),
        ("imagenet", {"name": "resnet18"}, 3, IMAGENET[3]),
        ("training", {"name": "resnet18"}, 3, None),
        ("auto", {"name": "small-cnn"}, 3, None),
        ("auto", {"name": "resnet18", "pretrained": False}, 1, None),
        ("auto", {"name": "resnet18"}, 3, pretrained_statistics("resnet18")),
        ("auto", {"name": "resnet18", "pretrained": False, "weights": "own.pth"}, 3, pretrained_statistics("resnet18")),
        ("auto", {"name": "inception_v3"}, 3, ((0.5,) * 3, (0.5,) * 3)),
        ("auto", {"name": "resnet18"}, 1, ((0.449,), (0.226,))),
    ],
)
def test_scaling_fits_the_weights(scaling: Any, backbone: dict[str, Any], channels: int, expected: Any) -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (7, channels, 12, 10), dtype=np.uint8)
    training = np.array([0, 2, 5])
    chosen = choose_scaling(Preprocessing(scaling=scaling), BackboneSettings(**backbone), pixels, training)
    if expected is None:
        assert chosen == training_scaling(pixels, training)
    elif isinstance(expected, tuple):
        assert chosen.mean == pytest.approx(expected[0])
        assert chosen.std == pytest.approx(expected[1])
    else:
        assert chosen == expected
