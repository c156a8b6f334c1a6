"""Attention goes where it is told to, and nothing else of the backbone changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from foveola.attention import Attended, Mechanism, insert
from foveola.attention.algebra import Pointwise
from foveola.attention.hosts.placement import Followed, Place, places_in, residual_blocks, stages_of
from foveola.attention.hosts.probing import outputs_of, shapes_of
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, backbone_design
from foveola.models.zoo.dense_unet import DenseUNet
from foveola.models.zoo.small_cnn import small_cnn
from foveola.models.zoo.small_unet import SmallUNet

IMAGE = torch.zeros(1, 3, 48, 40)
IMAGES = torch.randn(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))
BLOCKS = ["layer1.0", "layer2.0", "layer2.1", "layer3.0", "layer4.0"]
STAGES = ["layer1", "layer2", "layer3", "layer4"]


def resnet(kind: Any = BasicBlock, **options: Any) -> Any:
    """A small ResNet with as many different sizes as it can have."""
    torch.manual_seed(1)
    return ResNet(kind, (1, 2, 1, 1), num_classes=3, channels=(8, 12, 16, 20), **options).eval()


class Times(nn.Module):
    """Multiplies, and remembers what it was made for."""

    def __init__(self, channels: int, size: tuple[int, int], factor: float = 2.0) -> None:
        super().__init__()
        self.channels, self.size, self.factor = channels, size, factor

    def forward(self, features: Tensor) -> Tensor:
        assert features.shape[1:] == (self.channels, *self.size)
        return self.factor * features


def times(factor: float) -> Any:
    return lambda channels, size: Times(channels, size, factor)


@pytest.mark.parametrize(("kind", "channels"), [(BasicBlock, 8), (Bottleneck, 32)])
def test_in_blocks_it_stands_behind_the_last_norm_and_before_the_shortcut(kind: Any, channels: int) -> None:
    network = resnet(kind)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    block = copy.deepcopy(network.layer1[0])
    assert insert(network, times(0.0), IMAGE, at="blocks") == BLOCKS
    assert (network.layer1[0].se.channels, network.layer1[0].se.size) == (channels, (12, 10))
    assert network.layer2[1].se.size == (6, 5)
    features = torch.randn(2, 64, 12, 10)
    shortcut = features if block.downsample is None else block.downsample(features)
    torch.testing.assert_close(network.layer1[0](features.clone()), torch.relu(shortcut))
    assert not torch.allclose(block(features.clone()), torch.relu(shortcut))


def test_behind_stages_it_takes_what_they_put_out() -> None:
    network, twin = resnet(), resnet()
    assert insert(network, times(2.0), IMAGE, at="stages") == STAGES
    sizes = [getattr(network, stage).attention.size for stage in STAGES]
    assert sizes == [(12, 10), (6, 5), (3, 3), (2, 2)]
    assert [getattr(network, stage).attention.channels for stage in STAGES] == [8, 12, 16, 20]
    features = torch.randn(2, 8, 12, 10)
    torch.testing.assert_close(network.layer2(features.clone()), 2 * twin.layer2(features.clone()))
    assert network(IMAGES).shape == (2, 3)


@pytest.mark.parametrize(
    ("make", "expected"), [(resnet, BLOCKS), (lambda: small_cnn(3, 3), ["block1", "block2", "block3"])]
)
def test_by_itself_it_takes_blocks_where_there_are_some_and_stages_elsewhere(make: Any, expected: list[str]) -> None:
    network = make()
    assert insert(network, times(1.0), IMAGE) == expected
    assert network(IMAGES).shape == (2, 3)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("layer2", ["layer2"]),
        (" layer3 ,layer1.0", ["layer3", "layer1.0"]),
        ("layer2,layer2.1", ["layer2", "layer2.1"]),
        ("layer2.1,layer2", ["layer2.1", "layer2"]),
        ("layer1,layer1", ["layer1"]),
        ("conv1", ["conv1"]),
    ],
)
def test_behind_modules_that_are_named(at: str, expected: list[str]) -> None:
    network = resnet()
    assert insert(network, times(3.0), IMAGE, at=at) == expected
    assert sum(isinstance(module, Times) for module in network.modules()) == len(expected)
    assert sum(isinstance(module, Followed) for module in network.modules()) == len(expected)
    assert network(IMAGES).shape == (2, 3)


def test_a_layer_that_does_nothing_changes_nothing() -> None:
    expected = resnet()(IMAGES)
    for at in ("blocks", "stages", "layer2,layer2.1"):
        network = resnet()
        insert(network, times(1.0), IMAGE, at=at)
        torch.testing.assert_close(network(IMAGES), expected)


@pytest.mark.parametrize("training", [True, False])
def test_looking_for_sizes_leaves_no_trace(training: bool) -> None:
    network = resnet().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert shapes_of(network, ["layer1", "layer4.0.bn2"], IMAGES) == {"layer1": (8, 12, 10), "layer4.0.bn2": (20, 2, 2)}
    assert list(outputs_of(network, ["layer2", "conv1"], IMAGES)) == ["conv1", "layer2"]
    assert network.training == training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_hooks_go_when_the_backbone_fails() -> None:
    network = resnet()
    with pytest.raises(RuntimeError):
        shapes_of(network, ["layer1"], torch.zeros(1, 5, 48, 40))
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("make", "stages"),
    [
        (resnet, STAGES),
        (lambda: small_cnn(1, 2), ["block1", "block2", "block3"]),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), []),
        (lambda: timm.create_model("mobilenetv3_small_050"), [f"blocks.{index}" for index in (0, 1, 3, 5)]),
        (lambda: timm.create_model("vgg11"), [f"features.{index}" for index in (1, 4, 9, 14, 19)]),
        (
            lambda: timm.create_model("densenet121"),
            [*(f"features.denseblock{number}" for number in (1, 2, 3)), "features.norm5"],
        ),
    ],
)
def test_stages_are_those_that_timm_names_or_children_with_convolutions(make: Any, stages: list[str]) -> None:
    found = stages_of(make(), torch.zeros(1, 1 if stages == ["block1", "block2", "block3"] else 3, 64, 72))
    assert found == stages or (not stages and not found)


def test_blocks_are_those_of_timm_that_take_attention() -> None:
    assert residual_blocks(resnet()) == BLOCKS
    assert residual_blocks(small_cnn(3, 2)) == []


@pytest.mark.parametrize(
    ("make", "at", "message"),
    [
        (resnet, "layer9", "a known stage, got 'layer9', in .* `at`; choose among layer1, layer2, layer3, layer4"),
        (resnet, "layer1,", "expected a known stage, got '', in the arm's setting `at`"),
        (resnet, "fc", r"expected features B x C x H x W, got an output of shape \(1, 3\), in the module 'fc'"),
        (lambda: small_cnn(3, 2), "blocks", "a backbone with residual blocks that take attention, got a Sequential"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(5760, 2)), "auto", "a backbone with stages that are known"),
        (
            lambda: resnet(block_args={"attn_layer": "se"}),
            "blocks",
            "expected residual blocks without attention of their own, got SEModule in 'layer1.0', in --backbone; ",
        ),
    ],
)
def test_where_it_cannot_go_is_said(make: Any, at: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        insert(make(), times(1.0), IMAGE, at=at)


def test_a_module_that_is_not_used_is_no_place() -> None:
    network = resnet()
    network.spare = nn.Conv2d(3, 4, 1)
    assert places_in(network, "spare", IMAGE) == ["spare"]
    with pytest.raises(FoveolaError, match="got nothing, in the module 'spare' of the backbone; name another module"):
        insert(network, times(1.0), IMAGE, at="spare")


class Listening(Mechanism):
    """Remembers how many channels its signal was to have, and keeps to it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels, self.signal, self.heard = channels, 0, 0

    def take_signal(self, channels: int) -> None:
        self.signal = channels

    def operator(self, features: Tensor, *context: Any) -> Pointwise:
        assert features.shape[1] == self.channels
        assert len(context) == bool(self.signal)
        for signal in context:
            assert signal.shape[1] == self.signal
            assert features.shape[2:] == tuple(2 * side for side in signal.shape[2:])
        self.heard += 1
        return Pointwise(features.mean(1, keepdim=True))


