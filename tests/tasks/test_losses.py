"""Losses of masks against slow sums over pixels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from foveola.tasks.losses import Loss, SegmentationLoss


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Logits of three classes and masks in which some pixels lie outside of the image."""
    generator = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 3, (2, 7, 5), generator=generator)
    masks[0, 0] = 255
    return torch.randn(2, 3, 7, 5, generator=generator), masks


def by_hand(name: str, logits: Tensor, masks: Tensor) -> float:
    """The formulas of the docstring, pixel by pixel."""
    pixels = [(b, y, x) for b in range(2) for y in range(7) for x in range(5) if masks[b, y, x] != 255]
    p = {place: logits[place[0], :, place[1], place[2]].double().softmax(0).tolist() for place in pixels}
    truth = {place: int(masks[place]) for place in pixels}
    entropy = -sum(math.log(p[place][truth[place]]) for place in pixels) / len(pixels)
    dice, matthews = [], []
    for k in (1, 2):
        tp = sum(p[place][k] for place in pixels if truth[place] == k)
        fp = sum(p[place][k] for place in pixels if truth[place] != k)
        fn = sum(1 - p[place][k] for place in pixels if truth[place] == k)
        tn = sum(1 - p[place][k] for place in pixels if truth[place] != k)
        dice.append(1 - 2 * tp / (2 * tp + fp + fn))
        matthews.append(1 - (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))
    return {
        "cross-entropy": entropy,
        "dice": sum(dice) / 2,
        "dice-ce": entropy + sum(dice) / 2,
        "matthews": sum(matthews) / 2,
    }[name]


@pytest.mark.parametrize("name", ["cross-entropy", "dice", "dice-ce", "matthews"])
def test_a_loss_is_its_formula(name: Loss, batch: tuple[Tensor, Tensor]) -> None:
    assert SegmentationLoss(name, 3)(*batch).item() == pytest.approx(by_hand(name, *batch), abs=2e-5)


@pytest.mark.parametrize("name", ["cross-entropy", "dice", "dice-ce", "matthews"])
def test_pixels_outside_of_the_image_have_no_gradient(name: Loss, batch: tuple[Tensor, Tensor]) -> None:
    logits, masks = batch[0].requires_grad_(), batch[1]
    SegmentationLoss(name, 3)(logits, masks).backward()
    assert logits.grad is not None
    assert logits.grad[0, :, 0].abs().max() == 0
    assert logits.grad[0, :, 1].abs().min() > 0


@pytest.mark.parametrize("name", ["cross-entropy", "dice", "dice-ce", "matthews"])
def test_a_batch_without_foreground_has_a_finite_loss_and_gradient(name: Loss) -> None:
    logits = torch.randn(1, 2, 6, 4, requires_grad=True)
    loss = SegmentationLoss(name, 2)(logits, torch.zeros(1, 6, 4, dtype=torch.long))
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", ["cross-entropy", "dice", "dice-ce", "matthews"])
def test_a_batch_outside_of_all_images_is_no_reason_for_nan(name: Loss) -> None:
    logits = torch.randn(2, 2, 6, 4, requires_grad=True)
    loss = SegmentationLoss(name, 2)(logits, torch.full((2, 6, 4), 255))
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()
