"""Random views: image and mask move together, and what is asked for is what happens."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from foveola.tasks.augmentation import USUAL, AugmentationSettings, random_views

NOTHING = AugmentationSettings()


def smooth_images(count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Images whose intensity is above one half just where their mask is 1, and falls off slowly beside."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.linspace(0.3, 0.7, count)
    distance = [torch.hypot(y - c * height, 1.3 * (x - 0.45 * width)) for c in centres]
    images = torch.stack([1 / (1 + (d / (0.25 * height)) ** 2) for d in distance])[:, None]
    return images, (images[:, 0] > 0.5).to(torch.uint8)


@pytest.mark.parametrize(
    "settings",
    [
        NOTHING,
        AugmentationSettings(flip=True),
        AugmentationSettings(turn=True),
        AugmentationSettings(rotate_degrees=70),
        AugmentationSettings(zoom=0.4),
        USUAL.model_copy(update={"brightness": 0.0, "contrast": 0.0}),
    ],
    ids=["nothing", "flip", "turn", "rotate", "zoom", "usual"],
)
@pytest.mark.parametrize("patch", [None, 24])
def test_image_and_mask_stay_together(settings: AugmentationSettings, patch: int | None) -> None:
    torch.manual_seed(3)
    images, masks = smooth_images(3, 60, 50)
    views, seen = random_views(images, masks, settings, patch=patch, count=5)
    assert seen is not None
    # the mask of a view is where its image is above one half, but for pixels that lie on the edge
    sure = (views[:, 0] - 0.5).abs() > 0.06
    assert torch.equal(seen[sure] == 1, (views[:, 0] > 0.5)[sure])
    assert sure.float().mean() > 0.8
    assert len(views) == 15


def test_no_change_returns_the_image_itself() -> None:
    images = torch.randint(0, 256, (2, 3, 12, 10), dtype=torch.uint8)
    masks = torch.randint(0, 3, (2, 12, 10), dtype=torch.uint8)
    views, seen = random_views(images, masks, NOTHING)
    assert torch.equal(views, images.float() / 255)
    assert seen is not None
    assert torch.equal(seen, masks)


def test_a_patch_that_is_only_shifted_is_cut_out_pixel_by_pixel() -> None:
    torch.manual_seed(0)
    image = torch.arange(13 * 11, dtype=torch.float32).reshape(1, 1, 13, 11) / 143
    views, seen = random_views(image, image[:, 0].mul(143).round().to(torch.uint8), NOTHING, patch=8, count=40)
    assert seen is not None
    corners = set()
    for view, mask in zip(views[:, 0].mul(143), seen, strict=True):
        corner = divmod(int(view[0, 0].round()), 11)
        cut = image[0, 0, corner[0] : corner[0] + 8, corner[1] : corner[1] + 8].mul(143)
        assert torch.allclose(view, cut, atol=1e-3)
        assert torch.equal(mask, cut.round().to(torch.uint8))
        corners.add(corner)
    assert len(corners) > 15  # of the 24 that there are
    assert {row for row, _ in corners} == set(range(6))
    assert {column for _, column in corners} == set(range(4))


def test_turns_and_mirrors_are_those_of_the_square() -> None:
    torch.manual_seed(1)
    image = torch.rand(1, 1, 9, 9)
    expected = {
        np.ascontiguousarray(turned[::, ::step]).tobytes()
        for quarter in range(4)
        for turned in [np.rot90(image[0, 0].numpy(), quarter)]
        for step in (1, -1)
    }
    views, _ = random_views(image, None, AugmentationSettings(flip=True, turn=True), count=120)
    exact = [np.stack([np.frombuffer(e, np.float32).reshape(9, 9) for e in expected])]
    nearest = {int(np.abs(exact[0] - view.numpy()).max((1, 2)).argmin()) for view in views[:, 0]}
    error = max(float(np.abs(exact[0] - view.numpy()).max((1, 2)).min()) for view in views[:, 0])
    assert error < 1e-5
    assert nearest == set(range(8))


def test_a_rotation_turns_about_the_middle_by_at_most_what_is_allowed() -> None:
    torch.manual_seed(2)
    image = torch.zeros(1, 1, 41, 41)
    image[..., 20, 32:37] = 1  # a spot to the right of the middle
    views, _ = random_views(image, None, AugmentationSettings(rotate_degrees=30), count=60)
    y, x = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    weight = views[:, 0] / views[:, 0].sum((1, 2), keepdim=True)
    angle = torch.rad2deg(torch.atan2((weight * y).sum((1, 2)), (weight * x).sum((1, 2))))
    assert angle.abs().max() < 31
    assert angle.min() < -20
    assert angle.max() > 20


def test_what_lies_outside_the_image_stays_outside() -> None:
    torch.manual_seed(4)
    masks = torch.zeros(1, 16, 16, dtype=torch.uint8)
    masks[:, :, 12:] = 255
    _, seen = random_views(torch.rand(1, 1, 16, 16), masks, AugmentationSettings(flip=True, turn=True), count=20)
    assert seen is not None
    assert set(seen.unique().tolist()) == {0, 255}
    assert (seen == 255).sum((1, 2)).unique().tolist() == [64]


def test_colours_change_images_alone_and_stay_in_range() -> None:
    torch.manual_seed(5)
    images, masks = smooth_images(2, 20, 14)
    views, seen = random_views(images, masks, AugmentationSettings(brightness=0.3, contrast=0.5), count=30)
    assert seen is not None
    assert torch.equal(seen, masks.repeat_interleave(30, dim=0))
    assert views.min() >= 0
    assert views.max() <= 1
    assert (views - images.repeat_interleave(30, dim=0)).abs().amax((1, 2, 3)).min() > 0


def test_the_generator_decides_what_is_drawn() -> None:
    images, masks = smooth_images(2, 20, 14)
    drawn = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        drawn.append(random_views(images, masks, USUAL, patch=8)[0])
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
