"""What training for segmentation makes small."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from foveola.data.images.masks import IGNORED
from foveola.foundation.extras import needed

Loss = Literal["dice-ce", "dice", "cross-entropy", "matthews"]


class SegmentationLoss(nn.Module):
    """The loss of logits against masks; pixels outside of the image count nowhere.

    ``cross-entropy`` is the mean over pixels; ``dice`` one less the soft Dice of every foreground class over the whole
    batch (smp's ``DiceLoss``), a class that the batch lacks counting 0; ``dice-ce`` their sum; ``matthews`` one less
    the soft Matthews correlation (smp's ``MCCLoss``, Abhishek and Hamarneh 2021, arXiv:2010.13454), the mean over
    foreground classes, each against the rest.

    Args:
        name: Which of them.
        classes: Number of classes, the background included.

    Raises:
        FoveolaError: If segmentation-models-pytorch is not there.

    Example:
        >>> masks = torch.zeros(2, 12, 10, dtype=torch.long)
        >>> masks[:, 3:6, 2:9] = 1
        >>> right = 20.0 * functional.one_hot(masks, 2).permute(0, 3, 1, 2)
        >>> [round(SegmentationLoss(name, 2)(right, masks).item(), 3) for name in ("dice-ce", "matthews")]
        [0.0, 0.0]
    """

    def __init__(self, name: Loss, classes: int) -> None:
        super().__init__()
        losses = needed("segmentation_models_pytorch", "segmentation").losses
        self.name, self.classes = name, classes
        self.dice = losses.DiceLoss("multiclass", classes=list(range(1, classes)), ignore_index=IGNORED)
        self.matthews = losses.MCCLoss()

    def forward(self, logits: Float[Tensor, "b classes h w"], masks: Int[Tensor, "b h w"]) -> Float[Tensor, ""]:
        """Returns the loss of one batch, in single precision at least."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        if self.name == "matthews":
            return self._matthews(logits, masks)
        parts = []
        if self.name in ("dice", "dice-ce"):
            parts.append(self.dice(logits, masks))
        if self.name in ("cross-entropy", "dice-ce"):
            surprise = functional.cross_entropy(logits, masks, ignore_index=IGNORED, reduction="sum")
            parts.append(surprise / (masks != IGNORED).sum().clamp(min=1))  # a batch may lie outside of all images
        return torch.stack(parts).sum()

    def _matthews(self, logits: Float[Tensor, "b classes h w"], masks: Int[Tensor, "b h w"]) -> Float[Tensor, ""]:
        inside = masks != IGNORED
        probabilities, truth = logits.softmax(1).movedim(1, -1)[inside], masks[inside]
        each = [
            self.matthews(probabilities[None, :, k], (truth == k)[None].to(logits.dtype))
            for k in range(1, self.classes)
        ]
        return torch.stack(each).mean()
