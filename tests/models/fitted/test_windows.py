"""Prediction in windows, on networks of which it is known what the whole image gives."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.foundation.errors import FoveolaError
from foveola.models.fitted.windows import Windows, in_windows

SIZES = [(48, 48), (50, 70), (33, 95), (20, 41), (7, 5)]
"""Of images: multiples of half a window, not divisible, one side or both smaller than a window."""


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("size", SIZES)
def test_a_constant_network_gives_a_constant(size: tuple[int, int], overlap: float) -> None:
    shapes = []

    def constant(window: Tensor) -> Tensor:
        shapes.append(tuple(window.shape[1:]))
        return torch.full((len(window), 2, *window.shape[2:]), 3.5)

    result = in_windows(constant, torch.rand(2, 3, *size), Windows(side=32, overlap=overlap))
    assert result.shape == (2, 2, *size)
    assert (result - 3.5).abs().max() < 1e-5
    assert set(shapes) == {(3, 32, 32)}, "a network sees windows of one size alone"


@pytest.mark.parametrize("overlap", [0.0, 0.5])
@pytest.mark.parametrize("size", SIZES)
def test_what_a_pixel_alone_decides_is_that_of_the_whole_image(size: tuple[int, int], overlap: float) -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, *size)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    with torch.no_grad():
        whole = network(images)
        result = in_windows(network, images, Windows(side=32, overlap=overlap))
        assert in_windows(network, images, None).equal(whole)
    assert torch.allclose(result, whole, atol=1e-5)


def slow_blend(image: np.ndarray, side: int, starts: list[int]) -> np.ndarray:
    """Puts the windows of an image together whose every pixel is the number of its window, weighted by Gaussians."""
    distance = np.arange(side) - (side - 1) / 2
    weight = np.exp(-(distance**2) / (2 * (side / 8) ** 2))
    weights = np.maximum(np.outer(weight, weight), 1e-3)
    total, sums, number = np.zeros(image.shape), np.zeros(image.shape), 0
    for row in starts:
        for column in starts:
            part = np.s_[row : row + side, column : column + side]
            total[part] += number * weights
            sums[part] += weights
            number += 1
    return total / sums


def test_windows_are_blended_with_gaussian_weights() -> None:
    """The middle of a window counts most, and a seam is nowhere."""
    number = 0

    def counting(window: Tensor) -> Tensor:
        nonlocal number
        values = torch.arange(number, number + len(window)).float()
        number += len(window)
        return values[:, None, None, None].repeat(1, 1, *window.shape[2:])

    result = in_windows(counting, torch.rand(1, 1, 48, 48), Windows(side=32, overlap=0.5))[0, 0].numpy()
    np.testing.assert_allclose(result, slow_blend(result, 32, [0, 16]), atol=1e-2)
    assert result[0, 0] == 0
    assert result[-1, -1] == pytest.approx(3)
    assert np.abs(np.diff(result, axis=1)).max() < 0.6, "neighbours differ by 1 where windows lie side by side"


def test_the_windows_of_all_images_are_looked_at() -> None:
    images = torch.arange(3.0)[:, None, None, None].expand(3, 1, 40, 36)
    result = in_windows(lambda window: 2 * window, images, Windows(side=32))
    assert torch.allclose(result, 2 * images)


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai.inferers", None)
    images = torch.rand(1, 1, 40, 40)
    assert in_windows(lambda window: window, images, None) is images
    with pytest.raises(FoveolaError, match=r'the package monai, .* run `pip install "foveola\[segmentation\]"`'):
        in_windows(lambda window: window, images, Windows(side=32))
