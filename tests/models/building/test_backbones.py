"""Backbones by name: their size, their channels, and what cannot be built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from foveola.foundation.errors import FoveolaError
from foveola.models import (
    BackboneSettings,
    ImageShape,
    backbone_design,
    backbone_names,
    build_backbone,
    pretrained_statistics,
)
from foveola.models.building.strided import StridedConvolution


def fresh(name: str, *, channels: int = 3, size: int = 70, classes: int = 5, **options: Any) -> nn.Module:
    settings = BackboneSettings(name=name, pretrained=False, **options)
    return build_backbone(settings, ImageShape(channels=channels, size=size, classes=classes))


def shape(channels: int, size: int) -> ImageShape:
    return ImageShape(channels=channels, size=size, classes=5)


@torch.no_grad()
def trained_a_little(network: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Returns a state as training leaves it: every bias and statistic of batch norm has moved."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            module.bias.normal_(std=0.1)
    network.train()(images)
    return network.state_dict()


def test_there_are_many_names_and_none_twice() -> None:
    names = backbone_names()
    assert len(names) > 1000
    assert len(set(names)) == len(names)
    assert {"small-cnn", "resnet18", "vgg16", "densenet161", "resnet152", "googlenet"} <= set(names)


@pytest.mark.parametrize("name", ["resnet18", "vgg16", "densenet161", "resnet152", "googlenet"])
def test_has_as_many_parameters_as_published(name: str) -> None:
    """The number stands beside torchvision's weights; without an auxiliary head, and with one of 1000 classes."""
    with torch.device("meta"):
        published, own = (fresh(name, size=224, classes=classes) for classes in (1000, 5))
    expected = torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"]
    assert sum(parameter.numel() for parameter in published.parameters()) == expected
    features = {"resnet18": 512, "vgg16": 4096, "densenet161": 2208, "resnet152": 2048, "googlenet": 1024}[name]
    assert expected - sum(parameter.numel() for parameter in own.parameters()) == 995 * (features + 1)
    with torch.device("meta"):
        assert own(torch.zeros(2, 3, 224, 224)).shape == (2, 5)


def test_googlenet_has_no_auxiliary_heads() -> None:
    with torch.device("meta"):
        network = fresh("googlenet")
    assert not [name for name, _ in network.named_modules() if name.startswith("aux") and "." in name]
    assert isinstance(network.train()(torch.rand(2, 3, 70, 70, device="meta")), torch.Tensor)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("small-cnn", 33),
        ("resnet18", 24),
        ("test_resnet", 70),
        ("googlenet", 24),
        ("repvgg_a0", 24),
        ("mnasnet0_5", 40),
    ],
)
def test_a_grey_image_is_seen_as_its_three_copies_are(name: str, size: int, tmp_path: Path) -> None:
    """The same trained weights, for colour and folded for grey."""
    torch.manual_seed(2)
    file = tmp_path / "weights.pth"
    settings = BackboneSettings(name=name, weights=file)
    colour = backbone_design(settings, shape(3, size))
    torch.save(trained_a_little(colour, torch.randn(4, 3, size, size)), file)
    grey = build_backbone(settings, shape(1, size))
    images = torch.randn(3, 1, size, size)
    with torch.no_grad():
        expected, got = colour.eval()(images.repeat(1, 3, 1, 1)), grey.eval()(images)
    assert expected.std(dim=0).min() > 1e-3  # the logits depend on the image
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-4)


def test_an_untrained_grey_network_of_torchvision_takes_one_channel() -> None:
    torch.manual_seed(3)
    colour = fresh("shufflenet_v2_x0_5", channels=3)
    torch.manual_seed(3)
    grey = fresh("shufflenet_v2_x0_5", channels=1)
    kernel, folded = colour.state_dict()["conv1.0.weight"], grey.state_dict()["conv1.0.weight"]
    torch.testing.assert_close(folded[:, 0], kernel[:, 0] + kernel[:, 1] + kernel[:, 2])
    assert folded.shape == (24, 1, 3, 3)


