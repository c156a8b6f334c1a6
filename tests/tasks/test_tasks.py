"""What the two tasks make of a batch, against loops over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.data.images.masks import IGNORED
from foveola.models.fitted.windows import Windows
from foveola.statistics.metrics.mask_scores import mask_scores
from foveola.tasks import Classification, Segmentation, task_of
from foveola.tasks.augmentation import USUAL, AugmentationSettings
from foveola.tasks.losses import SegmentationLoss
from foveola.tasks.settings import SegmentationSettings
from foveola.training import TrainingSettings


def masks_task(classes: int = 3, **settings: object) -> Segmentation:
    return Segmentation(SegmentationSettings(**settings), AugmentationSettings(), classes)  # type: ignore[arg-type]


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Logits and masks of four images of 7 x 5: any, all ignored but a row, nothing to find, a class that is absent."""
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(4, 3, 7, 5, generator=generator)
    masks = torch.randint(0, 3, (4, 7, 5), generator=generator).to(torch.uint8)
    masks[0, :, 3:] = IGNORED
    masks[1, :6] = IGNORED
    masks[2] = 0
    logits[2, 0] += 20
    masks[3][masks[3] == 2] = 1
    return logits, masks


def slow_dice(logits: Tensor, mask: Tensor, number: int) -> float:
    """Two times what both have over what each has, pixel by pixel; 1 where neither has anything."""
    both = called = there = 0
    for row in range(mask.shape[0]):
        for column in range(mask.shape[1]):
            truth = int(mask[row, column])
            if truth == IGNORED:
                continue
            own = max(range(len(logits)), key=lambda k: float(logits[k, row, column]))
            both += own == truth == number
            called += own == number
            there += truth == number
    return 2 * both / (called + there) if called + there else 1.0


def test_the_dice_of_every_image_and_class_is_noted(batch: tuple[Tensor, Tensor]) -> None:
    (noted,) = masks_task().note(*batch)
    expected = [[slow_dice(logits, mask, k) for k in (1, 2)] for logits, mask in zip(*batch, strict=True)]
    assert noted.dtype == torch.float64
    np.testing.assert_allclose(noted, expected, rtol=1e-12)
    assert noted[2].tolist() == [1.0, 1.0], "nothing to find, and nothing found"
    assert noted[3, 1] == 0, "found where there is none"
    assert masks_task().scores(noted) == {"dice": pytest.approx(np.mean(expected))}


def test_the_dice_that_chooses_an_epoch_is_the_one_that_is_reported(batch: tuple[Tensor, Tensor]) -> None:
    (noted,) = masks_task().note(*batch)
    reported = [
        mask_scores(logits.argmax(0).numpy().astype(np.uint8), mask.numpy(), ("none", "artery", "vein"))["dice"]
        for logits, mask in zip(*batch, strict=True)
    ]
    np.testing.assert_allclose(noted.mean(1), reported, rtol=1e-12)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_has_no_score(batch: tuple[Tensor, Tensor], wrong: float) -> None:
    logits, masks = batch
    logits[1, 2, 4, 0] = wrong
    (noted,) = masks_task().note(logits, masks)
    assert noted.isnan().all(1).tolist() == [False, True, False, False]
    assert math.isnan(masks_task().scores(noted)["dice"])


def test_the_accuracy_counts_pixels_inside_of_the_images(batch: tuple[Tensor, Tensor]) -> None:
    logits, masks = batch
    called = logits.argmax(1)
    pairs = [(int(c), int(t)) for c, t in zip(called.flatten(), masks.flatten(), strict=True) if t != IGNORED]
    expected = sum(c == t for c, t in pairs) / len(pairs)
    assert masks_task().accuracy(logits, masks).item() == pytest.approx(expected)
    assert masks_task().accuracy(logits, torch.full_like(masks, IGNORED)).item() == 0


