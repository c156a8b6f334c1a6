"""Preprocessing: from an image as it was taken to a square of pixels, and from pixels to what a network sees.

Everything is declared once, in ``Preprocessing``. Cropping, mirroring, resizing and the choice of channels happen
before the images are cached (see ``frame``); ``Scaling`` is applied to batches, because it depends on which images are
trained on.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import Settings

DEFAULT_SIZE = 224
CONSTANT = 1e-8
"""Below this standard deviation, in units of intensity, a channel counts as constant."""
CHUNK = 2**22
"""How many values are held in ``float64`` at a time."""

log = logging.getLogger(__name__)


class Preprocessing(Settings):
    """How every image of a cohort becomes a square of pixels.

    Attributes:
        image_size: Side of the square in pixels; ``None`` for the source's default, else 224.
        fit: How an image that is not square becomes one, so that nothing of it is lost: ``stretch`` gives its sides one
            length; ``pad`` keeps its shape, makes the longer side ``image_size``, and lays it into the middle of zeros.
        crop: Left, top, right and bottom in source pixels, right and bottom exclusive; ``None`` for the whole image.
        flip: Whether right eyes are mirrored, so that both sides agree.
        channels: 1 or 3; ``auto`` is 1 if every image is grey, else 3.
        scaling: ``imagenet`` for the constants of the pretrained weights, ``training`` for the mean and standard
            deviation of the training images; ``auto`` is ``imagenet`` for a pretrained backbone, else ``training``.
        modes: ``strict`` refuses files that are neither 8-bit grey nor RGB; ``convert`` converts them.
        sizes: ``same`` refuses a cohort of differently sized images; ``any`` resizes them all to one size.
        masks: How a mask is reduced: ``nearest`` takes one of its pixels for each that is stored, ``majority`` the
            class that covers most of it, which keeps thin objects smooth.

    Example:
        >>> Preprocessing(image_size="96", crop="10,0,90,60").crop
        (10, 0, 90, 60)
    """

    image_size: Annotated[int, Field(ge=8, le=4096)] | None = None
    fit: Literal["stretch", "pad"] = "stretch"
    crop: tuple[int, int, int, int] | None = None
    flip: bool = True
    channels: Literal["auto", 1, 3] = "auto"
    scaling: Literal["auto", "imagenet", "training"] = "auto"
    modes: Literal["strict", "convert"] = "strict"
    sizes: Literal["same", "any"] = "same"
    masks: Literal["nearest", "majority"] = "nearest"

    @field_validator("crop", mode="before")
    @classmethod
    def _split_text(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value

    @field_validator("channels", mode="before")
    @classmethod
    def _number_from_text(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isdecimal() else value

    @field_validator("crop")
    @classmethod
    def _check_crop(cls, crop: tuple[int, int, int, int] | None) -> tuple[int, int, int, int] | None:
        if crop is not None and not (0 <= crop[0] < crop[2] and 0 <= crop[1] < crop[3]):
            raise ValueError("must be left, top, right, bottom with 0 <= left < right and 0 <= top < bottom")
        return crop


def resolve(user: Preprocessing, defaults: dict[str, Any]) -> Preprocessing:
    """Merges what the user set with the defaults of the source; what the user set goes before.

    The result has an ``image_size``, and resolving it again changes nothing.

    Example:
        >>> settings = resolve(Preprocessing(flip=False), {"image_size": 64, "flip": True})
        >>> settings.image_size, settings.flip
        (64, False)
    """
    chosen = {name: getattr(user, name) for name in user.model_fields_set}
    merged = {**defaults, **chosen}
    merged["image_size"] = user.image_size or defaults.get("image_size") or DEFAULT_SIZE
    return Preprocessing(**merged)


def check_crop(width: int, height: int, settings: Preprocessing, where: str) -> None:
    """Raises a ``FoveolaError`` if an image of this size does not hold the crop."""
    if settings.crop is not None and (settings.crop[2] > width or settings.crop[3] > height):
        raise FoveolaError(
            f"an image that holds the crop {','.join(map(str, settings.crop))}",
            f"{width} x {height} pixels",
            where,
            "give a smaller one with `--set preprocessing.crop=left,top,right,bottom`",
        )


class Scaling(Settings):
    """Shifts and stretches intensities, channel by channel.

    Attributes:
        mean: One number a channel, in units of intensity (0..1).
        std: One positive number a channel, in the same units.

    Example:
        >>> white = torch.full((1, 1, 2, 3), 255, dtype=torch.uint8)
        >>> Scaling(mean=(0.5,), std=(0.25,)).apply(white).unique().item()
        2.0
    """

    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]

    @model_validator(mode="after")
    def _check_lengths(self) -> Scaling:
        if not 0 < len(self.mean) == len(self.std):
            raise ValueError("mean and std must have one number a channel each")
        return self

    def apply(
        self, batch: Shaped[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Returns ``(intensity - mean) / std`` in ``float32``, or in the float type of the batch.

        Args:
            batch: ``uint8`` in 0..255, or floats in 0..1.
        """
        if batch.shape[1] != len(self.mean):
            raise ValueError(f"{batch.shape[1]} channels cannot be scaled by the constants of {len(self.mean)}")
        intensity = batch.float() / 255 if batch.dtype == torch.uint8 else batch
        mean, std = (intensity.new_tensor(constants).view(-1, 1, 1) for constants in (self.mean, self.std))
        return (intensity - mean) / std


IMAGENET = {1: Scaling(mean=(0.449,), std=(0.226,)), 3: Scaling(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))}
"""The constants of weights trained on ImageNet by the number of channels; for one channel the means of the three."""


def training_scaling(pixels: np.ndarray, indices: np.ndarray) -> Scaling:
    """Measures the mean and the standard deviation of every channel over some rows; no other row is read.

    The rows are streamed, so memory does not grow with their number, and their order does not matter. A channel that is
    constant is shifted and not stretched.

    Args:
        pixels: ``images x channels x height x width``, ``uint8`` or floats in 0..1.
        indices: The rows of the training images.

    Example:
        >>> pixels = np.array([0, 255, 255], np.uint8).reshape(3, 1, 1, 1)
        >>> training_scaling(pixels, np.array([0, 1]))
        Scaling(mean=(0.5,), std=(0.5,))
    """
    if len(indices) == 0:
        raise ValueError("the scaling of no images is not defined")
    rows = np.sort(np.asarray(indices))
    step = max(1, CHUNK // pixels[0].size)
    count, mean, squares = 0, np.zeros(pixels.shape[1]), np.zeros(pixels.shape[1])
    for start in range(0, len(rows), step):  # merges the moments of chunks, which loses no digits for large sets
        chunk = pixels[rows[start : start + step]].swapaxes(0, 1).reshape(pixels.shape[1], -1)
        if pixels.dtype == np.uint8:  # rounded as where other images make the whole array float
            chunk = chunk / np.float32(255)
        chunk = chunk.astype(np.float64)
        size, centre = chunk.shape[1], chunk.mean(axis=1)
        shift = centre - mean
        squares += ((chunk - centre[:, None]) ** 2).sum(axis=1) + shift**2 * (count * size / (count + size))
        mean += shift * (size / (count + size))
        count += size
    std = np.sqrt(squares / count)
    for channel in np.flatnonzero(std < CONSTANT):
        log.warning("channel %d is %.3g in every training image; it is not stretched", channel, mean[channel])
        std[channel] = 1.0
    return Scaling(mean=tuple(mean.tolist()), std=tuple(std.tolist()))
