"""Global spatial attention: its equation, its options, and that it finds where the signal is."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, GlobalAttention, attach
from foveola.foundation.errors import FoveolaError
from foveola.maps.score import truth_auc
from foveola.pixels import PixelCNN, compressed_representation, exact_representation


def draw(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 12, 10, generator=torch.Generator().manual_seed(seed))


def test_the_map_is_the_sigmoid_of_the_pixel_cnn_and_the_penalty_its_mean() -> None:
    torch.manual_seed(2)
    attention = GlobalAttention.from_images(draw(7), hidden=4, penalty=0.3)
    logits = attention.network().detach().double().numpy()
    expected = 1 / (1 + np.exp(-logits))
    np.testing.assert_allclose(attention.map().numpy(), expected, rtol=1e-5)
    assert attention.penalty(attention.weights()).item() == pytest.approx(0.3 * expected.mean(), rel=1e-5)


def test_the_map_depends_on_the_images_it_was_fitted_to_and_on_no_others() -> None:
    training, others = draw(7), draw(5, seed=1)
    torch.manual_seed(2)
    attention = GlobalAttention.from_images(training, hidden=4)
    before = attention.map()
    attention(others)
    assert torch.equal(attention.map(), before)
    changed = training.clone()
    changed[6, 2, 11, 9] += 1
    torch.manual_seed(2)
    assert not torch.equal(GlobalAttention.from_images(changed, hidden=4).map(), before)


@pytest.mark.parametrize("representation", ["exact", "compressed"])
def test_one_seed_one_map(representation: Literal["exact", "compressed"]) -> None:
    maps = []
    for seed in (2, 2, 3):
        torch.manual_seed(seed)
        maps.append(GlobalAttention.from_images(draw(9), representation=representation, dim=6, hidden=4).map())
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])


def test_options_reach_the_representation() -> None:
    images = draw(9)
    exact = GlobalAttention.from_images(images, hidden=4)
    assert exact.facts() == {"representation": "exact", "rows": 27, "dim": 27, "energy_kept": 1.0}
    expected = compressed_representation(images, 6, seed=3)
    asked = GlobalAttention.from_images(images, representation="compressed", dim=6, seed=3, hidden=4)
    too_large = GlobalAttention.from_images(images, memory_mib=0.001, dim=6, seed=3, hidden=4)
    made_before = GlobalAttention.from_images(images, representation=expected, hidden=4)
    for attention in (asked, too_large, made_before):
        assert torch.equal(attention.network.features[0], expected.features)
        assert attention.facts()["dim"] == 6


def test_options_reach_the_pixel_cnn() -> None:
    options: dict[str, Any] = {"hidden": 4, "kernel": 5, "hidden_layers": 3, "last_kernel": 3, "dense": True}
    arm = ARMS["global"]
    assert arm.mask is not None
    expected = {
        name: value.shape for name, value in PixelCNN(exact_representation(draw(7)), **options).named_parameters()
    }
    fitted, built = GlobalAttention.from_images(draw(7), **options), arm.mask(draw(7), arm.configure(options))
    for network in (fitted.network, built.network):
        assert isinstance(network, PixelCNN)
        assert network.dense
        assert {name: value.shape for name, value in network.named_parameters()} == expected


def test_the_arm_passes_its_settings_on() -> None:
    arm = ARMS["global"]
    assert arm.mask is not None
    attention = arm.mask(draw(9), arm.configure({"pixel_memory": 0.001, "dim": 6, "hidden": 4, "penalty": 0.3}))
    assert attention.facts()["representation"] == "compressed"
    assert isinstance(attention, GlobalAttention)
    assert attention.network.features.shape == (1, 6, 12, 10)
    assert attention.penalty(torch.full((12, 10), 0.5)).item() == pytest.approx(0.15)


def test_bad_training_images_are_refused() -> None:
    with pytest.raises(FoveolaError, match="at least one image"):
        GlobalAttention.from_images(torch.zeros(0, 3, 12, 10))
    with pytest.raises(FoveolaError, match="got a generator"):
        GlobalAttention.from_images(images for images in [draw(7)])


def planted(seed: int) -> tuple[Tensor, Tensor, np.ndarray]:
    """120 images of 20 x 16: up to six spots outside a disc in every class, and three inside it in class 1 alone."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:20, :16]
    distance = np.hypot(y - 6, x - 10)
    inside, outside = np.argwhere(distance <= 2.3), np.argwhere(distance > 5.5)
    images = 0.15 * rng.standard_normal((120, 1, 20, 16)) + 0.4 * np.cos(y / 7) * np.sin(x / 5 + 0.4)
    labels = np.arange(120) % 2
    for image, label in zip(images[:, 0], labels, strict=True):
        nuisance = outside[rng.integers(len(outside), size=rng.integers(0, 7))]
        signal = inside[rng.integers(len(inside), size=3 * label)]
        for row, column in [*nuisance, *signal]:
            image += 1.5 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2)
    images = (images - images.mean()) / images.std()
    return torch.from_numpy(images).float(), torch.from_numpy(labels), distance <= 3.3


@pytest.mark.parametrize("representation", ["exact", "compressed"])
@pytest.mark.parametrize("seed", [2, 4])
def test_the_learned_map_finds_the_region_that_decides_the_class(
    representation: Literal["exact", "compressed"], seed: int
) -> None:
    images, labels, region = planted(seed)
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    )
    attention = GlobalAttention.from_images(images, representation=representation, dim=24, hidden=16, penalty=0.003)
    model = attach(network, attention)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(40):
        for batch in torch.split(torch.randperm(120), 30):
            logits, maps = model(images[batch], return_maps=True)
            loss = nn.functional.cross_entropy(logits, labels[batch]) + model.penalty(maps)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    model.freeze()
    assert model.attention is not None
    assert truth_auc(model.attention.map().numpy(), region) > 0.9
    assert (model(images).argmax(1) == labels).float().mean() > 0.9


def test_fit_is_another_name() -> None:
    for make in (GlobalAttention.from_images, GlobalAttention.fit):
        torch.manual_seed(4)
        mask = make(draw(7), hidden=4)
        assert type(mask) is GlobalAttention
        torch.manual_seed(4)
        assert torch.equal(mask.map(), GlobalAttention.from_images(draw(7), hidden=4).map())
