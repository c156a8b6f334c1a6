"""Image CNNs that classify, by name: those of timm, those that only torchvision has, and our own."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any

import timm
import torch
import torchvision
from torch import nn

from foveola.foundation.errors import FoveolaError, unknown_name
from foveola.models.building.stem import SMALL, shrink_less
from foveola.models.building.strided import quicken
from foveola.models.building.weights import download, load_weights, read_weights
from foveola.models.network_spec import OWN_BACKBONES, BackboneSettings, ImageShape, NetworkSpec

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@cache
def backbone_names() -> tuple[str, ...]:
    """Returns the names of all backbones: our own, timm's, and those that only torchvision has."""
    own = torchvision.models.list_models(module=torchvision.models)
    return (*OWN_BACKBONES, *timm.list_models(), *(name for name in own if not timm.is_model(name)))


def classifier(settings: BackboneSettings, shape: ImageShape) -> NetworkSpec:
    """Returns the untrained CNN of this name with the stem that it is to have.

    Raises:
        FoveolaError: For an unknown name, or images that one of our own cannot take.
    """
    name = settings.name
    if name in OWN_BACKBONES:
        return OWN_BACKBONES[name].build(shape, settings)
    if name not in backbone_names():
        raise unknown_name("backbone", name, backbone_names(), "--backbone")
    network, head, first = (_from_timm if timm.is_model(name) else _from_torchvision)(name, shape)
    if settings.stem == "small" or (settings.stem == "auto" and shape.size <= SMALL):
        shrink_less(network, first, shape.size, keep_kernel=settings.starts_trained)
    quicken(network, first)
    return NetworkSpec(network, head, first)


def load_trained(design: NetworkSpec, settings: BackboneSettings) -> None:
    """Loads the weights that the settings ask for: those of a file, or the library's own.

    Raises:
        FoveolaError: If they cannot be had, or do not fit.
    """
    state = library_state(settings.name) if settings.weights is None else read_weights(settings.weights)
    if settings.name == "googlenet":
        state = _undo_input_transform(state)
    where = f"the weights of {settings.name}" if settings.weights is None else str(settings.weights)
    load_weights(design.network, state, head=design.head, first=design.first, where=where)


def _from_timm(name: str, shape: ImageShape) -> NetworkSpec:
    network = timm.create_model(name, pretrained=False, num_classes=shape.classes, in_chans=shape.channels)
    configuration: dict[str, Any] = vars(network)["pretrained_cfg"]
    return NetworkSpec(network, _names(configuration["classifier"]), _names(configuration["first_conv"]))


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _from_torchvision(name: str, shape: ImageShape) -> NetworkSpec:
    options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    network = torchvision.models.get_model(name, weights=None, num_classes=shape.classes, **options)
    modules = dict(network.named_modules())
    first = next(key for key, module in modules.items() if isinstance(module, nn.Conv2d))
    head = next(key for key, module in reversed(modules.items()) if isinstance(module, nn.Linear | nn.Conv2d))
    if shape.channels == 1:
        old = network.get_submodule(first)
        assert isinstance(old, nn.Conv2d)
        network.set_submodule(first, _for_grey(old))
    return NetworkSpec(network, (head,), (first,))


def _for_grey(convolution: nn.Conv2d) -> nn.Conv2d:
    """Returns a copy that takes one channel, its kernels summed over the colours."""
    grey = copy.deepcopy(convolution)
    grey.in_channels = 1
    grey.weight = nn.Parameter(convolution.weight.detach().sum(1, keepdim=True))
    return grey


def library_state(name: str) -> dict[str, torch.Tensor]:
    """Downloads the pretrained weights of a library's own model, or finds them where they were put before."""
    configuration = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    if configuration is not None and not configuration.has_weights:
        raise FoveolaError(
            f"pretrained weights of '{name}'",
            "a backbone that has none",
            "--backbone",
            "choose another one, or pass --weights FILE or --no-pretrained",
        )
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
