"""A few images of three classes, and the networks that the baselines make of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS
from foveola.models import BackboneSettings, ImageShape, arm_network

SHAPE = ImageShape(channels=3, size=10, classes=3)
TRAINING = 41


@dataclass(frozen=True)
class Case:
    """Images of noise in which the class makes some rows brighter.

    Attributes:
        images: ``N x 3 x 10 x 10``, as a network sees them.
        labels: Of the images.
        groups: Of the images; some have their own.
        unseen: Other images of the kind.
    """

    images: Tensor
    labels: np.ndarray
    groups: np.ndarray
    unseen: Tensor

    @property
    def batches(self) -> list[Tensor]:
        return list(self.images.split(16))

    @property
    def values(self) -> np.ndarray:
        return self.images.flatten(1).double().numpy()


def drawn(count: int, seed: int) -> tuple[Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (count,), generator=generator)
    images = torch.randn(count, 3, 10, 10, generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 3 * label : 3 * label + 3] += 0.4
    images[:, 1, 4, 7] = 0.25  # a pixel that is the same in all images
    return images, labels.numpy()


@pytest.fixture(scope="session")
def case() -> Case:
    images, labels = drawn(TRAINING, seed=0)
    groups = np.array([f"patient {index // 3}" if index < 24 else "" for index in range(TRAINING)])
    return Case(images, labels, groups, drawn(13, seed=1)[0])


Solve = Callable[..., nn.Module]


@pytest.fixture(scope="session")
def solve(case: Case) -> Solve:
    """Makes the network of an arm for the case, or for other labels and groups, and lets the arm solve it."""

    def solved(
        name: str, labels: np.ndarray | None = None, groups: np.ndarray | None = None, seed: int = 0, **values: Any
    ) -> nn.Module:
        arm = ARMS[name]
        quick = {"linear-probe": {"untrained": True}, "svm": {"gamma": [0.1, 1.0]}}
        values = {**quick.get(name, {}), **values}
        settings = arm.configure(values)
        torch.manual_seed(5)
        network = arm_network(arm, settings, BackboneSettings(name="small-cnn"), SHAPE).eval()
        assert arm.solve is not None
        labels = case.labels if labels is None else labels
        groups = case.groups if groups is None else groups
        return arm.solve(network, case.batches, labels, groups, settings, seed)

    return solved


@pytest.fixture(scope="session")
def probabilities(case: Case) -> Callable[[nn.Module], np.ndarray]:
    """Returns what a network says of the unseen images."""

    def predicted(network: nn.Module) -> np.ndarray:
        with torch.no_grad():
            return network.eval()(case.unseen.to(next(network.parameters()).dtype)).softmax(1).numpy()

    return predicted
