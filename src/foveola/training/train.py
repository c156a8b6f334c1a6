"""Trains one network, from the start or from where it was stopped."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils import deterministic

from foveola.attention import ArmSettings, Attended
from foveola.data.stored.preprocessing import Scaling
from foveola.tasks import Task
from foveola.training.batches import PixelRows
from foveola.training.callbacks import BestEpoch, EpochWatch, History, LastEpoch, Progress, ReportProgress, TellEpoch
from foveola.training.contrastive import ContrastiveTerm
from foveola.training.module import AttentionTraining
from foveola.training.settings import TrainingSettings

CHECKPOINT = "last.ckpt"

log = logging.getLogger(__name__)


def train(
    model: Attended,
    training: PixelRows,
    validation: PixelRows,
    *,
    scaling: Scaling,
    settings: TrainingSettings,
    arm: ArmSettings,
    seed: int,
    folder: Path,
    task: Task | None = None,
    progress: Progress | None = None,
    watched: str = "val",
    watch: EpochWatch | None = None,
) -> int:
    """Trains a model in place and leaves it in evaluation mode, on the CPU, with its map fixed.

    Returns the number of the epoch, counted from 1, that the model is of.

    Writes ``history.csv``, ``tensorboard/`` and, after each epoch, ``last.ckpt`` into the folder. Where a
    ``last.ckpt`` is there already, training goes on behind its epoch and ends as if it had not been stopped.

    Args:
        model: The network with its attention.
        training: The training images.
        validation: Images that are looked at after each epoch: their loss and the task's scores are recorded, and
            choose the epoch where the settings say so; may be empty.
        scaling: From stored pixels to what the network sees.
        settings: How to train.
        arm: The attention's own settings.
        seed: Of the order of the batches and of everything random in a step.
        folder: Where to write.
        task: What a batch is, and what its loss is; the classification of images as they are where it is ``None``.
        progress: Told the epoch, the steps done and the steps in all.
        watched: What the images that are looked at are called in the history.
        watch: Told the values of each epoch; it may raise to stop.
    """
    checkpoint = folder / CHECKPOINT
    best = BestEpoch(model, f"{watched}_{settings.criterion}", settings.criterion) if settings.keep == "best" else None
    callbacks = [History(folder / "history.csv"), *([best] if best else []), LastEpoch(checkpoint)]
    callbacks += [TellEpoch(watch)] if watch else []
    with _quiet_lightning():
        trainer = Trainer(
            max_epochs=settings.epochs,
            accelerator={"auto": "auto", "cuda": "gpu"}.get(settings.device, settings.device),
            devices=1,
            precision=_precision(settings),  # type: ignore[arg-type]
            deterministic="warn" if torch.cuda.is_available() else True,
            logger=TensorBoardLogger(folder, name=None, version="tensorboard"),
            callbacks=callbacks + ([ReportProgress(progress)] if progress else []),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        contrast = _contrastive_term(model, training, arm, seed)
        module = AttentionTraining(model, scaling, settings, arm, seed, contrast, watched, task)
        module = module.to(memory_format=torch.channels_last)
        with _keyboard_interrupt():
            trainer.fit(
                module,
                training.loader(settings.batch_size, seed),
                validation.loader(settings.batch_size) if len(validation) else None,
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
    model.freeze()
    kept = _take_best(model, best, folder) if best else settings.epochs
    model.cpu().eval()
    return kept or settings.epochs


def _take_best(model: Attended, best: BestEpoch, folder: Path) -> int:
    """Gives the model the state of its best epoch and returns its number; 0 where none is defined."""
    if best.state:
        model.load_state_dict(best.state)
    else:
        log.warning("%s is not defined in any epoch: the last one is kept, in %s", best.column, folder)
    return best.epoch


def _contrastive_term(model: Attended, training: PixelRows, arm: ArmSettings, seed: int) -> ContrastiveTerm | None:
    """Returns what the arm adds to the loss; its weights depend on the seed alone."""
    if not arm.contrastive:
        return None
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        image = torch.zeros(1, *training.pixels.shape[1:])
        return ContrastiveTerm(model.network, image, arm.contrastive, arm.temperature)


def _precision(settings: TrainingSettings) -> str:
    if settings.precision != "auto":
        return settings.precision
    if settings.device == "cpu" or not torch.cuda.is_available():
        return "32-true"
    return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"


@contextmanager
def _keyboard_interrupt() -> Iterator[None]:
    """Hands Ctrl-C on as what it is; Lightning would leave the process with code 1, and deaf to the next one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise error.__context__ from None
        raise


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Keeps Lightning's tips out of the user's terminal, and puts back the global switches that it turns."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    switches = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fills = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    # filling costs time, and nothing here reads what it did not write
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with warnings.catch_warnings():
            for message in ("many workers", "the logging interval", "GPU available but", "no `val_dataloader`"):
                warnings.filterwarnings("ignore", message=f".*{message}")
            warnings.filterwarnings("ignore", category=FutureWarning, module="lightning")
            yield
    finally:
        deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(switches[0], warn_only=switches[1])
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
