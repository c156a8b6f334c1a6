"""Backbones by name: image CNNs that classify, and networks that give every pixel a class."""

from __future__ import annotations

import timm
import torch
from torch import nn

from foveola.foundation.errors import FoveolaError
from foveola.models.building.classification import IMAGENET, classifier, load_trained
from foveola.models.building.encoder_decoder import DECODERS, EncoderDecoder, encoder_decoder, encoder_of, load_encoder
from foveola.models.building.strided import quicken
from foveola.models.network_spec import OWN_BACKBONES, OWN_SEGMENTERS, BackboneSettings, ImageShape, NetworkSpec

TRIED = 64
"""Side in pixels of the blank image that networks for images of any size are tried out with, or less."""


def segmenter_names() -> tuple[str, ...]:
    """Returns what gives every pixel a class: our own networks, and each decoder with the word ENCODER for a backbone.

    Example:
        >>> segmenter_names()[:3]
        ('denseunet', 'small-unet', 'unet/ENCODER')
    """
    return (*OWN_SEGMENTERS, *(f"{decoder}/ENCODER" for decoder in DECODERS))


def pretrained_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the mean and the sd (three channels, intensities 0..1) that the pretrained weights of ``name`` expect.

    Those of an encoder are those of the CNN that it is.

    Example:
        >>> pretrained_statistics("resnet18")[0], pretrained_statistics("unet/tf_efficientnet_lite0")[0]
        ((0.485, 0.456, 0.406), (0.5, 0.5, 0.5))
    """
    name = encoder_of(name)
    if timm.is_model(name):
        configuration = timm.get_pretrained_cfg(name)
        if configuration is not None:
            return tuple(configuration.mean), tuple(configuration.std)
    return IMAGENET


def build_backbone(settings: BackboneSettings, shape: ImageShape) -> nn.Module:
    """Builds a CNN for images of this shape, with its pretrained weights where they are asked for.

    Grey images fold the first convolution: its kernels are summed over the colours. Images of up to 64 px get the
    small stem where they are classified. Fresh weights are drawn from PyTorch's global generator. Where every pixel
    gets a class the network takes images of any size, whatever that of the shape; of an encoder and a decoder only the
    former starts from pretrained weights.

    Raises:
        FoveolaError: For an unknown name, one of the other task, weights that cannot be had or do not fit, or images
            too small for it.

    Example:
        >>> settings = BackboneSettings(name="resnet18", pretrained=False)
        >>> network = build_backbone(settings, ImageShape(channels=1, size=32, classes=3))
        >>> network(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 3])
        >>> network = build_backbone(settings, ImageShape(channels=1, size=32, classes=3, per_pixel=True))
        >>> network(torch.rand(2, 1, 50, 70)).shape
        torch.Size([2, 3, 50, 70])
    """
    design = _design(settings, shape)
    network = design.network
    tried = shape.model_copy(update={"size": min(shape.size, TRIED)}) if shape.per_pixel else shape
    try_out(network, settings.name, tried)
    if settings.starts_trained:
        if isinstance(network, EncoderDecoder):
            load_encoder(network, settings, shape)
        else:
            load_trained(design, settings)
    return network


def backbone_design(settings: BackboneSettings, shape: ImageShape) -> nn.Module:
    """Builds the same CNN as `build_backbone` without its pretrained weights, to load fitted ones into.

    Raises:
        FoveolaError: For an unknown name, or one of the other task.
    """
    return _design(settings, shape).network


def _design(settings: BackboneSettings, shape: ImageShape) -> NetworkSpec:
    """Returns the untrained network."""
    name = settings.name
    if not shape.per_pixel:
        if name in OWN_SEGMENTERS or "/" in name:
            raise FoveolaError(
                "a backbone that classifies images",
                f"'{name}', which gives every pixel a class",
                "--backbone",
                "choose another one, such as resnet18, or data with masks",
            )
        return classifier(settings, shape)
    if name in OWN_BACKBONES:
        raise FoveolaError(
            "a backbone that gives every pixel a class",
            f"'{name}', which classifies images",
            "--backbone",
            "choose " + ", ".join(OWN_SEGMENTERS) + ", or DECODER/ENCODER such as unet/resnet34",
        )
    design = OWN_SEGMENTERS[name].build(shape, settings) if name in OWN_SEGMENTERS else encoder_decoder(settings, shape)
    quicken(design.network, design.first)
    return design


def try_out(network: nn.Module, name: str, shape: ImageShape) -> None:
    """Lets one blank image through, so that what a network cannot take is known before anything is trained."""
    training, side = network.training, shape.size
    try:
        with torch.no_grad():
            logits = network.eval()(torch.zeros(1, shape.channels, side, side))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if shape.per_pixel:
            raise FoveolaError(
                "a backbone for images of any size",
                f"'{name}', which fails at {side} px ({reason})",
                "--backbone",
                "choose another one, such as unet/resnet34",
            ) from error
        raise FoveolaError(
            f"an image size that '{name}' can take",
            f"{side} px ({reason})",
            "--image-size",
            "choose another size, larger for most networks, or another --backbone",
        ) from error
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, shape.classes, *(side, side) * shape.per_pixel):
        does = "gives every pixel a class" if shape.per_pixel else "classifies"
        raise FoveolaError(f"a backbone that {does}", f"'{name}'", "--backbone", "choose another one")
    network.train(training)
