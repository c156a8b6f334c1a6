"""Which mean and standard deviation a network is to see its images with."""

from __future__ import annotations

import numpy as np

from foveola.data.stored.preprocessing import IMAGENET, Preprocessing, Scaling, training_scaling
from foveola.models.building.backbones import pretrained_statistics
from foveola.models.network_spec import BackboneSettings


def choose_scaling(
    preprocessing: Preprocessing, backbone: BackboneSettings, pixels: np.ndarray, training: np.ndarray
) -> Scaling:
    """Returns how stored pixels become what the network sees.

    ``auto`` gives pretrained weights the mean and sd that they were trained with, and other networks those of the
    training images.

    Args:
        preprocessing: Says which of the two.
        backbone: The network's.
        pixels: All stored images, ``N x C x H x W``.
        training: The rows that are trained on; no other row is read.

    Example:
        >>> pixels = np.array([0, 255, 255], np.uint8).reshape(3, 1, 1, 1)
        >>> round(choose_scaling(Preprocessing(), BackboneSettings(name="resnet18"), pixels, np.arange(2)).mean[0], 3)
        0.449
        >>> choose_scaling(Preprocessing(), BackboneSettings(name="small-cnn"), pixels, np.arange(2))
        Scaling(mean=(0.5,), std=(0.5,))
    """
    channels = pixels.shape[1]
    if preprocessing.scaling == "imagenet":
        return IMAGENET[channels]
    if preprocessing.scaling == "training" or not backbone.starts_trained:
        return training_scaling(pixels, training)
    mean, std = pretrained_statistics(backbone.name)
    if channels == 1:  # the kernels are summed over the colours
        mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
    return Scaling(mean=mean, std=std)
