"""Decoders of segmentation-models-pytorch on encoders of timm, or of its own."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn

from foveola.attention.hosts.placement import Place
from foveola.foundation.errors import FoveolaError, unknown_name
from foveola.foundation.extras import needed
from foveola.models.building.classification import backbone_names, classifier, load_trained
from foveola.models.building.weights import State, download, load_weights, read_weights
from foveola.models.network_spec import OWN_SEGMENTERS, BackboneSettings, ImageShape, NetworkSpec
from foveola.models.zoo.segmenter import Segmenter, places


class Decoder(NamedTuple):
    """What is to be known of a decoder.

    Attributes:
        model: The library's name of it.
        skips: The features of the encoder that it reads beside the deepest; number n has the stride 2**n.
        stages: Its modules that attention can follow, from coarse to fine: those that put out features joined with
            those of the encoder where it has such modules.
        multiple: What heights and widths have to be multiples of, beside the stride of the encoder.
    """

    model: str
    skips: tuple[int, ...]
    stages: tuple[str, ...]
    multiple: int = 1


DECODERS = {
    "unet": Decoder("Unet", (1, 2, 3, 4), tuple(f"blocks.{index}.attention1" for index in range(4))),
    "unetplusplus": Decoder(
        "UnetPlusPlus", (1, 2, 3, 4), tuple(f"blocks.x_0_{index}.attention1" for index in range(4))
    ),
    "manet": Decoder("MAnet", (1, 2, 3, 4), tuple(f"blocks.{index}" for index in range(4))),
    "linknet": Decoder("Linknet", (1, 2, 3, 4), tuple(f"blocks.{index}" for index in range(4))),
    "fpn": Decoder("FPN", (2, 3, 4), ("p4", "p3", "p2")),
    "pspnet": Decoder("PSPNet", (), ("conv",)),
    "pan": Decoder("PAN", (2, 3, 4), ("gau3", "gau2", "gau1"), 128),  # pools three times at stride 16
    "deeplabv3": Decoder("DeepLabV3", (), ("aspp",)),
    "deeplabv3plus": Decoder("DeepLabV3Plus", (2,), ("aspp", "block2")),
    "upernet": Decoder("UPerNet", (2, 3, 4), tuple(f"fpn_lateral_blocks.{index}" for index in range(3))),
    "segformer": Decoder("Segformer", (1, 2, 3, 4), ("fuse_stage",)),
}
"""The decoders, by the names that a user types. The library's DPT is left out: it takes images of one size alone."""

LIBRARY, EXTRA = "segmentation_models_pytorch", "segmentation"


class EncoderDecoder(Segmenter):
    """An encoder and a decoder of segmentation-models-pytorch, with places for attention in between.

    There are ``skip1`` and so on for the features that the decoder reads, from fine to coarse, and ``bottleneck`` for
    the deepest. The library calls its decoders by itself, so no place has a decoder signal.

    Args:
        model: One of the library's; its encoder, decoder and head are used.
        decoder: What is known of the decoder.
    """

    def __init__(self, model: Any, decoder: Decoder) -> None:
        super().__init__()
        self.encoder: Any = model.encoder
        self.decoder: nn.Module = model.decoder
        self.segmentation_head: nn.Module = model.segmentation_head
        self.stride = max(2 ** (len(self.encoder.out_channels) - 1), decoder.multiple)
        self.skips = tuple(level for level in decoder.skips if self.encoder.out_channels[level])  # some have none at 2
        self.bottleneck = Place()
        for number in range(1, len(self.skips) + 1):
            self.add_module(f"skip{number}", Place())
        self.attention_places = places(
            [f"decoder.{stage}" for stage in decoder.stages],
            [f"skip{number}" for number in range(1, len(self.skips) + 1)],
        )

    def logits(self, images: Tensor) -> Tensor:
        """Returns logits of the size of the images, whose sides are multiples of the stride."""
        features = list(self.encoder(images))
        for number, level in enumerate(self.skips, start=1):
            features[level] = self.get_submodule(f"skip{number}")(features[level])
        features[-1] = self.bottleneck(features[-1])
        logits: Tensor = self.segmentation_head(self.decoder(features))
        return logits


def encoder_decoder(settings: BackboneSettings, shape: ImageShape) -> NetworkSpec:
    """Builds an untrained encoder with a decoder behind it; ``unet`` where the name is that of an encoder alone.

    Raises:
        FoveolaError: For an unknown name, an encoder that the decoder cannot do with, or if the library is not there.
    """
    name = settings.name
    decoder, encoder = _decoder_of(name), encoder_of(name)
    if settings.stem == "small":
        raise FoveolaError("the standard stem for an encoder", "small", "backbone.stem", "leave it out")
    library = needed(LIBRARY, EXTRA)
    _check_encoder(name, encoder)
    try:
        model = getattr(library, decoder.model)(
            encoder_name=f"tu-{encoder}" if timm.is_model(encoder) else encoder,
            encoder_weights=None,
            in_channels=shape.channels,
            classes=shape.classes,
        )
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise FoveolaError(
            "an encoder with features at strides of 2 to 32",
            f"'{name}' ({type(error).__name__}: {reason})",
            "--backbone",
            "choose another encoder, such as resnet34",
        ) from error
    network = EncoderDecoder(model, decoder)
    return NetworkSpec(network, ("segmentation_head",), (f"encoder.{_first_convolution(network.encoder)}",))


