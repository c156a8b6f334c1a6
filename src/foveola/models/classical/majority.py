"""The arm ``majority``: the same answer for every image."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveola.attention import ARMS, Arm, SolvedSettings
from foveola.models.classical.softmax_regression import NEVER
from foveola.models.network_spec import BASELINE_NETWORKS, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.pixels.representation import Batches


class Constant(nn.Module):
    """Gives every image the same logits.

    Args:
        classes: Number of logits.

    Example:
        >>> Constant(3)(torch.rand(2, 1, 12, 10))
        tensor([[0., 0., 0.],
                [0., 0., 0.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(classes))

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """Returns the logits, once for each image."""
        return images.new_zeros(images.shape[0], 1) + self.logits


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    return NetworkSpec(nn.Sequential(OrderedDict(classify=Constant(shape.classes))), ("classify",), ())


def solve(
    network: nn.Module, images: Batches, labels: np.ndarray, groups: np.ndarray, settings: Any, seed: int
) -> nn.Module:
    """Gives every class the share of the training images that it has.

    The class that is predicted is the one of most training images, on ties the first in the order of the classes. A
    class without training images gets the probability 0.
    """
    constant = network.get_submodule("classify")
    assert isinstance(constant, Constant)
    counts = np.bincount(labels, minlength=len(constant.logits))
    logits = np.where(counts > 0, np.log(np.maximum(counts, 1) / len(labels)), NEVER)
    with torch.no_grad():
        constant.logits.copy_(torch.from_numpy(logits))
    return network


BASELINE_NETWORKS.add(OwnNetwork("constant", _build))
ARMS.add(
    Arm(
        "majority",
        "no image is looked at: the shares of the classes in the training images",
        SolvedSettings,
        "none",
        backbone="constant",
        solve=solve,
    )
)
