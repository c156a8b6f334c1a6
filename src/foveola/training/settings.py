"""The settings of training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from foveola.foundation.settings import Searched, Settings
from foveola.tasks.augmentation import USUAL, AugmentationSettings

Criterion = Literal["loss", "accuracy", "macro_auc", "dice"]


class TrainingSettings(Settings):
    """How one network is trained.

    Attributes:
        epochs: How often the training images are gone through.
        cutoff: After so many epochs the map is fixed; six tenths of the epochs where it is ``None``.
        batch_size: Images a step.
        lr: Learning rate of Adam for the backbone, and for attention that has none of its own.
        weight_decay: Adam's L2 term for the backbone, and for attention that has none of its own.
        schedule: ``cosine`` lets the learning rates fall to zero over the epochs, which steadies the last epoch, the
            one that is tested; ``constant`` is as published.
        keep: Which epoch's network is kept: the ``last``, or the ``best`` by the criterion on the validation images;
            ``auto`` is best under a protocol that sets images aside for that, and last elsewhere.
        criterion: What makes an epoch, or a trial of settings, the best on the validation images; ``macro_auc`` is for
            labels and ``dice`` for masks.
        augmentation: How far a training image may be changed; ``auto`` changes images with masks in the usual way and
            others not at all; settings that are given take the place of those.
        precision: ``auto`` mixes in bfloat16 (or float16) on a GPU and is ``32`` elsewhere.
        device: ``auto`` takes a GPU where there is one.
    """

    epochs: int = Field(30, ge=1)
    cutoff: int | None = Field(None, ge=1)
    batch_size: int = Field(32, ge=2)
    lr: Annotated[float, Searched(1e-5, 1e-2, log=True)] = Field(1e-4, gt=0)
    weight_decay: Annotated[float, Searched(1e-6, 1e-2, log=True, paper=(1e-3, 1e-4, 1e-5))] = Field(1e-4, ge=0)
    schedule: Literal["cosine", "constant"] = "cosine"
    keep: Literal["auto", "last", "best"] = "auto"
    criterion: Criterion = "loss"
    augmentation: Literal["auto", "none"] | AugmentationSettings = "auto"
    precision: Literal["auto", "32", "16-mixed", "bf16-mixed"] = "auto"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"

    @model_validator(mode="after")
    def _check_cutoff(self) -> TrainingSettings:
        if self.cutoff is not None and self.cutoff > self.epochs:
            raise ValueError(f"a cut-off within the {self.epochs} epochs")
        return self

    @property
    def cutoff_epoch(self) -> int:
        """The number of epochs in which the map is learned."""
        return self.cutoff or max(1, round(0.6 * self.epochs))

    def augmentation_of(self, per_pixel: bool) -> AugmentationSettings:
        """Returns how far training images are changed, where they have masks or not."""
        if not per_pixel or self.augmentation == "none":
            own = self.augmentation
            return own if isinstance(own, AugmentationSettings) else AugmentationSettings()
        if self.augmentation == "auto":
            return USUAL
        return USUAL.model_copy(update=self.augmentation.model_dump(include=self.augmentation.model_fields_set))
