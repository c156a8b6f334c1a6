"""Prediction in windows, and fitted models that give every pixel a class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from foveola.attention import ARMS, attach
from foveola.contract.export import exports_to_programs_and_onnx
from foveola.contract.subject import Subject
from foveola.data.preprocessing import Preprocessing, Scaling
from foveola.models import BackboneSettings, FittedModel, ImageShape, ModelDescription, arm_network
from foveola.models.windows import Windows, in_windows


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("size", [(50, 70), (32, 32), (20, 41), (96, 33)])
def test_a_constant_network_predicts_a_constant(size: tuple[int, int], overlap: float) -> None:
    def constant(window: Tensor) -> Tensor:
        return torch.tensor([0.25, -3.0]).view(1, 2, 1, 1).repeat(len(window), 1, *window.shape[2:])

    logits = in_windows(constant, torch.rand(2, 3, *size), Windows(side=32, overlap=overlap))
    assert logits.shape == (2, 2, *size)
    torch.testing.assert_close(logits, constant(torch.zeros(2, 3, *size)))


def test_every_window_counts_by_its_distance_from_the_middle() -> None:
    """Two windows side by side: a network that says which one it sees is blended from one to the other."""
    calls: list[int] = []

    def which(windows: Tensor) -> Tensor:
        first = len(calls)
        calls.extend(range(first, first + len(windows)))
        numbers = torch.arange(first, first + len(windows), dtype=torch.float32)
        return numbers.view(-1, 1, 1, 1).repeat(1, 1, *windows.shape[2:])

    row = in_windows(which, torch.rand(1, 1, 32, 48), Windows(side=32, overlap=0.5))[0, 0, 5]
    assert len(calls) == 2
    assert torch.equal(row[:16], torch.zeros(16))
    assert torch.equal(row[-16:], torch.ones(16))
    assert (row[17:32].diff() > 0).all()
    assert row[16:32].mean() == pytest.approx(0.5, abs=0.01)


def fitted(arm: str, *, windows: Windows | None = None, **settings: Any) -> FittedModel:
    """A model of images of 64 px with random weights that are not those of the start."""
    shape = ImageShape(channels=1, size=64 if windows is None else windows.side, classes=2, per_pixel=True)
    backbone = BackboneSettings(name="small-unet", width=4)
    torch.manual_seed(0)
    network = arm_network(ARMS[arm], ARMS[arm].configure(settings), backbone, shape)
    for name, parameter in network.named_parameters():
        if name.endswith("gamma"):
            torch.nn.init.constant_(parameter, 0.7)
    description = ModelDescription(
        arm=arm, fold=0, seed=0, epoch=1, classes=("background", "vessel"), channels=1, backbone=backbone,
        preprocessing=Preprocessing(image_size=64), scaling=Scaling(mean=(0.5,), std=(0.25,)),
        arm_settings=ARMS[arm].configure(settings).model_dump(mode="json"), attention={}, per_pixel=True,
        windows=windows,
    )  # fmt: skip
    return FittedModel(attach(network).to(memory_format=torch.channels_last).eval(), description)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 1, 64, 64), dtype=np.uint8)


@pytest.mark.parametrize("windows", [None, Windows(side=32)], ids=["whole", "windows"])
def test_a_model_is_the_same_after_saving(windows: Windows | None, pixels: np.ndarray, tmp_path: Path) -> None:
    model = fitted("joint", windows=windows)
    model.save(tmp_path)
    again = FittedModel.load(tmp_path)
    assert again.description == model.description
    for one, other in zip(model.segmentations(pixels), again.segmentations(pixels), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.shape == (2, 64, 64)
        np.testing.assert_allclose(one.sum(0), 1, atol=1e-5)


def test_images_do_not_depend_on_their_neighbours(pixels: np.ndarray) -> None:
    model = fitted("joint")
    together = list(model.segmentations(pixels))
    (alone,) = model.segmentations(pixels, np.array([2]))
    np.testing.assert_array_equal(together[2], alone)


def test_maps_of_whole_images_have_the_resolution_of_their_place(pixels: np.ndarray) -> None:
    model = fitted("joint")
    assert model.places == {"bottleneck": (8, 8), "up1.join": (16, 16)}
    first = next(model.maps(pixels))
    assert {place: values.shape for place, values in first.items()} == model.places


def test_maps_of_windows_are_put_together_as_predictions_are(pixels: np.ndarray) -> None:
    """Without overlap every pixel has the map of its own window."""
    model = fitted("pointwise", windows=Windows(side=32, overlap=0.0))
    assert set(model.places.values()) == {(64, 64)}
    found = next(model.maps(pixels))
    images = model.description.scaling.apply(torch.from_numpy(pixels[:1]))
    for top in (0, 32):
        for left in (0, 32):
            with torch.inference_mode():
                _, maps = model.network(images[..., top : top + 32, left : left + 32], return_maps=True)
            for place, values in maps.items():
                enlarged = np.kron(values[0].numpy(), np.ones((32 // values.shape[1], 32 // values.shape[2])))
                np.testing.assert_allclose(found[place][top : top + 32, left : left + 32], enlarged, atol=1e-5)


@pytest.mark.parametrize("settings", [{}, {"variant": "key", "point": "gate"}], ids=["additive", "key"])
def test_logits_and_maps_survive_the_export(settings: dict[str, Any]) -> None:
    exports_to_programs_and_onnx(
        Subject(lambda: fitted("joint", **settings).network.network, torch.rand(2, 1, 64, 48), "sum")
    )
