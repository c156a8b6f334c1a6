"""Predictions over views: what is learned in one direction alone comes out the same in all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from foveola.models.fitted.test_time_views import Views, over_views

IMAGES = torch.randn(2, 3, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def rightwards(images: Tensor) -> Tensor:
    """A network that knows left from right and top from bottom."""
    return images.cumsum(3) * torch.arange(images.shape[2], dtype=images.dtype)[:, None]


def dihedral(predict: object, images: Tensor) -> Tensor:
    """The mean over four quarter turns of the image and of its mirror image, each turned back."""
    total = torch.zeros_like(images)
    for mirrored in (False, True):
        for quarters in range(4):
            view = torch.rot90(images.flip(3) if mirrored else images, quarters, (2, 3))
            back = torch.rot90(predict(view), -quarters, (2, 3))  # type: ignore[operator]
            total += back.flip(3) if mirrored else back
    return total / 8


def test_one_view_is_the_image_itself() -> None:
    assert torch.equal(over_views(rightwards, IMAGES, 1), rightwards(IMAGES))


def test_eight_views_are_all_turns_and_mirror_images() -> None:
    torch.testing.assert_close(over_views(rightwards, IMAGES, 8), dihedral(rightwards, IMAGES))


@pytest.mark.parametrize(("views", "turns"), [(4, (2,)), (8, (1, 2, 3))])
def test_predictions_turn_with_the_image(views: Views, turns: tuple[int, ...]) -> None:
    whole = over_views(rightwards, IMAGES, views)
    assert not torch.allclose(whole, rightwards(IMAGES))
    torch.testing.assert_close(over_views(rightwards, IMAGES.flip(3), views).flip(3), whole)
    for quarters in turns:
        turned = over_views(rightwards, torch.rot90(IMAGES, quarters, (2, 3)), views)
        torch.testing.assert_close(torch.rot90(turned, -quarters, (2, 3)), whole)