def test_the_loss_is_the_one_that_is_asked_for(batch: tuple[Tensor, Tensor]) -> None:
    logits, masks = batch
    losses = {}
    for name in ("dice-ce", "dice", "cross-entropy", "matthews"):
        losses[name] = masks_task(loss=name).loss(logits, masks).item()
        assert losses[name] == SegmentationLoss(name, 3)(logits, masks.long()).item()  # type: ignore[arg-type]
    assert len(set(losses.values())) == 4


def test_patches_are_trained_on_and_windows_predicted() -> None:
    images = torch.rand(2, 1, 70, 50)
    masks = (images[:, 0] > 0.5).to(torch.uint8)
    task = masks_task(2, patch=32, patches=3, overlap=0.5)
    views, seen = task.views(images, masks)
    assert views.shape == (6, 1, 32, 32)
    assert torch.equal(seen, (views[:, 0] > 0.5).to(torch.uint8)), "an image and its mask were cut apart"
    assert len({view.numpy().tobytes() for view in views}) == 6
    sizes = []

    class Pixel(nn.Module):
        def forward(self, window: Tensor) -> Tensor:
            sizes.append(tuple(window.shape[2:]))
            return torch.cat([0.5 - window, window - 0.5], dim=1)

    logits = task.predict(Pixel(), images)
    assert logits.shape == (2, 2, 70, 50)
    assert set(sizes) == {(32, 32)}
    assert task.accuracy(logits, masks) == 1
    whole = masks_task(2)
    assert torch.equal(whole.views(images, masks)[0], images)
    sizes.clear()
    whole.predict(Pixel(), images)
    assert sizes == [(70, 50)]


def test_labels_stay_while_their_images_change() -> None:
    torch.manual_seed(0)
    images, labels = torch.randint(0, 256, (5, 3, 9, 9), dtype=torch.uint8), torch.arange(5)
    as_they_are = Classification().views(images, labels)
    assert as_they_are[0] is images, "they are not even converted"
    changed, same = Classification(AugmentationSettings(flip=True)).views(images, labels)
    assert same is labels
    for view, image in zip(changed, images, strict=True):
        differences = [(view - shown.float() / 255).abs().max() for shown in (image, image.flip(2))]
        assert min(differences) < 1e-5 < max(differences)
    assert not torch.allclose(changed, images.float() / 255, atol=1e-5)


def test_the_scores_of_labels() -> None:
    task, logits = Classification(), torch.tensor([[3.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    notes = task.note(logits, torch.tensor([0, 1, 1, 0]))
    assert task.scores(*notes) == {"macro_auc": 0.75}
    assert task.accuracy(logits, torch.tensor([0, 1, 1, 0])).item() == 0.75
    assert math.isnan(task.scores(*task.note(logits, torch.tensor([0, 0, 0, 0])))["macro_auc"])
    assert math.isnan(task.scores(*task.note(logits / 0, torch.tensor([0, 1, 1, 0])))["macro_auc"])


def test_the_task_follows_from_what_a_network_predicts() -> None:
    segmentation = SegmentationSettings(patch=64)
    masks, labels = (
        task_of(per_pixel, TrainingSettings().augmentation_of(per_pixel), segmentation, 3)
        for per_pixel in (True, False)
    )
    assert isinstance(masks, Segmentation)
    assert (masks.augmentation, masks.settings.windows) == (USUAL, Windows(side=64, overlap=0.25))
    assert isinstance(labels, Classification)
    assert labels.augmentation == AugmentationSettings()
    own = TrainingSettings(augmentation={"turn": False, "zoom": 0.3})  # type: ignore[arg-type]
    usual = USUAL.model_copy(update={"turn": False, "zoom": 0.3})
    for per_pixel, expected in ((True, usual), (False, AugmentationSettings(zoom=0.3))):
        task = task_of(per_pixel, own.augmentation_of(per_pixel), segmentation, 3)
        assert isinstance(task, Segmentation | Classification)
        assert task.augmentation == expected
    none = task_of(True, TrainingSettings(augmentation="none").augmentation_of(True), segmentation, 3)
    assert isinstance(none, Segmentation)
    assert none.augmentation == AugmentationSettings()
