"""Tasks: what is learned of an image, one label or a mask. Targets, losses, augmentation and scores while training."""

from foveola.tasks.augmentation import AugmentationSettings
from foveola.tasks.classification import Classification
from foveola.tasks.segmentation import Segmentation
from foveola.tasks.settings import SegmentationSettings
from foveola.tasks.task import Task

__all__ = ["AugmentationSettings", "Classification", "Segmentation", "SegmentationSettings", "Task", "task_of"]


def task_of(
    per_pixel: bool, augmentation: AugmentationSettings, segmentation: SegmentationSettings, classes: int
) -> Task:
    """Returns the task of a network.

    Args:
        per_pixel: Whether it predicts masks.
        augmentation: How training images are changed.
        segmentation: How it learns masks.
        classes: Number of classes.
    """
    return Segmentation(segmentation, augmentation, classes) if per_pixel else Classification(augmentation)
