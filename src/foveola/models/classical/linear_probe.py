"""The arm ``linear-probe``: softmax regression on the features of a pretrained backbone that does not learn."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from foveola.attention import ARMS, Arm
from foveola.attention.networks.query_trunk import give_up_classifier
from foveola.foundation.errors import FoveolaError
from foveola.models.classical import softmax_regression
from foveola.models.classical.frozen import FrozenFeatures, remembered_features
from foveola.models.classical.inner_search import SearchedSettings
from foveola.models.classical.standardise import Standardise
from foveola.pixels.representation import Batches


class LinearProbeSettings(SearchedSettings):
    """Settings of the arm ``linear-probe``.

    Attributes:
        backbone: Its own backbone, with pretrained weights; ``None`` for the comparison's.
        weights: A file of weights for it; ``None`` for the library's own, or for the comparison's where the backbone is
            the comparison's.
        size: Side in pixels to which smaller images are enlarged; ``None`` for as they are. Features of small images
            are poor where the backbone was trained on larger ones, most often of 224 px.
        untrained: Whether a backbone of random weights will do.
    """

    backbone: str | None = None
    weights: Path | None = None
    size: int | None = Field(None, ge=1)
    untrained: bool = False

    def backbone_size(self, size: int) -> int:
        """Returns the side of the images that the backbone gets."""
        return max(size, self.size or size)

    def chosen_backbone(self, backbone: Any) -> Any:
        """Returns the settings of its own backbone where it has one, and else the comparison's.

        Raises:
            FoveolaError: If it starts from random weights, and ``untrained`` is not set.
        """
        if self.backbone is not None:
            own = {"name": self.backbone, "weights": self.weights, "pretrained": True}
            backbone = backbone.model_copy(update=own)
        elif self.weights is not None:
            backbone = backbone.model_copy(update={"weights": self.weights})
        if not backbone.starts_trained and not self.untrained:
            raise FoveolaError(
                "a backbone with pretrained weights",
                f"'{backbone.name}' without",
                "the arm 'linear-probe'",
                "set linear-probe.backbone, linear-probe.weights=FILE, or linear-probe.untrained=true",
            )
        return backbone


def probe(backbone: nn.Module, image: Tensor, settings: LinearProbeSettings) -> nn.Module:
    """Returns a frozen backbone, its features standardised, and a linear layer in place of its classifier.

    Args:
        backbone: With its weights; changed in place.
        image: ``1 x C x H x W``, as it is stored.
        settings: Say how large the backbone sees it.

    Raises:
        FoveolaError: If the backbone has no features ``B x D`` before its classifier.
    """
    frozen = FrozenFeatures(backbone, settings.backbone_size(image.shape[-1]))
    with torch.no_grad():
        classes = frozen(image).shape[1]
        give_up_classifier(backbone)
        features = frozen(image)
    if features.ndim != 2:
        got = f"features of shape {tuple(features.shape)}"
        raise FoveolaError("a backbone that pools its features", got, "--backbone", "choose another one")
    width = features.shape[1]
    layers = OrderedDict(features=frozen, standardise=Standardise(width), classify=nn.Linear(width, classes))
    return nn.Sequential(layers)


def solve(
    network: nn.Module, images: Batches, labels: np.ndarray, groups: np.ndarray, settings: Any, seed: int
) -> nn.Module:
    """Finds the weights of the last layer by softmax regression; see `softmax_regression.solve`.

    Source: Alain and Bengio 2016, arXiv:1610.01644, section 3, at the last layer before the classifier. The
    standardisation of the features and the L2 penalty, searched inside, are ours.
    """
    frozen = network.get_submodule("features")
    assert isinstance(frozen, FrozenFeatures)
    values = remembered_features(frozen, images)
    return softmax_regression.solve(network, values, labels, groups, settings, seed)


ARMS.add(
    Arm(
        "linear-probe",
        "softmax regression on the features of a frozen pretrained backbone",
        LinearProbeSettings,
        "none",
        network=probe,
        solve=solve,
    )
)
