"""The pixel CNN against the paper: its size, its equation, how it starts and how it moves."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from torch import Tensor

from foveola.pixels import PixelCNN, PixelRepresentation, compressed_representation, exact_representation

VARIANTS: list[dict[str, Any]] = [
    {"kernel": kernel, "hidden_layers": layers, "last_kernel": last, "dense": dense}
    for kernel, layers, last, dense in product((3, 5, 7), (1, 2, 3, 4), (1, 3, 5), (False, True))
]
SOME_VARIANTS: list[dict[str, Any]] = [
    {},
    {"kernel": 5, "last_kernel": 3},
    {"kernel": 7},
    {"hidden_layers": 2, "last_kernel": 5},
    {"hidden_layers": 4, "last_kernel": 3},
    {"hidden_layers": 3, "dense": True},
    {"hidden_layers": 2, "dense": True, "kernel": 5, "last_kernel": 3},
]


def parameters_of(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def draw_images(count: int, seed: int = 0) -> Tensor:
    """Structured images ``count x 3 x 9 x 7``: a few waves with falling strength, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.linspace(-1, 1, 9)[:, None], torch.linspace(-1, 1, 7)[None]
    waves = [(0.3, 0.2), (1.0, 0.5), (0.7, 1.2), (1.6, 1.1), (1.3, 2.1)]
    modes = torch.stack([torch.cos(math.pi * a * y + b) * torch.cos(math.pi * b * x + a) for a, b in waves])
    strengths = torch.randn(count, 3, 5, generator=generator) * torch.tensor([1.0, 0.6, 0.4, 0.3, 0.2])
    strengths[..., 0] += 0.8
    noise = torch.randn(count, 3, 9, 7, generator=generator)
    return torch.einsum("ncm,mhw->nchw", strengths, modes) + 0.1 * noise


@pytest.mark.parametrize("hidden", [32, 64, 128, 256])
def test_parameter_formula_of_the_paper(hidden: int) -> None:
    """K (9 N C + 1) + (K + 1) for N = 17 images of C = 3 channels, and K (9 d + 1) + (K + 1) compressed to d = 8."""
    images = draw_images(17)
    assert parameters_of(PixelCNN(exact_representation(images), hidden=hidden)) == (
        hidden * (9 * 17 * 3 + 1) + (hidden + 1)
    )
    assert parameters_of(PixelCNN(compressed_representation(images, 8), hidden=hidden)) == (
        hidden * (9 * 8 + 1) + (hidden + 1)
    )


def test_every_variant_has_its_parameters_and_keeps_the_size() -> None:
    hidden = 4
    representations = [exact_representation(draw_images(5)), compressed_representation(draw_images(5), 6)]
    for variant, representation in product(VARIANTS, representations):
        taps, layers, dense = variant["kernel"] ** 2, variant["hidden_layers"], variant["dense"]
        expected = hidden * (taps * representation.dim + 1)
        for before in range(1, layers):
            expected += hidden * (taps * hidden * (before if dense else 1) + 1)
        expected += variant["last_kernel"] ** 2 * hidden * (layers if dense else 1) + 1
        network = PixelCNN(representation, hidden=hidden, **variant)
        assert parameters_of(network) == expected, variant
        assert network().shape == (9, 7), variant


def test_variants_by_hand() -> None:
    """Counts worked out on paper for D = 15 features and K = 4."""
    representation = exact_representation(draw_images(5))
    counts = {
        (3, 1, 1, False): 544 + 5,
        (5, 1, 1, False): 1504 + 5,
        (7, 1, 1, False): 2944 + 5,
        (3, 3, 1, False): 544 + 148 + 148 + 5,
        (3, 1, 5, False): 544 + 101,
        (3, 3, 3, True): 544 + 148 + 292 + 109,
    }
    for (kernel, layers, last, dense), count in counts.items():
        network = PixelCNN(representation, hidden=4, kernel=kernel, hidden_layers=layers, last_kernel=last, dense=dense)
        assert parameters_of(network) == count


