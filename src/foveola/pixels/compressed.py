"""The compressed pixel representation: the image set's own eigen-images, found by streaming over the set."""

from __future__ import annotations

import logging
import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from foveola.pixels.representation import Batches, PixelRepresentation, checked_batches

log = logging.getLogger(__name__)

LOW_ENERGY = 0.8


def compressed_representation(
    images: Batches, dim: int = 64, *, oversampling: int = 10, power_passes: int = 1, seed: int = 0
) -> PixelRepresentation:
    """Returns the ``dim`` strongest eigen-images of the set, scaled by their singular values.

    Write P as the ``NC x HW`` matrix ``A = U S V'``. A first layer mixes the rows of P linearly at every tap, so P
    matters only through its row space, and ``P_d = S_d V_d'`` gives every first layer that P gives when d is the rank
    of A; for smaller d the error is the energy left out. The rows are multiplied by ``sqrt(NC / d)``, with which Adam
    moves the map as far per step as with P itself; `PixelCNN` divides its initial weights by the same number.

    ``V_d`` comes from a randomised range finder (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1): the sketch
    ``Y = G A`` with a Gaussian G, its rows made orthonormal (Q), ``power_passes`` times replaced by those of
    ``A'A Q'``, and the eigenvectors of the small matrix ``(A Q')'(A Q')``. Each pass goes once through the images and
    is a sum over batches. Memory is O((d + oversampling) HW), whatever N.

    Args:
        images: The training images as the image CNN sees them; gone through ``2 + power_passes`` times.
        dim: d, at least 1; lowered to ``min(NC, HW)`` where it is larger.
        oversampling: How many more directions than d the sketch holds.
        power_passes: More passes sharpen the subspace where the spectrum falls slowly.
        seed: Of the Gaussian G.

    Example:
        >>> representation = compressed_representation(torch.rand(7, 3, 12, 10), dim=5)
        >>> representation.features.shape, representation.rows, representation.energy > 0.75
        (torch.Size([5, 12, 10]), 21, True)
    """
    if dim < 1:
        raise ValueError(f"a compressed representation has at least one dimension, got dim={dim}")
    sketch, rows, total_energy, (height, width) = _sketch(images, dim + oversampling, seed)
    sketch = sketch[: min(dim + oversampling, rows, height * width)]
    basis = _orthonormal_rows(sketch)
    for _ in range(power_passes):
        basis = _orthonormal_rows(_power_pass(images, basis))
    eigenvalues, vectors = torch.linalg.eigh(_gram(images, basis))
    dim = min(dim, len(basis))
    eigenvalues, vectors = eigenvalues.flip(0)[:dim].clamp(min=0), vectors.flip(1)[:, :dim]
    eigen_images = (eigenvalues.sqrt() * vectors).T.to(basis) @ basis
    energy = float(eigenvalues.sum()) / total_energy if total_energy else 1.0
    if energy < LOW_ENERGY:
        log.warning(
            "the compressed pixel representation keeps only %.0f %% of the energy with %d dimensions: "
            "the images may not be structured enough, or more dimensions are needed",
            100 * energy,
            dim,
        )
    scale = math.sqrt(rows / dim)
    features = scale * eigen_images.reshape(dim, height, width)
    return PixelRepresentation(features, rows=rows, scale=scale, energy=min(energy, 1.0), kind="compressed")


def _sketch(images: Batches, size: int, seed: int) -> tuple[Float[Tensor, "l p"], int, float, tuple[int, int]]:
    """Returns G A, the number of rows of A, its squared Frobenius norm, and the image size.

    NumPy draws G: its numbers for a row of A are the same however the rows are cut into batches.
    """
    generator = np.random.default_rng(seed)
    sketch, rows, total = torch.zeros(()), 0, 0.0
    height = width = 0
    for batch in checked_batches(images):
        matrix = _matrix(batch)
        gaussian = torch.from_numpy(generator.standard_normal((len(matrix), size))).to(matrix)
        sketch = sketch.to(matrix) + gaussian.T @ matrix
        total += float(matrix.square().sum(dtype=torch.float64))
        rows += len(matrix)
        height, width = batch.shape[2:]
    return sketch, rows, total, (height, width)


def _power_pass(images: Batches, basis: Float[Tensor, "l p"]) -> Float[Tensor, "l p"]:
    """Returns (A'A Q')', a sum over batches."""
    result = torch.zeros_like(basis)
    for batch in checked_batches(images):
        matrix = _matrix(batch)
        result += (matrix @ basis.T).T @ matrix
    return result


def _gram(images: Batches, basis: Float[Tensor, "l p"]) -> Float[Tensor, "l l"]:
    """Returns (A Q')'(A Q') in double precision, a sum over batches."""
    gram = torch.zeros(len(basis), len(basis), dtype=torch.float64)
    for batch in checked_batches(images):
        projections = (_matrix(batch) @ basis.T).double().cpu()
        gram += projections.T @ projections
    return gram


def _matrix(batch: Float[Tensor, "b c h w"]) -> Float[Tensor, "n p"]:
    return batch.flatten(0, 1).flatten(1).float()


def _orthonormal_rows(matrix: Float[Tensor, "l p"]) -> Float[Tensor, "l p"]:
    columns: Tensor = torch.linalg.qr(matrix.double().T).Q
    return columns.T.to(matrix)
