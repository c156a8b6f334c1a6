"""The two tasks: what a batch is, and what is recorded."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from foveola.training import SegmentationSettings
from foveola.training.augmentation import USUAL, AugmentationSettings
from foveola.training.settings import TrainingSettings
from foveola.training.tasks import Classification, Segmentation, task_of

NONE = AugmentationSettings()


def one_hot(mask: Tensor, classes: int) -> Tensor:
    """Logits that call every pixel what the mask says."""
    return 9.0 * nn.functional.one_hot(mask.long().clamp(max=classes - 1), classes).permute(0, 3, 1, 2).float()


def test_the_dice_of_an_image_is_that_of_its_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 3, (4, 7, 5), generator=generator).to(torch.uint8)
    called = torch.randint(0, 3, (4, 7, 5), generator=generator)
    truth[0, :2] = 255
    truth[1], called[1] = 0, 0  # nothing there and nothing called
    truth[2], called[2, 0] = 0, 1  # nothing there and something called
    task = Segmentation(SegmentationSettings(), NONE, 3)
    (dice,) = task.note(one_hot(called, 3), truth)
    for image in range(4):
        for k in (1, 2):
            pixels = [(y, x) for y in range(7) for x in range(5) if truth[image, y, x] != 255]
            a = {place for place in pixels if called[image][place] == k}
            b = {place for place in pixels if truth[image][place] == k}
            expected = 2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0
            assert dice[image, k - 1] == pytest.approx(expected)
    assert task.scores(dice) == {"dice": pytest.approx(float(dice.mean()))}
    inside = truth != 255
    assert task.accuracy(one_hot(called, 3), truth) == pytest.approx(float((called == truth)[inside].float().mean()))


def test_logits_that_are_no_numbers_have_no_dice() -> None:
    task = Segmentation(SegmentationSettings(), NONE, 2)
    logits = torch.zeros(2, 2, 6, 4)
    logits[1, 0, 3, 2] = math.nan
    (dice,) = task.note(logits, torch.ones(2, 6, 4, dtype=torch.uint8))
    assert torch.isfinite(dice[0]).all()
    assert torch.isnan(dice[1]).all()
    assert math.isnan(task.scores(dice)["dice"])


def test_patches_are_as_many_and_as_large_as_asked_for() -> None:
    task = Segmentation(SegmentationSettings(patch=32, patches=3), USUAL, 2)
    images = torch.randint(0, 256, (2, 3, 40, 48), dtype=torch.uint8)
    views, masks = task.views(images, torch.zeros(2, 40, 48, dtype=torch.uint8))
    assert views.shape == (6, 3, 32, 32)
    assert masks.shape == (6, 32, 32)
    assert views.dtype == torch.float32


def test_whole_images_are_predicted_in_windows_of_a_patch() -> None:
    seen: list[tuple[int, ...]] = []

    class Watch(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            seen.append(tuple(images.shape[2:]))
            return images[:, :2]

    images = torch.rand(1, 3, 70, 50)
    logits = Segmentation(SegmentationSettings(patch=32), NONE, 2).predict(Watch(), images)
    assert set(seen) == {(32, 32)}
    torch.testing.assert_close(logits, images[:, :2])
    seen.clear()
    Segmentation(SegmentationSettings(), NONE, 2).predict(Watch(), images)
    assert seen == [(70, 50)]


def test_labels_are_left_alone_unless_augmentation_is_asked_for() -> None:
    images, labels = torch.randint(0, 256, (4, 1, 12, 10), dtype=torch.uint8), torch.arange(4) % 2
    same, _ = Classification().views(images, labels)
    assert same is images
    changed, kept = Classification(AugmentationSettings(contrast=0.4)).views(images, labels)
    assert changed.shape == images.shape
    assert not torch.allclose(changed, images / 255)
    assert kept is labels


def test_the_scores_of_labels_need_every_class() -> None:
    task, logits = Classification(), torch.tensor([[3.0, 0, 0], [0, 3, 0], [0, 0, 3], [2, 0, 0]])
    assert task.scores(logits, torch.tensor([0, 1, 2, 0])) == {"macro_auc": 1.0}
    assert math.isnan(task.scores(logits, torch.tensor([0, 1, 1, 0]))["macro_auc"])


def test_masks_are_augmented_as_usual_and_labels_not_at_all() -> None:
    settings = TrainingSettings()
    segmentation = SegmentationSettings()
    assert task_of(True, settings, segmentation, 2).augmentation == USUAL  # type: ignore[attr-defined]
    assert task_of(False, settings, segmentation, 2).augmentation == NONE  # type: ignore[attr-defined]
    without = TrainingSettings(augmentation="none")
    assert task_of(True, without, segmentation, 2).augmentation == NONE  # type: ignore[attr-defined]
    own = TrainingSettings(augmentation={"zoom": 0.3})  # type: ignore[arg-type]
    assert task_of(True, own, segmentation, 2).augmentation == AugmentationSettings(zoom=0.3)  # type: ignore[attr-defined]
