from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from foveola.attention import Attended, FixedMask
from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.arrays import ArrayImages
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, FittedModel, ImageShape, ModelDescription, backbone_design
from foveola.models.zoo.small_cnn import small_cnn

CLASSES = ("late", "early", "none")


def fitted(masked: bool = True) -> FittedModel:
    """A model that was never trained, with weights of batch norm that are not its first ones."""
    torch.manual_seed(3)
    network = small_cnn(channels=3, classes=3)
    network(torch.rand(9, 3, 16, 16))
    attention = FixedMask(torch.rand(16, 16)) if masked else None
    description = ModelDescription(
        arm="global" if masked else "plain",
        arm_settings={},
        fold=2,
        seed=1,
        epoch=7,
        classes=CLASSES,
        channels=3,
        backbone=BackboneSettings(name="small-cnn"),
        preprocessing=Preprocessing(image_size=16),
        scaling=Scaling(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)),
        attention={"representation": "exact"},
    )
    return FittedModel(Attended(network, attention).eval(), description)


def pixels(count: int, dtype: type = np.uint8) -> np.ndarray:
    drawn = np.random.default_rng(6).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)
    return drawn if dtype is np.uint8 else drawn / np.float32(255)


def slow_probabilities(model: FittedModel, image: np.ndarray) -> np.ndarray:
    """Scales, masks and classifies one image after the definition, without any batch."""
    scaling = model.description.scaling
    scaled = np.stack([(image[k] / 255 - scaling.mean[k]) / scaling.std[k] for k in range(3)])
    masked = scaled * (1 if model.map is None else model.map)
    with torch.no_grad():
        logits = model.network.network(torch.from_numpy(masked[None].astype(np.float32)))[0].double().numpy()
    exponents = np.exp(logits - logits.max())
    return np.asarray(exponents / exponents.sum())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fitted")
    fitted().save(folder)
    return folder


@pytest.mark.parametrize("masked", [True, False])
def test_what_is_saved_is_loaded(tmp_path: Path, masked: bool) -> None:
    model = fitted(masked)
    model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    again = FittedModel.load(tmp_path)
    assert again.description == model.description
    assert not again.network.training
    assert (again.map is None) == (not masked)
    if model.map is not None:
        assert np.array_equal(again.map, model.map)  # type: ignore[arg-type]
    assert np.allclose(again.probabilities(pixels(5)), model.probabilities(pixels(5)), atol=1e-6)
    again.save(tmp_path / "again")
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_model_carries_the_map_alone(saved: Path) -> None:
    state = load_file(saved / "model.safetensors")
    assert [name for name in state if name.startswith("attention")] == ["attention.values"]
    assert state["attention.values"].shape == (16, 16)


def test_pretrained_weights_are_not_asked_for_again(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "foveola.models.building.classification.library_state", lambda *_: pytest.fail("asked for weights")
    )
    assert FittedModel.load(saved).description.backbone.pretrained


@pytest.mark.parametrize("masked", [True, False])
def test_probabilities_are_those_of_one_image_at_a_time(masked: bool) -> None:
    model = fitted(masked)
    given = model.probabilities(pixels(7))
    assert given.shape == (7, 3)
    assert np.allclose(given.sum(1), 1, atol=1e-6)
    assert np.allclose(given, [slow_probabilities(model, image) for image in pixels(7)], atol=1e-5)


def test_the_numbers_of_an_image_depend_on_no_other(saved: Path) -> None:
    model, images = FittedModel.load(saved), pixels(37)
    every = model.probabilities(images)
    order = np.random.default_rng(1).permutation(37)
    assert np.array_equal(model.probabilities(images, order), every[order])
    for rows in ([5], [36, 0, 36], list(range(3, 36))):
        assert np.array_equal(model.probabilities(images, np.array(rows)), every[rows])
    assert np.array_equal(model.probabilities(pixels(37, np.float32)), every), "floats of the same values"


