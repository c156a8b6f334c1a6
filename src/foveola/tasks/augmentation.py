"""Augmentation: random views of training images, in which image and mask move together."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Shaped, UInt8
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foveola.foundation.settings import Settings


class AugmentationSettings(Settings):
    """How far a view may differ from its image; the defaults change nothing.

    Attributes:
        flip: Whether to mirror left and right, every other time.
        turn: Whether to turn by a random multiple of 90 degrees.
        rotate_degrees: Greatest rotation to either side.
        zoom: Greatest enlargement or reduction: a factor between ``1 - zoom`` and ``1 + zoom``.
        brightness: Greatest shift of all intensities, which are in 0..1.
        contrast: Greatest change of contrast about the mean of the view: a factor between ``1 - contrast`` and
            ``1 + contrast``.

    Example:
        >>> AugmentationSettings().moves, AugmentationSettings(turn=True).moves
        (False, True)
    """

    flip: bool = False
    turn: bool = False
    rotate_degrees: float = Field(0.0, ge=0, le=180)
    zoom: float = Field(0.0, ge=0, lt=1)
    brightness: float = Field(0.0, ge=0, le=1)
    contrast: float = Field(0.0, ge=0, lt=1)

    @property
    def moves(self) -> bool:
        """Whether pixels may end up elsewhere."""
        return self.flip or self.turn or self.rotate_degrees > 0 or self.zoom > 0


USUAL = AugmentationSettings(flip=True, turn=True, rotate_degrees=20, zoom=0.15, brightness=0.05, contrast=0.2)
"""What training for segmentation does unless it is told otherwise."""


def random_views(
    images: Shaped[Tensor, "b c h w"],
    masks: UInt8[Tensor, "b h w"] | None,
    settings: AugmentationSettings,
    *,
    patch: int | None = None,
    count: int = 1,
) -> tuple[Float[Tensor, "v c i j"], UInt8[Tensor, "v i j"] | None]:
    """Draws views of every image, each with what its mask shows there.

    A view is the image seen through a square frame that is mirrored, turned, zoomed and, where it is smaller than the
    image, put at a random place inside. One grid of positions serves both: the image is interpolated linearly between
    pixels and the mask takes the nearest one; beyond the border both are mirrored. What is drawn comes from PyTorch's
    global generator.

    Args:
        images: Stored pixels, ``uint8`` in 0..255 or floats in 0..1.
        masks: Class numbers; ``None`` where there are none.
        settings: How far views may differ.
        patch: Side of the frame; the whole image where it is ``None`` or larger than that.
        count: Views of each image, which lie one behind the other.

    Returns:
        Intensities in 0..1, ``float32``, and masks.

    Example:
        >>> images, masks = torch.rand(2, 3, 12, 10), torch.zeros(2, 12, 10, dtype=torch.uint8)
        >>> views, seen = random_views(images, masks, USUAL, patch=8, count=3)
        >>> views.shape, seen.shape
        (torch.Size([6, 3, 8, 8]), torch.Size([6, 8, 8]))
    """
    intensities = images.float() / 255 if images.dtype == torch.uint8 else images
    intensities = intensities.repeat_interleave(count, dim=0)
    masks = None if masks is None else masks.repeat_interleave(count, dim=0)
    height, width = images.shape[2:]
    frame = (height, width) if patch is None else (min(patch, height), min(patch, width))
    if settings.moves or frame != (height, width):
        grid = _positions(len(intensities), (height, width), frame, settings).to(images.device)
        intensities = _sampled(intensities, grid, "bilinear")
        if masks is not None:
            masks = _sampled(masks[:, None].float(), grid, "nearest")[:, 0].to(torch.uint8)
    return _recoloured(intensities, settings), masks


def _positions(
    count: int, size: tuple[int, int], frame: tuple[int, int], settings: AugmentationSettings
) -> Float[Tensor, "count i j 2"]:
    """Returns where in the image every pixel of a frame lies, x and y in units of half the image from its middle."""
    rows, columns = (torch.arange(side) - (side - 1) / 2 for side in frame)
    offsets = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=2).flip(2).reshape(-1, 2)
    # whole steps, so that a frame that is only shifted hits pixels and nothing is interpolated
    room = torch.tensor([size[1] - frame[1], size[0] - frame[0]])
    corner = (torch.rand(count, 2) * (room + 1)).floor().minimum(room)
    centre = corner - room / 2
    where = offsets @ _motion(count, settings, square=frame[0] == frame[1]).transpose(1, 2) + centre[:, None]
    scaled = where * 2 / torch.tensor([size[1], size[0]])
    return scaled.reshape(count, *frame, 2)


def _motion(count: int, settings: AugmentationSettings, *, square: bool) -> Float[Tensor, "count 2 2"]:
    """Returns a matrix a view: rotation and zoom, then quarter turns (half turns of a frame that is not square)."""
    angle = math.radians(settings.rotate_degrees) * (2 * torch.rand(count) - 1)
    quarters = torch.randint(4, (count,)) if settings.turn else torch.zeros(count, dtype=torch.long)
    quarters = quarters if square else 2 * (quarters // 2)
    mirrored = torch.where(torch.rand(count) < 0.5, -1.0, 1.0) if settings.flip else torch.ones(count)
    zoom = 1 / (1 + settings.zoom * (2 * torch.rand(count) - 1))
    cos, sin = zoom * torch.cos(angle), zoom * torch.sin(angle)
    exact = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])[quarters]  # cosine and sine, not rounded
    rotation = torch.stack([cos, -sin, sin, cos], dim=1).reshape(count, 2, 2)
    turn = torch.stack([exact[:, 0], -exact[:, 1], exact[:, 1], exact[:, 0]], dim=1).reshape(count, 2, 2)
    mirror = torch.diag_embed(torch.stack([mirrored, torch.ones(count)], dim=1))
    return rotation @ turn @ mirror


def _sampled(values: Float[Tensor, "v c h w"], grid: Float[Tensor, "v i j 2"], mode: str) -> Float[Tensor, "v c i j"]:
    return functional.grid_sample(values, grid, mode=mode, padding_mode="reflection", align_corners=False)


def _recoloured(images: Float[Tensor, "v c h w"], settings: AugmentationSettings) -> Float[Tensor, "v c h w"]:
    if settings.contrast:
        factor = 1 + settings.contrast * (2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1)
        mean = images.mean((1, 2, 3), keepdim=True)
        images = mean + factor * (images - mean)
    if settings.brightness:
        images = images + settings.brightness * (2 * torch.rand(len(images), 1, 1, 1, device=images.device) - 1)
    return images.clamp(0, 1) if settings.contrast or settings.brightness else images
