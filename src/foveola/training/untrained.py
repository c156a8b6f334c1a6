"""The model that a fit begins with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from foveola.attention import Arm, Attended
from foveola.data.stored.preprocessing import Scaling
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network
from foveola.training.batches import NormalisedBatches


def untrained(
    arm: Arm,
    settings: Any,
    backbone: BackboneSettings,
    shape: ImageShape,
    pixels: np.ndarray,
    training: np.ndarray,
    *,
    scaling: Scaling,
    seed: int,
) -> Attended:
    """Builds the network of an arm and the mask in front of it, in evaluation mode.

    What is drawn depends on the seed alone, so arms of one seed share the weights of the backbone. PyTorch's global
    generator is left as it was.

    Args:
        arm: The arm.
        settings: The arm's own.
        backbone: Which CNN, and where its weights come from.
        shape: What the network is to take and to tell apart.
        pixels: All stored images, ``N x C x H x W``.
        training: The rows that are trained on, which the mask may represent pixels by; no other row is read.
        scaling: From stored pixels to what the network sees.
        seed: Of the weights, and of everything random in the mask.

    Raises:
        FoveolaError: For what cannot be built for such images.

    Example:
        >>> from foveola.attention import ARMS
        >>> pixels = np.random.default_rng(0).random((7, 1, 12, 12), dtype=np.float32)
        >>> arm, shape = ARMS["l1"], ImageShape(channels=1, size=12, classes=2)
        >>> scaling, backbone = Scaling(mean=(0.5,), std=(0.3,)), BackboneSettings(name="small-cnn")
        >>> model = untrained(arm, arm.configure({}), backbone, shape, pixels, np.arange(5), scaling=scaling, seed=0)
        >>> model.attention.map().shape
        torch.Size([12, 12])
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = arm_network(arm, settings, backbone, shape)
        torch.manual_seed(seed)
        mask = arm.mask(NormalisedBatches(pixels, training, scaling), settings) if arm.mask else None
    return Attended(network, mask).eval()


def check_device(device: str) -> None:
    """Raises a ``FoveolaError`` if this machine lacks the device that is asked for."""
    lacks_cuda = device == "cuda" and not torch.cuda.is_available()
    if lacks_cuda or (device == "mps" and not torch.backends.mps.is_available()):
        raise FoveolaError("a device that this machine has", f"'{device}'", "--device", "give --device auto or cpu")
