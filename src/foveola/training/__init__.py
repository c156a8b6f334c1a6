"""Training one network: the phases, the batches, the Lightning module and its callbacks."""

from foveola.training.batches import NormalisedBatches, PixelRows
from foveola.training.callbacks import EpochWatch, Progress
from foveola.training.phases import Phase, phases
from foveola.training.settings import TrainingSettings
from foveola.training.train import train

__all__ = [
    "EpochWatch",
    "NormalisedBatches",
    "Phase",
    "PixelRows",
    "Progress",
    "TrainingSettings",
    "phases",
    "train",
]
