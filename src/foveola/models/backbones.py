"""Image CNNs by name: those of timm, those that only torchvision has, and a small one of our own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import timm
import torch
import torchvision
from torch import nn

from foveola.errors import FoveolaError, unknown_name
from foveola.models import resattnet, resnet_att, small_cnn, vgg_att  # noqa: F401  register themselves
from foveola.models.design import OWN_BACKBONES, Design, ImageShape
from foveola.models.stem import SMALL, shrink_less
from foveola.models.strided import StridedConvolution
from foveola.models.weights import download, load_weights, read_weights
from foveola.settings import Settings

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class BackboneSettings(Settings):
    """Which CNN, and where its weights come from.

    Attributes:
        name: A name that `backbone_names` lists.
        pretrained: Whether to start from the library's pretrained weights.
        weights: A file of weights to start from instead.
        stem: ``small`` for no loss of resolution before the first block, ``standard`` as published, ``auto`` for small
            up to 64 px.
    """

    name: str = "resnet18"
    pretrained: bool = True
    weights: Path | None = None
    stem: Literal["auto", "standard", "small"] = "auto"

    @property
    def starts_trained(self) -> bool:
        """Whether the network starts from weights that were trained before."""
        return self.weights is not None or (self.pretrained and self.name not in OWN_BACKBONES)


@cache
def backbone_names() -> tuple[str, ...]:
    """Returns the names of all backbones: our own, timm's, and those that only torchvision has."""
    own = torchvision.models.list_models(module=torchvision.models)
    return (*OWN_BACKBONES, *timm.list_models(), *(name for name in own if not timm.is_model(name)))


def pretrained_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns the mean and the sd (three channels, intensities 0..1) that the pretrained weights of ``name`` expect.

    Example:
        >>> pretrained_statistics("resnet18")[0]
        (0.485, 0.456, 0.406)
    """
    if timm.is_model(name):
        configuration = timm.get_pretrained_cfg(name)
        if configuration is not None:
            return tuple(configuration.mean), tuple(configuration.std)
    return IMAGENET


def build_backbone(settings: BackboneSettings, shape: ImageShape) -> nn.Module:
    """Builds a CNN for images of this shape, with its pretrained weights where they are asked for.

    Grey images fold the first convolution: its kernels are summed over the colours. Images of up to 64 px get the
    small stem. Fresh weights are drawn from PyTorch's global generator.

    Raises:
        FoveolaError: For an unknown name, weights that cannot be had or do not fit, or images too small for it.

    Example:
        >>> settings = BackboneSettings(name="resnet18", pretrained=False)
        >>> network = build_backbone(settings, ImageShape(channels=1, size=32, classes=3))
        >>> network(torch.rand(2, 1, 32, 32)).shape
        torch.Size([2, 3])
    """
    network, head, first = _design(settings, shape)
    try_out(network, settings.name, shape)
    if settings.starts_trained:
        state = _library_state(settings.name) if settings.weights is None else read_weights(settings.weights)
        if settings.name == "googlenet":
            state = _undo_input_transform(state)
        where = f"the weights of {settings.name}" if settings.weights is None else str(settings.weights)
        load_weights(network, state, head=head, first=first, where=where)
    return network


def backbone_design(settings: BackboneSettings, shape: ImageShape) -> nn.Module:
    """Builds the same CNN as `build_backbone` without its pretrained weights, to load fitted ones into.

    Raises:
        FoveolaError: For an unknown name.
    """
    return _design(settings, shape).network


def _design(settings: BackboneSettings, shape: ImageShape) -> Design:
    """Returns the untrained network with the stem that it is to have."""
    name = settings.name
    if name not in backbone_names():
        raise unknown_name("backbone", name, backbone_names(), "--backbone")
    if name in OWN_BACKBONES:
        return OWN_BACKBONES[name](shape)
    network, head, first = (_from_timm if timm.is_model(name) else _from_torchvision)(name, shape)
    if settings.stem == "small" or (settings.stem == "auto" and shape.size <= SMALL):
        shrink_less(network, first, shape.size, keep_kernel=settings.starts_trained)
    for layer in first:
        if StridedConvolution.suits(convolution := network.get_submodule(layer)):
            network.set_submodule(layer, StridedConvolution.like(convolution))
    return Design(network, head, first)


def _from_timm(name: str, shape: ImageShape) -> Design:
    network = timm.create_model(name, pretrained=False, num_classes=shape.classes, in_chans=shape.channels)
    configuration: dict[str, Any] = vars(network)["pretrained_cfg"]
    return Design(network, _names(configuration["classifier"]), _names(configuration["first_conv"]))


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _from_torchvision(name: str, shape: ImageShape) -> Design:
    options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    network = torchvision.models.get_model(name, weights=None, num_classes=shape.classes, **options)
    modules = dict(network.named_modules())
    first = next(key for key, module in modules.items() if isinstance(module, nn.Conv2d))
    head = next(key for key, module in reversed(modules.items()) if isinstance(module, nn.Linear | nn.Conv2d))
    if shape.channels == 1:
        old = network.get_submodule(first)
        assert isinstance(old, nn.Conv2d)
        network.set_submodule(first, _for_grey(old))
    return Design(network, (head,), (first,))


def _for_grey(convolution: nn.Conv2d) -> nn.Conv2d:
    """Returns a copy that takes one channel, its kernels summed over the colours."""
    grey = copy.deepcopy(convolution)
    grey.in_channels = 1
    grey.weight = nn.Parameter(convolution.weight.detach().sum(1, keepdim=True))
    return grey


def _library_state(name: str) -> dict[str, torch.Tensor]:
    """Downloads the pretrained weights of a library's own model, or finds them where they were put before."""
    configuration = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if configuration is not None and not configuration.has_weights:
        raise FoveolaError(
            f"pretrained weights of '{name}'", "a backbone that has none", "--backbone",
            "choose another one, or pass --weights FILE or --no-pretrained",
        )  # fmt: skip
    with download(name):
        if timm.is_model(name):
            state: dict[str, torch.Tensor] = timm.create_model(name, pretrained=True).state_dict()
            return state
        weights = torchvision.models.get_model_weights(name).DEFAULT
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
        return state


def _undo_input_transform(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Folds torchvision's own change of scale into GoogLeNet's first layer, so that it takes what every CNN takes.

    Its weights were trained on intensities centred at 0.5 with sd 0.5. The change of sd goes into the first kernel,
    that of the mean into the batch norm behind; both are exact but for the border, where zeros are padded. They are
    known by their auxiliary heads; other weights are returned as they are.
    """
    if not any(name.startswith("aux") for name in state):
        return state
    kernel, running_mean = "conv1.conv.weight", "conv1.bn.running_mean"
    mean, sd = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
    shift = (state[kernel] * (mean - 0.5) / 0.5).sum((1, 2, 3))
    folded = {kernel: state[kernel] * sd / 0.5, running_mean: state[running_mean] - shift}
    return {name: folded.get(name, value) for name, value in state.items() if not name.startswith("aux")}


def try_out(network: nn.Module, name: str, shape: ImageShape) -> None:
    """Lets one blank image through, so that what a network cannot take is known before anything is trained."""
    training = network.training
    try:
        with torch.no_grad():
            logits = network.eval()(torch.zeros(1, shape.channels, shape.size, shape.size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FoveolaError(
            f"an image size that '{name}' can take", f"{shape.size} px ({reason})", "--image-size",
            "choose another size, larger for most networks, or another --backbone",
        ) from error  # fmt: skip
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, shape.classes):
        raise FoveolaError("a backbone that classifies", f"'{name}'", "--backbone", "choose another one")
    network.train(training)
