"""A backbone with what an arm puts into it or makes of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, Arm, ArmSettings, Attended, LayerSettings, Mechanism
from foveola.attention.algebra import Operator, Pointwise
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_backbone, arm_network, backbone_names, build_backbone
from foveola.models.network_spec import BASELINE_NETWORKS

SHAPE = ImageShape(channels=1, size=24, classes=3)
SMALL = BackboneSettings(name="small-cnn")


class Gate(Mechanism):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.sigmoid(self.score(features)))


def gated(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
    return Gate(channels)


GATED = Arm("gated", "a gate", LayerSettings, "pointwise", layer=gated)


def built(arm: Arm, shape: ImageShape = SHAPE, seed: int = 4, load: bool = True, **values: Any) -> nn.Module:
    torch.manual_seed(seed)
    return arm_network(arm, arm.configure(values), SMALL, shape, load=load)


def test_attention_is_inside_and_its_maps_come_out() -> None:
    network = built(GATED)
    logits, maps = Attended(network, None)(torch.rand(5, 1, 24, 24), return_maps=True)
    assert logits.shape == (5, 3)
    assert [tuple(received.shape) for received in maps.values()] == [(5, 12, 12), (5, 6, 6), (5, 3, 3)]


def test_the_backbone_starts_as_it_does_without_attention() -> None:
    """Its weights are drawn first, so that arms share them."""
    plain = built(Arm("bare", "nothing", ArmSettings, "none")).state_dict()
    inside = {name.replace(".stage", ""): value for name, value in built(GATED).state_dict().items()}
    assert plain
    assert all(torch.equal(inside[name], value) for name, value in plain.items())


def test_what_is_loaded_has_the_state_of_what_was_fitted() -> None:
    fitted, empty = built(GATED), built(GATED, seed=5, load=False)
    empty.load_state_dict(fitted.state_dict())
    images = torch.rand(5, 1, 24, 24)
    assert torch.equal(empty.eval()(images), fitted.eval()(images))


def test_settings_reach_the_layer() -> None:
    network = built(GATED, at="block2")
    assert sum(isinstance(part, Gate) for part in network.modules()) == 1


def test_an_arm_with_a_backbone_of_its_own_has_that() -> None:
    arm = Arm("whole", "a network", ArmSettings, "none", backbone="small-cnn")
    other = BackboneSettings(name="resnet50", weights=None)
    assert arm_backbone(arm, ArmSettings(), other) == BackboneSettings(name="small-cnn", pretrained=False)
    assert arm_backbone(GATED, LayerSettings(), other) is other
    assert "block1" in dict(arm_network(arm, arm.configure({}), other, SHAPE).named_children())


def test_a_network_that_does_not_classify_is_refused() -> None:
    arm = Arm("broken", "no logits", ArmSettings, "none", network=lambda backbone, image, settings: nn.Flatten())
    with pytest.raises(FoveolaError, match="expected a backbone that classifies, got 'broken with small-cnn'"):
        built(arm)


def test_images_too_small_for_attention_are_refused_before_anything_is_trained() -> None:
    def wide(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, channels, 5), nn.ZeroPad2d(2))

    arm = Arm("wide", "a large kernel", LayerSettings, "none", layer=wide)
    with pytest.raises(FoveolaError, match="expected an image size that 'wide with small-cnn' can take, got 24 px"):
        built(arm)


def test_it_is_built_in_training_mode() -> None:
    assert all(part.training for part in built(GATED).modules())


PIXELS = ImageShape(channels=1, size=40, classes=3, per_pixel=True)
UNET = BackboneSettings(name="small-unet")


def segmenting(name: str, load: bool = True, **values: Any) -> nn.Module:
    torch.manual_seed(4)
    arm = ARMS[name]
    return arm_network(arm, arm.configure(values), UNET, PIXELS, load=load)


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.segments and arm.layer is not None])
@pytest.mark.parametrize("at", ["auto", "skips,up2.join"])
def test_every_layer_goes_into_a_network_for_pixels(name: str, at: str) -> None:
    network = segmenting(name, at=at).eval()
    with torch.no_grad():
        logits, maps = Attended(network, None)(torch.rand(2, 1, 50, 70), return_maps=True)
    assert logits.shape == (2, 3, 50, 70)
    places = ["bottleneck", "up1.join"] if at == "auto" else ["skip3", "skip2", "up2.join", "skip1"]
    assert list(maps) in (places, [])  # there is no map of weights of channels
    empty = segmenting(name, load=False, at=at)
    empty.load_state_dict(network.state_dict())


@pytest.mark.parametrize("name", ["plain", "l1", "free-mask"])
def test_masks_and_plain_leave_the_network_for_pixels_as_it_is(name: str) -> None:
    plain = build_backbone(UNET, PIXELS).state_dict()
    assert segmenting(name).state_dict().keys() == plain.keys()


@pytest.mark.parametrize("name", ["learn-to-pay", "attention-gate", "resattnet92", "logistic-regression"])
def test_an_arm_with_a_network_of_its_own_gives_no_pixel_a_class(name: str) -> None:
    assert not ARMS[name].segments
    with pytest.raises(FoveolaError, match=f"got '{name}', which classifies images, in --arm; choose among .*plain"):
        segmenting(name)


def test_ppcr_that_is_tied_to_a_size_is_tied_to_that_of_training() -> None:
    network = segmenting("ppcr", preset="paper-like").eval()
    assert network(torch.rand(2, 1, 40, 40)).shape == (2, 3, 40, 40)
    with pytest.raises(FoveolaError, match="features of the size that PPCR is tied to, 5 x 5, got 7 x 9"):
        network(torch.rand(2, 1, 50, 70))


def test_a_backbone_that_fails_is_no_network_for_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_odd(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, channels, 9), nn.ZeroPad2d(4))

    arm = Arm("wide", "a large kernel", LayerSettings, "none", layer=only_odd)
    with pytest.raises(FoveolaError, match="for images of any size, got 'wide with small-unet', which fails at 40 px"):
        arm_network(arm, arm.configure({}), UNET, PIXELS)


@pytest.mark.parametrize("name", BASELINE_NETWORKS)
def test_the_network_of_a_baseline_is_no_backbone(name: str) -> None:
    assert name not in backbone_names()
    shape = ImageShape(channels=1, size=32, classes=3)
    with pytest.raises(FoveolaError, match=f"expected a known backbone, got '{name}', in --backbone"):
        arm_network(ARMS["plain"], ARMS["plain"].configure({}), BackboneSettings(name=name), shape)
    (arm,) = (arm for arm in ARMS.values() if arm.backbone == name)
    network = arm_network(arm, arm.configure({}), BackboneSettings(name="small-cnn"), shape)
    assert network(torch.rand(2, 1, 32, 32)).shape == (2, 3)
