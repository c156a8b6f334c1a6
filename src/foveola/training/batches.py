"""Batches of preprocessed images, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from foveola.data.stored.preprocessing import Scaling

Batch = tuple[Tensor, Tensor]


class PixelRows(Dataset[Batch]):
    """Some rows of the cached images with their labels; a batch is read at once.

    Args:
        pixels: All images of the cohort, ``N x C x H x W``, usually a memory map.
        rows: Which of them belong here.
        labels: The labels of those rows.
        masks: The masks of all images of the cohort, ``N x H x W``, usually a memory map; the targets, where there are
            some, instead of the labels.
    """

    def __init__(
        self, pixels: np.ndarray, rows: np.ndarray, labels: np.ndarray, masks: np.ndarray | None = None
    ) -> None:
        self.pixels, self.rows, self.labels = pixels, rows, torch.as_tensor(labels, dtype=torch.long)
        self.masks = masks

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Returns ``B x C x H x W`` unscaled images, and their ``B`` labels or ``B x H x W`` masks."""
        wanted = np.asarray(indices)
        images = torch.from_numpy(self.pixels[self.rows[wanted]])
        if self.masks is not None:
            return images, torch.from_numpy(self.masks[self.rows[wanted]])
        return images, self.labels[torch.from_numpy(wanted)]

    def loader(self, batch_size: int, seed: int | None = None) -> DataLoader[Batch]:
        """Returns batches in order, or shuffled anew each epoch where a seed is given."""
        sampler = EpochBatches(len(self), batch_size, seed)
        return DataLoader(self, batch_sampler=sampler, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch


class EpochBatches(Sampler[list[int]]):
    """Indices of the batches of one epoch, the same for every arm with the same seed and for a resumed run.

    A last batch of one image, which batch norm cannot train on, joins the batch before it.
    """

    def __init__(self, count: int, batch_size: int, seed: int | None) -> None:
        self.count, self.batch_size, self.seed, self.epoch = count, batch_size, seed, 0
        self.sampler = self  # Lightning looks here for something with a `set_epoch`

    def set_epoch(self, epoch: int) -> None:
        """Tells which epoch comes next; Lightning calls this."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.count)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        stops = [min((part + 1) * self.batch_size, self.count) for part in range(len(self))]
        stops[-1] = self.count
        for start, stop in zip([0, *stops], stops, strict=False):
            yield order[start:stop].tolist()

    def __len__(self) -> int:
        full, rest = divmod(self.count, self.batch_size)
        return full + (rest > 1 or (rest == 1 and (self.seed is None or full == 0)))


class NormalisedBatches:
    """The training images as the image CNN sees them, in batches that can be gone through again and again."""

    def __init__(self, pixels: np.ndarray, rows: np.ndarray, scaling: Scaling, batch_size: int = 64) -> None:
        self.pixels, self.rows, self.scaling, self.batch_size = pixels, rows, scaling, batch_size

    def __iter__(self) -> Iterator[Tensor]:
        for start in range(0, len(self.rows), self.batch_size):
            rows = self.rows[start : start + self.batch_size]
            yield self.scaling.apply(torch.from_numpy(self.pixels[rows]))