@pytest.mark.parametrize("name", ["small-cnn", "test_resnet"])
def test_fresh_weights_come_from_the_global_generator(name: str) -> None:
    states = []
    for seed in (4, 4, 9):
        torch.manual_seed(seed)
        states.append(torch.cat([value.flatten() for value in fresh(name).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_the_design_has_the_form_of_the_network_with_its_weights(tmp_path: Path) -> None:
    """Also for small images, where the first kernel depends on whether weights are to come."""
    file = tmp_path / "weights.pth"
    torch.save(timm.create_model("resnet18", num_classes=4).state_dict(), file)
    settings = BackboneSettings(name="resnet18", weights=file)
    network = build_backbone(settings, shape(1, 33))
    file.unlink()
    design = backbone_design(settings, shape(1, 33))
    assert {name: value.shape for name, value in design.state_dict().items()} == {
        name: value.shape for name, value in network.state_dict().items()
    }
    design.load_state_dict(network.state_dict())
    image = torch.rand(2, 1, 33, 33)
    with torch.no_grad():
        assert torch.equal(design.eval()(image), network.eval()(image))


def test_is_left_in_training_mode() -> None:
    assert fresh("resnet18").training


@pytest.mark.parametrize(
    ("settings", "trained"),
    [
        (BackboneSettings(), True),
        (BackboneSettings(pretrained=False), False),
        (BackboneSettings(name="small-cnn"), False),
        (BackboneSettings(name="small-cnn", weights=Path("w.pth")), True),
        (BackboneSettings(pretrained=False, weights=Path("w.pth")), True),
        (BackboneSettings(name="unet/resnet34"), True),
        (BackboneSettings(name="unet/resnet34", pretrained=False), False),
        (BackboneSettings(name="denseunet"), False),
        (BackboneSettings(name="small-unet"), False),
        (BackboneSettings(name="small-unet", weights=Path("w.pth")), True),
    ],
)
def test_knows_whether_it_starts_trained(settings: BackboneSettings, trained: bool) -> None:
    assert settings.starts_trained is trained


def test_pretrained_statistics() -> None:
    assert pretrained_statistics("resnet18") == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert pretrained_statistics("googlenet") == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert pretrained_statistics("tf_efficientnet_lite0") == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert pretrained_statistics("unet/tf_efficientnet_lite0") == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert pretrained_statistics("fpn/mit_b0") == pretrained_statistics("resnet18")


@pytest.mark.parametrize("build", [build_backbone, backbone_design])
def test_an_unknown_name_is_answered_with_the_nearest(build: Any) -> None:
    with pytest.raises(FoveolaError, match=r"got 'resnett18', in --backbone; did you mean .*'resnet18'"):
        build(BackboneSettings(name="resnett18"), shape(1, 33))


@pytest.mark.parametrize(("name", "size"), [("small-cnn", 7), ("alexnet", 30), ("vit_tiny_patch16_224", 70)])
def test_an_image_size_that_it_cannot_take_is_named(name: str, size: int) -> None:
    with torch.device("meta"), pytest.raises(FoveolaError, match=rf"'{name}' can take, got {size} px \(") as error:
        fresh(name, size=size)
    assert "in --image-size; choose another size" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_encoder_without_a_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    headless = timm.create_model("resnet18", num_classes=0)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: headless)
    with pytest.raises(FoveolaError, match="expected a backbone that classifies, got 'resnet18', in --backbone"):
        fresh("resnet18")


PIXELS = ImageShape(channels=3, size=200, classes=4, per_pixel=True)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "small-unet", "width": 5},
        {"name": "denseunet", "growth": 4, "blocks": (1, 2, 2, 1)},
        {"name": "test_resnet"},
        {"name": "fpn/test_resnet"},
    ],
)
def test_where_every_pixel_gets_a_class_images_of_any_size_are_taken(values: dict[str, Any]) -> None:
    settings = BackboneSettings(**values, pretrained=False)
    network = build_backbone(settings, PIXELS)
    assert network.training
    design = backbone_design(settings, PIXELS)
    design.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 50, 70)
    with torch.no_grad():
        logits = network.eval()(images)
        assert torch.equal(design.eval()(images), logits)
    assert logits.shape == (2, 4, 50, 70)


def test_settings_of_size_reach_our_own_networks() -> None:
    small = build_backbone(BackboneSettings(name="small-unet", width=5), PIXELS)
    dense = build_backbone(BackboneSettings(name="denseunet", growth=4, blocks=(1, 2, 2, 1)), PIXELS)
    shapes = [tuple(network.get_submodule("classify").weight.shape) for network in (small, dense)]
    assert shapes == [(4, 5, 1, 1), (4, 5, 1, 1)]  # 4 g / 3, rounded down
    assert len(dense.get_submodule("block3")) == 2


def test_networks_for_pixels_are_tried_out_small(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(
        "foveola.models.building.backbones.try_out", lambda network, name, shape: seen.append(shape.size)
    )
    build_backbone(BackboneSettings(name="small-unet"), PIXELS)
    build_backbone(BackboneSettings(name="small-unet"), PIXELS.model_copy(update={"size": 40}))
    assert seen == [64, 40]


def test_our_own_networks_for_pixels_take_files_of_weights(tmp_path: Path) -> None:
    trained = build_backbone(BackboneSettings(name="small-unet"), PIXELS)
    torch.save(trained.state_dict(), tmp_path / "weights.pth")
    settings = BackboneSettings(name="small-unet", weights=tmp_path / "weights.pth")
    other = build_backbone(settings, PIXELS.model_copy(update={"classes": 2})).state_dict()
    changed = [name for name, value in trained.state_dict().items() if not torch.equal(value, other[name])]
    assert changed == ["classify.weight", "classify.bias"]


def test_the_first_gradient_of_networks_for_pixels_is_fast_too() -> None:
    for name, layer in (("denseunet", "stem.1"), ("unet/resnet18", "encoder.model.conv1")):
        with torch.device("meta"):
            network = build_backbone(BackboneSettings(name=name, pretrained=False), PIXELS)
        assert isinstance(network.get_submodule(layer), StridedConvolution)


@pytest.mark.parametrize("name", ["denseunet", "small-unet", "unet/resnet34"])
def test_a_network_for_pixels_classifies_no_images(name: str) -> None:
    with pytest.raises(FoveolaError, match=rf"that classifies images, got '{name}', which gives every pixel a class"):
        build_backbone(BackboneSettings(name=name), shape(3, 70))


@pytest.mark.parametrize("name", ["vgg-att", "small-cnn"])
def test_what_classifies_images_is_no_network_for_pixels(name: str) -> None:
    with pytest.raises(FoveolaError, match=rf"got '{name}', which classifies images, in --backbone; choose denseunet"):
        build_backbone(BackboneSettings(name=name), PIXELS)
