"""The compressed representation against a dense singular value decomposition."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foveola.pixels import PixelCNN, PixelRepresentation, compressed_representation, exact_representation


def images_with_spectrum(values: np.ndarray, *, count: int, seed: int = 0) -> Tensor:
    """Images ``count x 3 x 12 x 10`` whose matrix ``3 count x 120`` has exactly these singular values."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((3 * count, len(values))))[0]
    right = np.linalg.qr(rng.standard_normal((120, len(values))))[0]
    return torch.from_numpy((left * values) @ right.T).float().reshape(count, 3, 12, 10)


def as_matrix(images: Tensor) -> np.ndarray:
    count, channels, height, width = images.shape
    return images.double().numpy().reshape(count * channels, height * width)


def rows_of(representation: PixelRepresentation) -> np.ndarray:
    """The eigen-images scaled by their singular values, ``d x HW``, without the scale for the optimiser."""
    features = representation.features.double().numpy() / representation.scale
    return features.reshape(len(features), -1)


def smallest_cosine(basis: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the largest principal angle between the spaces that the rows of two matrices span."""
    first, second = np.linalg.qr(basis.T)[0], np.linalg.qr(other.T)[0]
    return float(np.linalg.svd(first.T @ second, compute_uv=False).min())


FALLING = 9.0 * 0.7 ** np.arange(40)
SLOW = 9.0 / np.sqrt(1 + np.arange(120))


class Counted:
    """Batches that can be gone through again and again; counts the passes."""

    def __init__(self, images: Tensor, batch_size: int) -> None:
        self.images, self.batch_size, self.passes = images, batch_size, 0

    def __iter__(self) -> Iterator[Tensor]:
        self.passes += 1
        yield from torch.split(self.images, self.batch_size)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(1, 12), st.integers(1, 3), st.integers(2, 6), st.integers(2, 6), st.integers(1, 12))
def test_at_full_rank_the_products_of_all_pixels_are_those_of_the_exact_one(
    count: int, channels: int, height: int, width: int, batch_size: int
) -> None:
    images = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(count))
    compressed = compressed_representation(torch.split(images, batch_size), dim=100)
    assert compressed.dim == min(count * channels, height * width)
    assert compressed.rows == count * channels
    rows, exact = rows_of(compressed), as_matrix(images)
    np.testing.assert_allclose(rows.T @ rows, exact.T @ exact, atol=2e-5 * np.square(exact).sum())
    assert compressed.energy == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("count", [17, 53])
def test_at_full_rank_every_first_layer_has_its_twin(count: int) -> None:
    """Fewer rows than pixels, and more: weights W on P give the map that W U gives on the compressed one."""
    torch.manual_seed(3)
    images = images_with_spectrum(9.0 * 0.9 ** np.arange(min(3 * count, 120)), count=count)
    exact = PixelCNN(exact_representation(images), hidden=6)
    compressed = PixelCNN(compressed_representation(images, 120), hidden=6)
    matrix, features = as_matrix(images), compressed.features[0].double().flatten(1).numpy()
    projection = np.linalg.lstsq(features.T, matrix.T, rcond=None)[0].T  # A = projection @ features
    compressed.load_state_dict(exact.state_dict() | {"first.weight": _projected(exact.first.weight, projection)})
    torch.testing.assert_close(torch.sigmoid(compressed()), torch.sigmoid(exact()), atol=1e-5, rtol=0)
    assert float(exact().detach().std()) > 1e-2, "a flat map would agree with everything"


def _projected(weight: Tensor, projection: np.ndarray) -> Tensor:
    return torch.einsum("kntu,nd->kdtu", weight.detach().double(), torch.from_numpy(projection)).float()


def test_projected_weights_keep_their_variance() -> None:
    """A is the features times a matrix with orthonormal columns, up to the scale for the optimiser."""
    images = images_with_spectrum(9.0 * 0.9 ** np.arange(51), count=17)
    left = np.linalg.lstsq(rows_of(compressed_representation(images, 51)).T, as_matrix(images).T, rcond=None)[0].T
    np.testing.assert_allclose(left.T @ left, np.eye(51), atol=1e-3)


@pytest.mark.parametrize("dim", [1, 5, 16])
def test_streamed_subspace_and_energy_are_those_of_the_dense_decomposition(dim: int) -> None:
    images = images_with_spectrum(FALLING, count=23)
    representation = compressed_representation(torch.split(images, 5), dim)
    _, values, right = np.linalg.svd(as_matrix(images), full_matrices=False)
    assert smallest_cosine(rows_of(representation), right[:dim]) > 1 - 1e-6
    assert representation.energy == pytest.approx(np.square(values[:dim]).sum() / np.square(values).sum(), abs=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows_of(representation), axis=1), values[:dim], rtol=1e-4)


def test_eigen_images_are_orthogonal_and_ordered_and_scaled_for_the_optimiser() -> None:
    representation = compressed_representation(images_with_spectrum(FALLING, count=23), 7)
    assert representation.kind == "compressed"
    assert representation.scale == pytest.approx(math.sqrt(69 / 7))
    gram = representation.features.flatten(1) @ representation.features.flatten(1).T
    np.testing.assert_allclose(gram, np.diag(np.square(FALLING[:7])) * 69 / 7, atol=0.05)
    assert (gram.diagonal().diff() < 0).all()


def test_a_power_pass_sharpens_a_slowly_falling_spectrum_and_never_beats_the_dense_one() -> None:
    best = np.square(SLOW[:8]).sum() / np.square(SLOW).sum()
    for seed in range(5):
        images = images_with_spectrum(SLOW, count=47, seed=seed)
        energies = [
            compressed_representation(images, 8, power_passes=passes, seed=seed).energy for passes in (0, 1, 2, 4)
        ]
        assert energies == sorted(energies)
        assert energies[0] < 0.97 * best < energies[1] <= best * (1 + 1e-6)
        assert energies[3] > 0.99 * best


@pytest.mark.parametrize("power_passes", [0, 1, 3])
def test_each_pass_goes_through_the_images_once(power_passes: int) -> None:
    source = Counted(images_with_spectrum(FALLING, count=23), 6)
    compressed_representation(source, 5, power_passes=power_passes)
    assert source.passes == 2 + power_passes


@pytest.mark.parametrize("spectrum", [FALLING, SLOW], ids=["falling", "slow"])
def test_the_size_of_the_batches_does_not_matter(spectrum: np.ndarray) -> None:
    images = images_with_spectrum(spectrum, count=47)
    whole = rows_of(compressed_representation([images], 6))
    for batch_size in (1, 5, 32):
        rows = rows_of(compressed_representation(torch.split(images, batch_size), 6))
        np.testing.assert_allclose(rows.T @ rows, whole.T @ whole, atol=1e-4)


def test_one_seed_gives_one_result_and_another_seed_a_close_one() -> None:
    images = images_with_spectrum(SLOW, count=47)
    first, again, other = (compressed_representation(images, 6, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(first.features, again.features)
    assert not torch.equal(first.features, other.features)
    assert smallest_cosine(rows_of(first), rows_of(other)) > 0.5
    assert first.energy == pytest.approx(other.energy, rel=0.02)


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(8)
    expected = torch.rand(3)
    torch.manual_seed(8)
    compressed_representation(images_with_spectrum(FALLING, count=23), 5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.float64])
def test_images_of_any_type(dtype: torch.dtype) -> None:
    images = (torch.arange(7 * 3 * 4 * 5) ** 2 % 200).reshape(7, 3, 4, 5)
    expected = compressed_representation(images.float(), 6)
    got = compressed_representation(images.to(dtype), 6)
    assert got.features.dtype == torch.float32
    assert torch.equal(got.features, expected.features)


def test_low_energy_is_said_with_its_share(caplog: pytest.LogCaptureFixture) -> None:
    noise = torch.randn(40, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    with caplog.at_level(logging.WARNING, "foveola"):
        representation = compressed_representation(noise, 5)
    (record,) = caplog.records
    assert representation.energy < 0.3
    assert f"only {100 * representation.energy:.0f} % of the energy with 5 dimensions" in record.getMessage()


def test_enough_energy_is_no_reason_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "foveola"):
        assert compressed_representation(images_with_spectrum(FALLING, count=23), 5).energy > 0.95
    assert not caplog.records


def test_blank_and_equal_images_lose_nothing() -> None:
    blank = compressed_representation(torch.zeros(7, 3, 12, 10), 5)
    assert blank.energy == 1
    assert torch.equal(blank.features, torch.zeros(5, 12, 10))
    equal = compressed_representation(torch.full((7, 3, 12, 10), 2.0), 5)
    assert equal.energy == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(np.square(rows_of(equal)).sum(0), 4 * 21, rtol=1e-5)


@pytest.mark.parametrize("dim", [0, -3])
def test_no_dimensions_are_refused(dim: int) -> None:
    with pytest.raises(ValueError, match=f"at least one dimension, got dim={dim}"):
        compressed_representation(torch.rand(7, 3, 12, 10), dim)
