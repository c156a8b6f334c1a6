"""Image CNNs by name: those of timm, those that only torchvision has, and a small one of our own."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import timm
import torch
import torchvision
from pydantic import Field
from torch import nn

from foveola.errors import FoveolaError, unknown_name
from foveola.models.small_cnn import small_cnn
from foveola.models.stem import SMALL, shrink_less
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
        return self.name != "small-cnn" and (self.pretrained or self.weights is not None)


class ImageShape(Settings):
    """What a network is to take and to tell apart.

    Attributes:
        channels: 1 or 3.
        size: Side in pixels.
        classes: Number of logits.
    """

    channels: int = Field(ge=1)
    size: int = Field(ge=1)
    classes: int = Field(ge=2)


@cache
def backbone_names() -> tuple[str, ...]:
    """Returns the names of all backbones: ``small-cnn``, timm's, and those that only torchvision has."""
    own = torchvision.models.list_models(module=torchvision.models)
    return ("small-cnn", *timm.list_models(), *(name for name in own if not timm.is_model(name)))


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
    name = settings.name
    if name not in backbone_names():
        raise unknown_name("backbone", name, backbone_names(), "--backbone")
    if name == "small-cnn":
        return small_cnn(shape.channels, shape.classes)
    network, head, first = (_from_timm if timm.is_model(name) else _from_torchvision)(name, shape)
    if settings.stem == "small" or (settings.stem == "auto" and shape.size <= SMALL):
        shrink_less(network, first, keep_kernel=settings.starts_trained)
    if settings.weights is not None:
        state = read_weights(settings.weights)
        load_weights(network, state, head=head, first=first, where=str(settings.weights))
    elif settings.pretrained:
        load_weights(network, _library_state(name), head=head, first=first, where=f"the weights of {name}")
    _try_out(network, name, shape)
    return network


def _from_timm(name: str, shape: ImageShape) -> tuple[nn.Module, tuple[str, ...], str]:
    network = timm.create_model(name, pretrained=False, num_classes=shape.classes, in_chans=shape.channels)
    configuration = network.pretrained_cfg
    head, first = configuration["classifier"], configuration["first_conv"]
    return network, (head,) if isinstance(head, str) else tuple(head), first if isinstance(first, str) else first[0]


def _from_torchvision(name: str, shape: ImageShape) -> tuple[nn.Module, tuple[str, ...], str]:
    options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    network = torchvision.models.get_model(name, weights=None, num_classes=shape.classes, **options)
    modules = dict(network.named_modules())
    first = next(key for key, module in modules.items() if isinstance(module, nn.Conv2d))
    head = next(key for key, module in reversed(modules.items()) if isinstance(module, nn.Linear | nn.Conv2d))
    if shape.channels != 3:
        old = network.get_submodule(first)
        assert isinstance(old, nn.Conv2d)
        grey = nn.Conv2d(
            shape.channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=old.bias is not None
        )  # fmt: skip
        with torch.no_grad():
            grey.weight.copy_(old.weight.sum(1, keepdim=True))
        network.set_submodule(first, grey)
    return network, (head,), first


def _library_state(name: str) -> dict[str, torch.Tensor]:
    """Downloads the pretrained weights of a library's own model, or finds them where they were put before."""
    with download(name):
        if timm.is_model(name):
            state: dict[str, torch.Tensor] = timm.create_model(name, pretrained=True).state_dict()
            return state
        weights = torchvision.models.get_model_weights(name).DEFAULT  # type: ignore[attr-defined]
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    if name == "googlenet":
        state = _undo_input_transform(state)
    return state


def _undo_input_transform(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Folds GoogLeNet's own change of scale into its first kernel, so that it takes what every other CNN takes.

    Its weights were trained on intensities centred at 0.5 with sd 0.5. The change of sd is folded exactly; that of
    the mean, at most 0.19 of a unit and constant over the image, is left to the batch norm behind.
    """
    key = "conv1.conv.weight"
    scale = torch.tensor(IMAGENET[1]).reshape(1, 3, 1, 1) / 0.5
    return {
        name: value * scale if name == key else value for name, value in state.items() if not name.startswith("aux")
    }


def _try_out(network: nn.Module, name: str, shape: ImageShape) -> None:
    """Lets one blank image through, so that a size that a network cannot take is known before anything is trained."""
    training = network.training
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, shape.channels, shape.size, shape.size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise FoveolaError(
            f"an image size that '{name}' can take", f"{shape.size} px ({reason})", "--image-size",
            "choose a larger size or another --backbone",
        ) from error  # fmt: skip
    network.train(training)
