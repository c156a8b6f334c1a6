"""Learn to Pay Attention as an arm: built by name, saved, and loaded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from foveola.attention import ARMS, Attended
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, FittedModel, ImageShape, ModelDescription, arm_network


def fitted(arm: str, backbone: str, size: int, **values: Any) -> FittedModel:
    torch.manual_seed(0)
    settings, chosen = ARMS[arm].configure(values), BackboneSettings(name=backbone, pretrained=False)
    network = arm_network(ARMS[arm], settings, chosen, ImageShape(channels=1, size=size, classes=3))
    description = ModelDescription(
        arm=arm,
        fold=0,
        seed=0,
        epoch=1,
        classes=("a", "b", "c"),
        channels=1,
        backbone=chosen,
        preprocessing=Preprocessing(image_size=size),
        scaling=Scaling(mean=(0.5,), std=(0.2,)),
        arm_settings=settings.model_dump(mode="json"),
        attention={},
    )
    return FittedModel(Attended(network, None).eval(), description)


@pytest.mark.parametrize(
    ("arm", "backbone", "values", "sides"),
    [
        (
            "learn-to-pay",
            "small-cnn",
            {"preset": "paper", "score": "dp"},
            {"block1.2": 36, "block2.2": 18, "block3.2": 9},
        ),
        ("learn-to-pay", "resnet10t", {"levels": "layer2,layer4", "dim": 20}, {"layer2": 9, "layer4": 3}),
        ("learn-to-pay-control", "small-cnn", {"dropout": 0.3}, {}),
    ],
)
def test_a_fitted_model_comes_back_with_its_maps(
    tmp_path: Path, arm: str, backbone: str, values: dict[str, Any], sides: dict[str, int]
) -> None:
    model = fitted(arm, backbone, 36, **values)
    model.save(tmp_path)
    images = torch.rand(2, 1, 36, 36).contiguous(memory_format=torch.channels_last)
    logits, maps = model.network(images, return_maps=True)
    again, same = FittedModel.load(tmp_path).network(images, return_maps=True)
    torch.testing.assert_close(again, logits)
    assert {name: each.shape[1] for name, each in same.items()} == sides
    for name, each in maps.items():
        torch.testing.assert_close(same[name], each)


def test_the_backbone_of_attention_and_of_its_control_start_alike() -> None:
    states = [
        fitted(arm, "small-cnn", 36).network.network.trunk.state_dict()  # type: ignore[union-attr]
        for arm in ("learn-to-pay", "learn-to-pay-control")
    ]
    ours, theirs = ({name.replace("stage.", ""): value for name, value in state.items()} for state in states)
    assert list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_images_too_small_for_a_level_are_refused() -> None:
    arm, shape = ARMS["learn-to-pay"], ImageShape(channels=1, size=32, classes=3)
    backbone = BackboneSettings(name="resnet10t", pretrained=False, stem="standard")
    with pytest.raises(FoveolaError, match="got features of 1 x 1 at 'layer4', in --image-size; choose a larger size"):
        arm_network(arm, arm.configure({}), backbone, shape)