def test_a_row_an_image(saved: Path) -> None:
    model, images = FittedModel.load(saved), pixels(4)
    table = sample_table(["a", "b", "c", "d"], [1, -1, 0, 1])
    cohort = Cohort("new", ("early", "none"), table, ArrayImages(images.transpose(0, 2, 3, 1), "new"))
    rows = model.predict(cohort, images, np.array([3, 1, 0]))
    assert list(rows.columns) == ["sample", "arm", "fold", "seed", "epoch", "label", "p_late", "p_early", "p_none"]
    assert rows["sample"].tolist() == ["d", "b", "a"]
    assert rows["label"].tolist() == ["none", "", "none"]
    assert rows[["arm", "fold", "seed", "epoch"]].drop_duplicates().to_numpy().tolist() == [["global", 2, 1, 7]]
    assert np.array_equal(rows[["p_late", "p_early", "p_none"]], model.probabilities(images)[[3, 1, 0]])
    assert len(model.predict(cohort, images)) == 4


def described(**changes: Any) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        values = json.loads((folder / "model.json").read_text())
        (folder / "model.json").write_text(json.dumps({**values, **changes}))

    return damage


def overwritten(name: str, content: bytes) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return damage


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def truncated(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def short_of_a_tensor(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state.pop("network.block1.0.weight")
    save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            without("model.json"),
            r"a fitted model \(model.json and model.safetensors\), got none, in .*; give the folder",
        ),
        (without("model.safetensors"), r"a fitted model \(model.json and model.safetensors\), got none"),
        (overwritten("model.json", b""), "a fitted model, got damaged files, in .*; fit it again"),
        (overwritten("model.json", b"\xff\xfe"), "a fitted model, got damaged files"),
        (overwritten("model.json", b"[1]"), r"got \[1\], in .*model.json"),
        (overwritten("model.json", b"{}"), r"expected a value, got none, in .*model.json"),
        (overwritten("model.safetensors", b""), "a fitted model, got damaged files"),
        (overwritten("model.safetensors", b"9" * 99), "a fitted model, got damaged files"),
        (truncated, "a fitted model, got damaged files"),
        (short_of_a_tensor, "the weights that model.json describes, got those of another network, in .*safetensors"),
        (described(schema_version=2), r"expected 1, got 2, in .*model.json.schema_version"),
        (described(classes=["late"]), r"at least 2 items"),
        (described(classes=["late", "early"]), "the weights that model.json describes"),
        (described(backbone={"name": "resnet18"}), "the weights that model.json describes"),
        (described(backbone={"name": "smal-cnn"}), "did you mean 'small-cnn'"),
        (described(preprocessing={}), "an image size"),
        (described(channels=1), "one number a channel in the scaling"),
        (described(flavour="x"), r"known key, got 'flavour', in .*model.json"),
    ],
)
def test_damaged_models_are_named(saved: Path, tmp_path: Path, damage: Callable[[Path], None], message: str) -> None:
    folder = shutil.copytree(saved, tmp_path / "model")
    damage(folder)
    with pytest.raises(FoveolaError, match=message):
        FittedModel.load(folder)


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    for folder in (tmp_path / "model", tmp_path / "none"):
        with pytest.raises(FoveolaError, match=r"a fitted model .* got none"):
            FittedModel.load(folder)


def test_a_network_with_version_numbers_in_its_state_comes_back(tmp_path: Path) -> None:
    shape = ImageShape(channels=1, size=64, classes=2)
    settings = BackboneSettings(name="mnasnet0_5", pretrained=False)
    description = ModelDescription(
        arm="plain",
        arm_settings={},
        fold=0,
        seed=0,
        epoch=1,
        classes=("a", "b"),
        channels=1,
        backbone=settings,
        preprocessing=Preprocessing(image_size=64),
        scaling=Scaling(mean=(0.5,), std=(0.2,)),
        attention={},
    )
    model = FittedModel(Attended(backbone_design(settings, shape), None), description)
    model.save(tmp_path)
    loaded = FittedModel.load(tmp_path).network.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in model.network.state_dict().items())
