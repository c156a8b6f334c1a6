"""Pretrained weights from where timm and torchvision keep theirs, on a machine without a network."""

from __future__ import annotations

import socket
import time
import urllib.request
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, build_backbone
from foveola.models.building.weights import download

SHAPE = ImageShape(channels=3, size=70, classes=5)


def build(name: str, weights: Path | None = None) -> nn.Module:
    return build_backbone(BackboneSettings(name=name, weights=weights), SHAPE)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A machine that cannot look up any host, with empty caches; returns the hosts that were asked for."""
    asked: list[str] = []

    def refuse(host: str, *_: Any, **__: Any) -> None:
        asked.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return asked


@pytest.mark.parametrize("name", ["resnet18", "googlenet"])
def test_weights_that_cannot_be_downloaded_are_named_with_the_remedy(name: str, offline: list[str]) -> None:
    started = time.monotonic()
    with pytest.raises(
        FoveolaError, match=rf"'{name}', got no way to download them .*--weights FILE .*--no-pretrained"
    ):
        build(name)
    assert 1 <= len(offline) <= 2  # no retries
    assert time.monotonic() - started < 20
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False


def test_no_weights_are_looked_for_where_none_are_wanted(offline: list[str]) -> None:
    build_backbone(BackboneSettings(name="resnet18", pretrained=False), SHAPE)
    build_backbone(BackboneSettings(name="small-cnn"), SHAPE)
    assert offline == []


def test_a_backbone_without_published_weights_says_so(offline: list[str]) -> None:
    name = "convnext_atto_rms"
    with pytest.raises(FoveolaError, match=rf"weights of '{name}', got a backbone that has none.*--no-pretrained"):
        build(name)
    assert offline == []


def test_weights_that_were_downloaded_before_are_found(offline: list[str], tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = timm.create_model("resnet18")
    folder = tmp_path / "hub" / "models--timm--resnet18.a1_in1k"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    save_file(source.state_dict(), folder / "snapshots" / ("0" * 40) / "model.safetensors")
    own = build("resnet18").state_dict()
    assert torch.equal(own["layer4.1.conv2.weight"], source.state_dict()["layer4.1.conv2.weight"])
    assert own["fc.weight"].shape == (5, 512)
    assert huggingface_hub.constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize("given", [False, True])
def test_googlenet_takes_what_every_cnn_takes(given: bool, offline: list[str], tmp_path: Path) -> None:
    """The published weights, from the cache or given as a file, against torchvision's own network."""
    torch.manual_seed(6)
    reference = torchvision.models.googlenet(aux_logits=True, init_weights=False, transform_input=True)
    norm = reference.conv1.bn
    norm.running_mean, norm.running_var = torch.randn(64), 0.5 + torch.rand(64)
    file = tmp_path / "torch" / "hub" / "checkpoints" / "googlenet-1378be20.pth"
    file.parent.mkdir(parents=True)
    torch.save(reference.state_dict(), file)
    own = build("googlenet", file if given else None).eval()
    images = torch.randn(2, 3, 70, 70)
    with torch.no_grad():
        expected = reference.eval().conv1(reference._transform_input(images))
        got = own.get_submodule("conv1")(images)
        assert (expected - got)[..., 2:-2, 2:-2].abs().max() < 1e-4  # zeros are padded before or after the shift
    assert torch.equal(own.state_dict()["conv2.conv.weight"], reference.state_dict()["conv2.conv.weight"])


def test_googlenet_weights_of_ones_own_are_left_as_they_are(tmp_path: Path) -> None:
    trained = build_backbone(BackboneSettings(name="googlenet", pretrained=False), SHAPE)
    torch.save(trained.state_dict(), tmp_path / "weights.pth")
    own = build("googlenet", tmp_path / "weights.pth").state_dict()
    assert all(torch.equal(own[name], value) for name, value in trained.state_dict().items())


@pytest.mark.parametrize("before", [False, True])
def test_the_library_is_as_offline_as_before(before: bool, offline: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", before)
    with download("resnet18"):
        assert huggingface_hub.constants.HF_HUB_OFFLINE is True
    assert huggingface_hub.constants.HF_HUB_OFFLINE is before
    with pytest.raises(KeyError), download("resnet18"):
        raise KeyError
    assert huggingface_hub.constants.HF_HUB_OFFLINE is before


def test_a_proxy_is_a_way_out(offline: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy.example:8080"})
    with download("resnet18"):
        assert huggingface_hub.constants.HF_HUB_OFFLINE is False
    assert offline == []
