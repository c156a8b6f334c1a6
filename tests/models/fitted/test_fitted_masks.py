"""Fitted models that give every pixel a class: their masks and maps, whole or from windows, on disk and in ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, Attended, FixedMask, Mechanism, WithMaps
from foveola.attention.algebra import Pointwise
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.models import BackboneSettings, FittedModel, ImageShape, ModelDescription, arm_network
from foveola.models.fitted.windows import Windows
from foveola.models.zoo.segmenter import Segmenter

SIDE, CLASSES = 56, ("background", "artery", "vein")
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.25)
UNET = BackboneSettings(name="small-unet")


class Gate(Mechanism):
    """Gates every position by its own brightness."""

    def operator(self, features: Tensor, *context: Any) -> Pointwise:
        return Pointwise(torch.sigmoid(features.mean(1, keepdim=True)))


def described(**changes: Any) -> ModelDescription:
    values: dict[str, Any] = {
        "arm": "plain",
        "arm_settings": {},
        "fold": 2,
        "seed": 1,
        "epoch": 7,
        "classes": CLASSES,
        "channels": 3,
        "backbone": UNET,
        "preprocessing": Preprocessing(image_size=SIDE),
        "attention": {},
        "per_pixel": True,
        "scaling": Scaling(mean=MEAN, std=STD),
    }
    return ModelDescription(**{**values, **changes})


def built(arm: str, windows: Windows | None = None, **settings: Any) -> FittedModel:
    """A model that was never trained, but whose attention does something, and whose batch norm has seen images."""
    settings = settings if arm == "plain" else {"residual_start": 0.7, **settings}
    description = described(arm=arm, arm_settings=settings, windows=windows)
    torch.manual_seed(3)
    own = ARMS[arm].configure(settings)
    network = arm_network(ARMS[arm], own, UNET, description.shape)
    network.train()
    network(torch.randn(4, 3, 40, 48))
    return FittedModel(Attended(network, None).eval(), description)


def pixels(count: int, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def scaled(image: np.ndarray) -> Tensor:
    """One stored image as the network sees it."""
    return torch.from_numpy(np.stack([(image[k] / 255 - MEAN[k]) / STD[k] for k in range(3)])[None].astype(np.float32))


@pytest.mark.parametrize("windows", [None, Windows(side=32, overlap=0.5)], ids=["whole", "windows"])
def test_every_pixel_has_probabilities(windows: Windows | None) -> None:
    model, images = built("plain", windows), pixels(5)
    given = list(model.segmentations(images, np.array([4, 0, 4])))
    assert [values.shape for values in given] == [(3, SIDE, SIDE)] * 3
    assert np.array_equal(given[0], given[2])
    assert not np.allclose(given[0], given[1])
    for values in given:
        np.testing.assert_allclose(values.sum(0), 1, atol=1e-5)
    with torch.no_grad():
        whole = model.network(scaled(images[4]))[0].softmax(0).numpy()
    error = np.abs(given[0] - whole).max()
    assert error < 1e-5 if windows is None else 1e-5 < error < 0.5
    assert len(list(model.segmentations(images))) == 5


def test_views_are_predicted_by_themselves_and_averaged(tmp_path: Path) -> None:
    one = built("joint", Windows(side=32, overlap=0.5))
    four = FittedModel(one.network, one.description.model_copy(update={"views": 4}))
    four.save(tmp_path)
    images = pixels(2)
    views = [(), (1,), (2,), (1, 2)]
    given = [np.flip(images, [axis + 1 for axis in axes]).copy() for axes in views]
    whole = [
        [np.flip(values, axes) for values in one.segmentations(view)] for axes, view in zip(views, given, strict=True)
    ]
    for found, *each in zip(FittedModel.load(tmp_path).segmentations(images), *whole, strict=True):
        np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
        assert not np.allclose(found, each[0], atol=1e-4)


def gated(windows: Windows | None) -> FittedModel:
    """A network that looks at single pixels, and at the means of 2 x 2, with a gate in both places."""
    torch.manual_seed(1)
    network = nn.Sequential(
        Gate(), nn.Conv2d(3, 4, 1), nn.AvgPool2d(2), Gate(), nn.Conv2d(4, 3, 1), nn.Upsample(scale_factor=2)
    ).eval()
    return FittedModel(Attended(network, None).eval(), described(windows=windows))


@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_maps_put_together_from_windows_are_those_of_the_whole_image(overlap: float) -> None:
    windows = Windows(side=32, overlap=overlap)
    model, whole, images = gated(windows), gated(None), pixels(3)
    assert model.places == {"0": (SIDE, SIDE), "3": (SIDE, SIDE)}
    assert whole.places == {"0": (SIDE, SIDE), "3": (SIDE // 2, SIDE // 2)}
    for maps, expected, image in zip(model.maps(images), whole.maps(images), images, strict=True):
        np.testing.assert_allclose(maps["0"], expected["0"], atol=1e-5)
        np.testing.assert_allclose(maps["3"], expected["3"].repeat(2, axis=0).repeat(2, axis=1), atol=1e-5)
        brightness = scaled(image)[0].mean(0).numpy()
        np.testing.assert_allclose(maps["0"], 1 / (1 + np.exp(-brightness)), atol=1e-5)


def test_the_maps_of_images_come_in_their_order_one_at_a_time() -> None:
    model, images = gated(Windows(side=32)), pixels(4)
    every = list(model.maps(images))
    (some,) = model.maps(images, np.array([2]))
    assert all(np.array_equal(some[place], every[2][place]) for place in some)
    assert not np.array_equal(every[0]["0"], every[2]["0"])


def test_a_mask_is_the_map_of_every_image() -> None:
    network = Attended(nn.Conv2d(3, 3, 1), FixedMask(torch.rand(SIDE, SIDE))).eval()
    model = FittedModel(network, described(arm="l1"))
    assert model.places == {"input": (SIDE, SIDE)}
    assert model.map is not None
    assert all(np.array_equal(maps["input"], model.map) for maps in model.maps(pixels(2)))


@pytest.mark.parametrize(
    ("arm", "windows", "settings"),
    [
        ("plain", None, {}),
        ("joint", Windows(side=32, overlap=0.5), {"variant": "additive"}),
        ("pointwise", None, {"point": "gate", "at": "stages"}),
    ],
)
def test_what_is_saved_is_loaded(tmp_path: Path, arm: str, windows: Windows | None, settings: dict[str, Any]) -> None:
    model, images = built(arm, windows, **settings), pixels(2)
    model.save(tmp_path)
    again = FittedModel.load(tmp_path)
    assert again.description == model.description
    assert again.description.per_pixel
    assert again.places == model.places
    for one, other in zip(again.segmentations(images), model.segmentations(images), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for maps, others in zip(again.maps(images), model.maps(images), strict=True):
        assert maps.keys() == others.keys()
        assert all(np.allclose(maps[place], others[place], atol=1e-6) for place in maps)
    assert bool(model.places) == (arm != "plain")


def test_a_description_without_masks_is_that_of_a_classifier() -> None:
    assert not described(per_pixel=False).shape.per_pixel
    assert described(windows=Windows(side=32)).shape == ImageShape(channels=3, size=32, classes=3, per_pixel=True)
    assert described().shape.size == SIDE


@pytest.mark.parametrize("variant", ["additive", "key"])
def test_onnx_has_the_logits_and_the_maps(variant: str, tmp_path: Path) -> None:
    """With joint attention at the bottleneck and, told by the signal of the decoder, in its first stage."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network = built("joint", variant=variant, point="gate", at="bottleneck,up1.join").network.network
    assert isinstance(network, Segmenter)
    model, images = WithMaps(network).eval(), torch.randn(2, 3, 40, 56)
    logits, maps = model(images)
    assert logits.shape == (2, 3, 40, 56)
    assert list(maps) == ["bottleneck", "up1.join"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own use of torch
        torch.onnx.export(model, (images,), tmp_path / "model.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    assert len(outputs) == 1 + len(maps)
    for output, expected in zip(outputs, (logits, *maps.values()), strict=True):
        np.testing.assert_allclose(output, expected.detach(), atol=1e-4, rtol=1e-4)
    assert all(np.ptp(output) > 1e-4 for output in outputs), "a map is flat, and tells nothing"
