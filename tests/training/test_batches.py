"""Batches of preprocessed images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foveola.data.stored.preprocessing import Scaling
from foveola.training import NormalisedBatches, PixelRows
from foveola.training.batches import EpochBatches

counts, sizes = st.integers(1, 60), st.integers(2, 20)
seeds, epochs = st.integers(0, 2**31), st.integers(0, 300)


def batches(count: int, size: int, seed: int | None, epoch: int = 0) -> list[list[int]]:
    sampler = EpochBatches(count, size, seed)
    sampler.set_epoch(epoch)
    made = list(sampler)
    assert len(made) == len(sampler)
    return made


@given(counts, sizes, st.none() | seeds, epochs)
def test_every_index_comes_once_an_epoch(count: int, size: int, seed: int | None, epoch: int) -> None:
    made = batches(count, size, seed, epoch)
    assert sorted(index for batch in made for index in batch) == list(range(count))


@given(counts, sizes, seeds, epochs)
def test_no_shuffled_batch_is_of_one_image(count: int, size: int, seed: int, epoch: int) -> None:
    lengths = [len(batch) for batch in batches(count, size, seed, epoch)]
    assert all(length == size for length in lengths[:-1])
    assert 2 <= lengths[-1] <= size + 1 or count == 1
    assert (lengths[-1] == size + 1) == (count > size and count % size == 1)


@given(counts, sizes, epochs)
def test_without_a_seed_the_order_stays(count: int, size: int, epoch: int) -> None:
    made = batches(count, size, None, epoch)
    assert [index for batch in made for index in batch] == list(range(count))
    assert max(len(batch) for batch in made) <= size


@given(counts, sizes, seeds, epochs)
def test_the_order_depends_on_seed_and_epoch_alone(count: int, size: int, seed: int, epoch: int) -> None:
    assert batches(count, size, seed, epoch) == batches(count, size, seed, epoch)
    flat = [[index for batch in batches(count, other, seed, epoch) for index in batch] for other in (size, size + 1)]
    assert flat[0] == flat[1]


@given(seeds, epochs)
def test_the_order_differs_between_epochs_and_between_seeds(seed: int, epoch: int) -> None:
    orders = [batches(53, 8, *key) for key in [(seed, epoch), (seed, epoch + 1), (seed + 1, epoch)]]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_shuffles_as_numpy_does() -> None:
    flat = [index for batch in batches(23, 5, 7, 3) for index in batch]
    assert flat == np.random.default_rng([7, 3]).permutation(23).tolist()


def pixels(count: int = 7) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, 3, 12, 10), dtype=np.uint8)


def test_rows_of_a_memory_map_are_read_as_they_lie(tmp_path: Path) -> None:
    np.save(tmp_path / "pixels.npy", pixels())
    stored = np.load(tmp_path / "pixels.npy", mmap_mode="r")
    data = PixelRows(stored, np.array([6, 0, 3, 5]), np.array([2, 0, 1, 2]))
    images, labels = data.__getitems__([3, 0, 2])
    assert torch.equal(images, torch.from_numpy(pixels()[[5, 6, 3]]))
    assert images.dtype == torch.uint8
    assert labels.tolist() == [2, 2, 1]
    assert labels.dtype == torch.int64
    assert len(data) == 4


def test_the_loader_keeps_images_and_labels_together() -> None:
    data = PixelRows(pixels(), np.array([6, 0, 3, 5, 1]), np.array([6, 0, 3, 5, 1]))
    for seed in (None, 4):
        seen = []
        for images, labels in data.loader(2, seed):
            assert torch.equal(images, torch.from_numpy(pixels()[labels.numpy()]))
            seen += labels.tolist()
        assert sorted(seen) == [0, 1, 3, 5, 6]
        assert (seen == [6, 0, 3, 5, 1]) == (seed is None)
    assert [len(labels) for _, labels in data.loader(2, seed=4)] == [2, 3]
    assert [len(labels) for _, labels in data.loader(2)] == [2, 2, 1]


@pytest.mark.parametrize("size", [1, 3, 64])
def test_normalised_batches_can_be_gone_through_again(size: int) -> None:
    scaling = Scaling(mean=(0.5, 0.25, 0.125), std=(0.5, 0.25, 2.0))
    batched = NormalisedBatches(pixels(), np.array([5, 0, 2, 6]), scaling, batch_size=size)
    expected = pixels()[[5, 0, 2, 6]] / 255 - np.array([0.5, 0.25, 0.125]).reshape(3, 1, 1)
    expected /= np.array([0.5, 0.25, 2.0]).reshape(3, 1, 1)
    for _ in range(3):
        parts = list(batched)
        assert {part.dtype for part in parts} == {torch.float32}
        assert max(len(part) for part in parts) == min(size, 4)
        np.testing.assert_allclose(torch.cat(parts).numpy(), expected, rtol=1e-5, atol=1e-6)


def test_normalised_batches_see_no_other_row() -> None:
    stored = pixels()
    rows = np.array([5, 0, 2])
    scaling = Scaling(mean=(0.5,) * 3, std=(0.25,) * 3)
    before = torch.cat(list(NormalisedBatches(stored, rows, scaling)))
    stored[[1, 3, 4, 6]] = 0
    assert torch.equal(torch.cat(list(NormalisedBatches(stored, rows, scaling))), before)