def convolve(inputs: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A convolution with stride 1 and zeros around, one multiplication at a time."""
    channels, height, width = inputs.shape
    side = weight.shape[-1]
    result = np.zeros((len(weight), height, width))
    for out, y, x in np.ndindex(result.shape):
        total = bias[out]
        for channel, i, j in np.ndindex(channels, side, side):
            row, column = y + i - side // 2, x + j - side // 2
            if 0 <= row < height and 0 <= column < width:
                total += weight[out, channel, i, j] * inputs[channel, row, column]
        result[out, y, x] = total
    return result


def slow_pixel_cnn(images: np.ndarray, state: dict[str, np.ndarray], hidden_layers: int, dense: bool) -> np.ndarray:
    """The logits from the images, as the paper's section 3.2 has it."""
    pixels = np.stack([images[n, c] for n in range(images.shape[0]) for c in range(images.shape[1])])
    names = ["first", *(f"hidden.{index}" for index in range(hidden_layers - 1)), "last"]
    seen = [pixels]
    for name in names:
        depth = len(seen) - 1
        inputs = np.concatenate(seen[1:]) if dense and depth > 0 else seen[-1]
        outputs = convolve(inputs, state[f"{name}.weight"], state[f"{name}.bias"])
        seen.append(np.maximum(outputs, 0) if name != "last" else outputs)
    return np.asarray(seen[-1][0])


@pytest.mark.parametrize("variant", SOME_VARIANTS, ids=str)
def test_logits_are_those_of_a_slow_pixel_cnn(variant: dict[str, Any]) -> None:
    torch.manual_seed(5)
    images = torch.randn(2, 2, 5, 4)
    network = PixelCNN(exact_representation(images), hidden=3, **variant)
    state = {name: value.double().numpy() for name, value in network.state_dict().items()}
    expected = slow_pixel_cnn(
        images.double().numpy(), state, variant.get("hidden_layers", 1), variant.get("dense", False)
    )
    np.testing.assert_allclose(network().detach().numpy(), expected, atol=1e-5)
    assert expected.std() > 1e-3


@settings(deadline=None, max_examples=15, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.integers(1, 6), st.sampled_from(SOME_VARIANTS))
def test_images_of_any_shape_keep_their_size(
    height: int, width: int, count: int, hidden: int, variant: dict[str, Any]
) -> None:
    network = PixelCNN(exact_representation(torch.ones(count, 1, height, width)), hidden=hidden, **variant)
    assert network().shape == (height, width)


def initial_logits(representation: PixelRepresentation, first_seed: int, **variant: Any) -> np.ndarray:
    """The logits of 300 fresh pixel CNNs, ``300 x H x W``."""
    maps = []
    for seed in range(first_seed, first_seed + 300):
        torch.manual_seed(seed)
        maps.append(PixelCNN(representation, hidden=5, **variant)().detach().numpy())
    return np.stack(maps)


PIXELS = [(4, 3), (0, 6), (8, 2)]


@pytest.mark.parametrize("variant", [{}, {"kernel": 5}], ids=str)
def test_the_initial_map_has_the_same_distribution_in_both(variant: dict[str, Any]) -> None:
    images = draw_images(40)
    exact = initial_logits(exact_representation(images), 0, **variant)
    compressed = initial_logits(compressed_representation(images, 8), 1000, **variant)
    error = exact.std(0) / math.sqrt(300)
    assert (np.abs(exact.mean(0) - compressed.mean(0)) < 5 * error).all()
    np.testing.assert_allclose(compressed.std(0), exact.std(0), rtol=0.2)
    for pixel in PIXELS:
        assert ks_2samp(exact[:, *pixel], compressed[:, *pixel]).pvalue > 0.001


def test_drawn_for_the_fan_in_of_the_compressed_one_the_map_would_start_elsewhere() -> None:
    images = draw_images(40)
    representation = compressed_representation(images, 8)
    exact = initial_logits(exact_representation(images), 0)
    mutant = initial_logits(replace(representation, rows=representation.dim), 1000)
    for pixel in PIXELS:
        assert ks_2samp(exact[:, *pixel], mutant[:, *pixel]).pvalue < 0.001
    assert (mutant.std(0) > 1.7 * exact.std(0)).all()


def test_the_scale_does_not_reach_the_initial_map() -> None:
    representation = compressed_representation(draw_images(40), 8)
    unscaled = replace(representation, features=representation.features / representation.scale, scale=1.0)
    np.testing.assert_allclose(initial_logits(representation, 0), initial_logits(unscaled, 0), atol=1e-5)


def first_move(representation: PixelRepresentation) -> float:
    """How far one Adam step towards a region moves the map, in the mean over pixels and twenty fresh networks."""
    region = torch.zeros(9, 7)
    region[2:5, 1:4] = 1
    moves = []
    for seed in range(20):
        torch.manual_seed(seed)
        network = PixelCNN(representation, hidden=5)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
        before = torch.sigmoid(network())
        torch.autograd.backward(-(before * (region - region.mean())).sum())
        optimizer.step()
        moves.append((torch.sigmoid(network()) - before).abs().mean().item())
    return float(np.mean(moves))


def test_one_step_of_adam_moves_the_map_as_far_in_both_because_of_the_scale() -> None:
    images = draw_images(40)
    representation = compressed_representation(images, 8)
    unscaled = replace(representation, features=representation.features / representation.scale, scale=1.0)
    exact, compressed, mutant = map(first_move, (exact_representation(images), representation, unscaled))
    assert 0.5 < compressed / exact < 2
    assert mutant / exact < 0.4


def test_features_are_no_part_of_the_state_and_follow_the_module() -> None:
    network = PixelCNN(exact_representation(draw_images(5)), hidden=4, hidden_layers=2)
    assert set(network.state_dict()) == {
        f"{layer}.{part}" for layer in ("first", "hidden.0", "last") for part in ("weight", "bias")
    }
    assert network.double()().dtype == torch.float64
    assert not network.features.requires_grad


@pytest.mark.parametrize("variant", SOME_VARIANTS, ids=str)
def test_every_parameter_learns(variant: dict[str, Any]) -> None:
    torch.manual_seed(2)
    network = PixelCNN(exact_representation(draw_images(5)), hidden=4, **variant)
    torch.autograd.backward((network() * torch.randn(9, 7)).sum())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("even", [{"kernel": 4}, {"last_kernel": 2}], ids=str)
def test_even_kernels_are_refused(even: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="kernels must be odd"):
        PixelCNN(exact_representation(draw_images(5)), **even)
