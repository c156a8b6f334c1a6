"""The maps of a fitted model, image by image, against a slow walk through the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.attention import Attended, FixedMask, Mechanism
from foveola.attention.algebra import Pointwise, Shared
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.models import BackboneSettings, FittedModel, ModelDescription


class Look(Mechanism):
    """Gates every position by its own brightness, and tells of a second use that all images share."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = SharedLook()

    def operator(self, features: Tensor, *context: Any) -> Pointwise:
        return Pointwise(torch.sigmoid(features.mean(1, keepdim=True)))

    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        self.shared(attended)
        return attended


class SharedLook(Mechanism):
    def operator(self, features: Tensor, *context: Any) -> Shared:
        return Shared(torch.linspace(0, 1, features[0, 0].numel()).view(features.shape[2:]))


def fitted(*, masked: bool = False, looks: bool = False) -> FittedModel:
    """A model that was never trained; it may look, behind its first and its second convolution."""
    torch.manual_seed(3)
    network = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        Look() if looks else nn.Identity(),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(5, 7, 3, padding=1),
        Look() if looks else nn.Identity(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(7, 3),
    )
    network(torch.rand(9, 3, 16, 16))  # so that batch norm has seen something
    description = ModelDescription(
        arm="global" if masked else "plain",
        arm_settings={},
        fold=2,
        seed=1,
        epoch=7,
        classes=("late", "early", "none"),
        channels=3,
        backbone=BackboneSettings(name="small-cnn"),
        preprocessing=Preprocessing(image_size=16),
        attention={},
        scaling=Scaling(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)),
    )
    return FittedModel(Attended(network, FixedMask(torch.rand(16, 16)) if masked else None).eval(), description)


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(6).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)


def slow_maps(model: FittedModel, image: np.ndarray) -> dict[str, np.ndarray]:
    """Goes through the network layer by layer with one image, and reads what the gates must be."""
    scaling = model.description.scaling
    scaled = np.stack([(image[k] / 255 - scaling.mean[k]) / scaling.std[k] for k in range(3)])
    features = torch.from_numpy((scaled * (1 if model.map is None else model.map))[None].astype(np.float32))
    expected = {} if model.map is None else {"input": model.map}
    with torch.no_grad():
        for place, layer in enumerate(model.network.network):  # type: ignore[arg-type]
            if isinstance(layer, Look):
                inner = features[0].double().numpy()
                expected[f"{place}"] = 1 / (1 + np.exp(-inner.mean(0)))
                expected[f"{place}.shared"] = np.linspace(0, 1, inner[0].size).reshape(inner.shape[1:])
            features = layer(features)
    return expected


@pytest.mark.parametrize("masked", [True, False])
def test_maps_are_those_of_one_image_at_a_time(masked: bool) -> None:
    model = fitted(masked=masked, looks=True)
    given = list(model.maps(pixels(7), batch_size=3))
    assert len(given) == 7
    sizes = {"input": (16, 16)} if masked else {}
    sizes |= {"1": (16, 16), "1.shared": (16, 16), "6": (8, 8), "6.shared": (8, 8)}
    assert model.places == sizes
    for maps, image in zip(given, pixels(7), strict=True):
        assert {place: values.shape for place, values in maps.items()} == sizes
        for place, expected in slow_maps(model, image).items():
            np.testing.assert_allclose(maps[place], expected, atol=1e-5)


def test_the_maps_of_an_image_depend_on_no_other() -> None:
    model, images = fitted(looks=True), pixels(37)
    every = list(model.maps(images))
    for rows in ([5], [36, 0, 36], list(range(3, 36))):
        some = list(model.maps(images, np.array(rows)))
        assert len(some) == len(rows)
        for row, maps in zip(rows, some, strict=True):
            assert all(np.array_equal(values, every[row][place]) for place, values in maps.items())
    assert list(model.maps(images, np.array([], int))) == []
    gates = [maps["6"] for maps in every]
    assert not any(np.array_equal(gates[0], other) for other in gates[1:])


def test_no_more_than_a_batch_is_held_at_a_time() -> None:
    """Maps come as they are asked for: of a hundred images, the first needs one batch."""
    model, seen = fitted(looks=True), list[int]()
    model.network.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    next(model.maps(pixels(100), batch_size=4))
    assert seen == [1, 4], "one blank image to learn the places, then a batch"


def test_a_mask_is_the_map_of_every_image_and_no_network_is_asked() -> None:
    model, seen = fitted(masked=True), list[int]()
    assert model.places == {"input": (16, 16)}
    model.network.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    every = list(model.maps(pixels(5)))
    assert len(every) == 5
    assert seen == [1]
    assert model.map is not None
    assert all(list(maps) == ["input"] and np.array_equal(maps["input"], model.map) for maps in every)


def test_a_network_without_attention_has_no_maps() -> None:
    assert fitted().places == {}
    assert list(fitted().maps(pixels(2))) == [{}, {}]


def test_asking_for_maps_leaves_nothing_behind() -> None:
    model = fitted(masked=True, looks=True)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    expected = model.probabilities(pixels(5))
    list(model.maps(pixels(5)))
    assert np.array_equal(model.probabilities(pixels(5)), expected)
    assert all(torch.equal(value, before[name]) for name, value in model.network.state_dict().items())
    assert not any(isinstance(value, Tensor) for module in model.network.modules() for value in vars(module).values())