def listening(network: nn.Module, at: str) -> dict[str, tuple[int, int]]:
    """Returns the channels of the features and of the signal at every place, once the network has run."""
    places = insert(network, lambda channels, size: Listening(channels), IMAGE, at=at)
    with torch.no_grad():
        logits, maps = Attended(network.eval(), None)(IMAGES, return_maps=True)
    assert logits.shape == (2, 2, 48, 40)
    assert sorted(maps) == sorted(places)
    made = {place: network.get_submodule(place).attention for place in places}
    assert all(isinstance(each, Listening) and each.heard == 1 for each in made.values())
    return {place: (each.channels, each.signal) for place, each in made.items()}  # type: ignore[misc]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("auto", {"bottleneck": (128, 0), "up1.join": (192, 128)}),
        ("bottleneck", {"bottleneck": (128, 0)}),
        ("stages", {"up1.join": (192, 128), "up2.join": (96, 64), "up3.join": (48, 32)}),
        ("skips", {"skip1": (16, 32), "skip2": (32, 64), "skip3": (64, 128)}),
        ("skip2, bottleneck ,skip2", {"skip2": (32, 64), "bottleneck": (128, 0)}),
        ("auto,up1.join,level1", {"bottleneck": (128, 0), "up1.join": (192, 128), "level1": (16, 0)}),
    ],
)
def test_places_of_a_network_and_the_signals_there(at: str, expected: dict[str, tuple[int, int]]) -> None:
    assert listening(SmallUNet(3, 2), at) == expected


