"""The arm ``logistic-regression``: one weight a pixel and class."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from torch import nn

from foveola.attention import ARMS, Arm
from foveola.models.classical import softmax_regression
from foveola.models.classical.inner_search import SearchedSettings
from foveola.models.classical.pixels import Pixels, PixelSettings, pixel_values
from foveola.models.classical.standardise import Standardise
from foveola.models.network_spec import BASELINE_NETWORKS, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.pixels.representation import Batches


class LogisticRegressionSettings(PixelSettings, SearchedSettings):
    """Settings of the arm ``logistic-regression``."""


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    features = shape.channels * shape.size**2
    classify = nn.Linear(features, shape.classes)
    layers = OrderedDict(pixels=Pixels(shape.size), standardise=Standardise(features), classify=classify)
    return NetworkSpec(nn.Sequential(layers), ("classify",), ())


def solve(
    network: nn.Module, images: Batches, labels: np.ndarray, groups: np.ndarray, settings: Any, seed: int
) -> nn.Module:
    """Finds the weights by softmax regression on standardised pixels; see `softmax_regression.solve`.

    Source: the baseline LR of Xu et al. 2020, arXiv:2007.15897, section 4.3: scikit-learn's logistic regression on
    pixels with a grid search, of which the paper says no more. The standardisation and the grid are ours.
    """
    values = pixel_values(network.get_submodule("pixels"), images)
    return softmax_regression.solve(network, values, labels, groups, settings, seed)


BASELINE_NETWORKS.add(OwnNetwork("linear", _build))
ARMS.add(
    Arm(
        "logistic-regression",
        "softmax regression on pixels, C searched inside",
        LogisticRegressionSettings,
        "none",
        backbone="linear",
        solve=solve,
    )
)