def encoder_of(name: str) -> str:
    """Returns the name of the CNN that is the encoder.

    Example:
        >>> encoder_of("fpn/resnet34"), encoder_of("resnet18")
        ('resnet34', 'resnet18')
    """
    return name.rpartition("/")[2]


def load_encoder(network: EncoderDecoder, settings: BackboneSettings, shape: ImageShape) -> None:
    """Loads pretrained weights into the encoder: those of the CNN of the same name, as it classifies.

    Args:
        network: With an encoder of this name.
        settings: They say which weights.
        shape: For images of which the encoder is.

    Raises:
        FoveolaError: If the weights cannot be had, do not fit, or lack something that the encoder has.
    """
    name, encoder = encoder_of(settings.name), network.encoder
    if not timm.is_model(name):
        where = f"the weights of {name}" if settings.weights is None else str(settings.weights)
        state = _own_state(name) if settings.weights is None else read_weights(settings.weights)
        load_weights(encoder, state, head=(), first=(_first_convolution(encoder),), where=where)
        return
    as_classifier = settings.model_copy(update={"name": name, "stem": "standard"})
    design = classifier(as_classifier, shape.model_copy(update={"per_pixel": False}))
    load_trained(design, as_classifier)
    encoder.load_state_dict(_states_of(encoder, design.network.state_dict(), name))


def _states_of(encoder: nn.Module, state: State, name: str) -> State:
    """Returns the tensors of an encoder out of those of the whole CNN."""
    found = {own: state.get(_in_whole(own, state)) for own in encoder.state_dict()}
    missing = [own for own, tensor in found.items() if tensor is None]
    if missing:
        raise FoveolaError(
            f"all weights of the encoder '{name}'",
            f"none for '{missing[0]}'",
            "--backbone",
            "choose another encoder, or --no-pretrained",
        )
    return {own: tensor for own, tensor in found.items() if tensor is not None}


def _in_whole(own: str, state: State) -> str:
    """Returns what timm calls a tensor of an encoder in the whole CNN.

    An encoder is wrapped once or twice, and what stands in a container may have been taken out of it:
    ``model.stages_0.norm`` is ``stages.0.norm``.
    """
    while own not in state and own.startswith("model."):
        own = own.removeprefix("model.")
    first = own.partition(".")[0]
    taken_out = (f"{own[:at]}.{own[at + 1 :]}" for at, letter in enumerate(first) if letter == "_")
    return next((name for name in (own, *taken_out) if name in state), own)


def _decoder_of(name: str) -> Decoder:
    decoder = name.rpartition("/")[0] if "/" in name else "unet"
    if decoder not in DECODERS:
        raise unknown_name("decoder", decoder, DECODERS, "--backbone")
    return DECODERS[decoder]


def _check_encoder(name: str, encoder: str) -> None:
    """Refuses what cannot be an encoder."""
    if encoder in _own_encoders() or (timm.is_model(encoder) and encoder in backbone_names()):
        return
    if encoder in backbone_names():
        raise FoveolaError(
            "a CNN of timm or of segmentation-models-pytorch as encoder",
            f"'{encoder}'",
            "--backbone",
            "choose another one, such as resnet34",
        )
    own = OWN_SEGMENTERS if name == encoder else ()
    raise unknown_name("backbone", encoder, (*own, *timm.list_models(), *_own_encoders()), "--backbone")


@cache
def _own_encoders() -> tuple[str, ...]:
    """Returns the library's encoders that timm has under no name: those expect images scaled as for ImageNet."""
    encoders = needed(f"{LIBRARY}.encoders", EXTRA)
    return tuple(
        name
        for name in encoders.get_encoder_names()
        if not timm.is_model(name) and not name.startswith(("timm-", "inception"))
    )


def _own_state(name: str) -> State:
    """Downloads the weights of one of the library's own encoders, or finds them where they were put before."""
    encoders = needed(f"{LIBRARY}.encoders", EXTRA)
    kinds = list(encoders.encoders[name]["pretrained_settings"])
    with download(name):
        encoder = encoders.get_encoder(name, weights="imagenet" if "imagenet" in kinds else kinds[0])
    state: dict[str, torch.Tensor] = encoder.state_dict()
    return state


def _first_convolution(encoder: nn.Module) -> str:
    first: str = next(name for name, module in encoder.named_modules() if isinstance(module, nn.Conv2d))
    return first