def test_places_and_signals_of_denseunet() -> None:
    network = DenseUNet(3, 2, growth=4, blocks=(1, 2, 3, 1))  # the encoder puts out 8, 12, 14 and 19 channels
    assert listening(network, "auto,skips") == {
        "bottleneck": (19, 0),
        "up1.join": (19, 19),
        "up2.join": (14, 14),
        "up3.join": (12, 12),
        "skip1": (8, 8),
        "skip2": (12, 12),
        "skip3": (14, 14),
        "skip4": (19, 19),
    }


def test_a_library_decoder_gives_no_signal() -> None:
    network = backbone_design(
        BackboneSettings(name="manet/test_resnet", pretrained=False),
        ImageShape(channels=3, size=48, classes=2, per_pixel=True),
    )
    found = listening(network, "auto,skips")
    assert len(found) == 8
    assert {signal for _, signal in found.values()} == {0}  # the stages are called with features of the encoder


def test_a_layer_that_is_no_mechanism_gets_no_signal() -> None:
    network, twin = SmallUNet(3, 2).eval(), SmallUNet(3, 2).eval()
    twin.load_state_dict(network.state_dict())
    insert(twin, times(1.0), IMAGE, at="stages,skips")  # which takes features alone
    torch.testing.assert_close(twin(IMAGES), network(IMAGES))


def test_a_place_lets_features_through() -> None:
    features = torch.rand(2, 8, 12, 10)
    assert Place()(features) is features
    assert Place()(features, torch.rand(2, 16, 6, 5)) is features


def test_blocks_of_an_encoder_take_attention_too() -> None:
    network = backbone_design(
        BackboneSettings(name="unet/resnet18", pretrained=False),
        ImageShape(channels=3, size=48, classes=2, per_pixel=True),
    )
    assert insert(network, times(1.0), IMAGE, at="blocks") == [
        f"encoder.model.layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)
    ]


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("up9", "a known stage, got 'up9', in .*; choose among auto, bottleneck, stages, skips, up1.join, "),
        ("blocks", "a backbone with residual blocks that take attention, got a SmallUNet without"),
    ],
)
def test_where_it_cannot_go_in_a_network_with_places_is_said(at: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        places_in(SmallUNet(3, 2), at, IMAGE)


def test_a_group_without_places_is_named() -> None:
    network = backbone_design(
        BackboneSettings(name="deeplabv3/test_resnet", pretrained=False),
        ImageShape(channels=3, size=48, classes=2, per_pixel=True),
    )
    with pytest.raises(FoveolaError, match=r"with skips, got EncoderDecoder, which has none, in .* among auto, bott"):
        places_in(network, "skips", IMAGE)
