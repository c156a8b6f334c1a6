"""The Lightning module: what one step does, and what happens at the border of two phases."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from lightning import LightningModule
from torch import Tensor
from torch.optim import Adam, Optimizer

from foveola.attention import ArmSettings, Attended, MaskSettings
from foveola.data.stored.preprocessing import Scaling
from foveola.tasks import Classification, Task
from foveola.training.batches import Batch
from foveola.training.contrastive import ContrastiveTerm
from foveola.training.phases import phase_at, phases
from foveola.training.settings import TrainingSettings


class AttentionTraining(LightningModule):
    """Trains a network and the attention in front of it or inside, for labels or masks.

    The loss of a step is that of the task plus the attention's penalty (Xu et al. 2020, eq. 1), plus the supervised
    contrastive term where there is one. Adam has one group of parameters for the network and one for
    attention. A mask's leaves the optimiser when its map is fixed; the state of the network's group goes on.

    Args:
        model: The network with its attention.
        scaling: What turns stored pixels into what the network sees.
        settings: How to train.
        arm: The attention's own settings.
        seed: Of everything random in a step; set anew each step, so that a resumed run repeats an undisturbed one.
        contrast: The supervised contrastive term; its projector is trained as the network is.
        watched: The role of the images that are looked at after each epoch.
        task: What a batch is, and what its loss is; the classification of images as they are where it is ``None``.
    """

    def __init__(
        self,
        model: Attended,
        scaling: Scaling,
        settings: TrainingSettings,
        arm: ArmSettings,
        seed: int,
        contrast: ContrastiveTerm | None = None,
        watched: str = "val",
        task: Task | None = None,
    ) -> None:
        super().__init__()
        self.watched, self.task = watched, task or Classification()
        self._seen: list[tuple[Tensor, ...]] = []
        self.model, self.scaling, self.settings, self.arm, self.seed = model, scaling, settings, arm, seed
        self.contrast = contrast
        freezes = isinstance(arm, MaskSettings) and arm.freezes
        self.phases = phases(settings.epochs, settings.cutoff_epoch if freezes else settings.epochs)

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns logits for stored pixels, and the maps where a mask's is part of the loss.

        Maps inside the network are not asked for: that of self-attention costs more than the attention itself.
        """
        if self.model.attention is None:
            return self.model(self._seen_by_network(images)), {}
        logits, maps = self.model(self._seen_by_network(images), return_maps=True)
        return logits, maps

    def _seen_by_network(self, images: Tensor) -> Tensor:
        return self.scaling.apply(images).contiguous(memory_format=torch.channels_last)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        """Returns the loss of one batch."""
        torch.manual_seed(1_000_003 * self.seed + self.global_step)
        images, targets = self.task.views(*batch)
        listening: AbstractContextManager[list[Tensor]] = nullcontext([])
        if self.contrast is not None:
            listening = self.contrast.listening(self.model.network)
        with listening as features:
            logits, maps = self(images)
        loss = self.task.loss(logits, targets)
        penalty = self.model.penalty(maps)
        self._record("train", logits, targets, loss)
        if self.model.attention is not None:
            self.log("penalty", penalty, on_step=False, on_epoch=True, batch_size=len(targets))
        if self.contrast is None:
            return loss + penalty
        contrast: Tensor = self.contrast(features, targets)
        self.log("contrastive", contrast, on_step=False, on_epoch=True, batch_size=len(targets))
        return loss + penalty + contrast

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        """Records loss and accuracy of one batch."""
        images, targets = batch
        logits = self.task.predict(self.model, self._seen_by_network(images))
        self._record(self.watched, logits, targets, self.task.loss(logits, targets))
        self._seen.append(self.task.note(logits, targets))

    def on_validation_epoch_end(self) -> None:
        """Records the scores over all images that were looked at."""
        notes = [torch.cat(parts) for parts in zip(*self._seen, strict=True)]
        self._seen.clear()
        for name, value in self.task.scores(*notes).items():
            self.log(f"{self.watched}_{name}", torch.tensor(value))

    def _record(self, role: str, logits: Tensor, targets: Tensor, loss: Tensor) -> None:
        values = {f"{role}_loss": loss, f"{role}_accuracy": self.task.accuracy(logits, targets)}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(targets))

    def on_train_epoch_start(self) -> None:
        """Enters the phase of this epoch."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, Optimizer)
        if self.model.learns_mask and not phase_at(self.current_epoch, self.phases).learns_map:
            self.model.freeze()
            for parameter in optimizer.param_groups.pop(1)["params"]:
                optimizer.state.pop(parameter, None)
        share = 1.0
        if self.settings.schedule == "cosine":
            share = (1 + math.cos(math.pi * self.current_epoch / self.settings.epochs)) / 2
        for group in optimizer.param_groups:
            group["lr"] = share * group["initial_lr"]

    def configure_optimizers(self) -> Optimizer:
        """Returns Adam with a group for the network and one for attention that learns."""
        settings, arm = self.settings, self.arm
        attention = self.model.attention_parameters()
        known = set(attention)
        network = [parameter for parameter in self.model.network.parameters() if parameter not in known]
        network += [] if self.contrast is None else self.contrast.parameters()
        groups: list[dict[str, Any]] = [{"params": network, "lr": settings.lr, "weight_decay": settings.weight_decay}]
        if attention:
            lr = settings.lr if arm.lr is None else arm.lr
            decay = settings.weight_decay if arm.weight_decay is None else arm.weight_decay
            groups.append({"params": attention, "lr": lr, "weight_decay": decay})
        for group in groups:
            group["initial_lr"] = group["lr"]
        return Adam(groups)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the form that the checkpoint was written in: with a fixed map, if it was fixed by then."""
        if not phase_at(checkpoint["epoch"], self.phases).learns_map:
            self.model.freeze()
