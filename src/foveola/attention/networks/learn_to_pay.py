"""Learn to Pay Attention: classifies what several levels of a backbone show where they agree with a global vector."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from foveola.attention.arm import ARMS, Arm, ArmSettings
from foveola.attention.attach import Attended
from foveola.attention.hosts.probing import outputs_of
from foveola.attention.networks.pay_attention import Normaliser, PayAttention, Projected, Score
from foveola.attention.networks.pay_heads import ConcatHead, Fusion, IndependentHead
from foveola.attention.networks.query_trunk import Trunk
from foveola.attention.recording import named_maps, recording
from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import Searched

PAPER = {
    "score": "pc",
    "normaliser": "softmax",
    "head": "concat",
    "project": "query",
    "bias": True,
    "normalise_query": True,
    "normalise_attended": True,
    "dropout": 0.5,
    "attended_dropout": 0.5,
    "conv_dropout": True,
    "tap": "before",
}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "paper": PAPER,
    "paper-resnet": {**PAPER, "levels": 2, "attended_dropout": 0.3},
}
"""Values of settings by the name of a preset; settings that are given win over them."""


class FairControlSettings(ArmSettings):
    """Settings of the arm ``learn-to-pay-control``, which ``learn-to-pay`` has too.

    Attributes:
        preset: ``paper`` for the authors' values with VGG, ``paper-resnet`` for theirs with ResNet, in place of the
            defaults of all settings that are not given.
        dim: Dimensions of the global vector g that FC-1 puts out; ``None`` for as many as the backbone pools, but 512
            at most. A backbone with an FC-1 of its own decides itself.
        dropout: In front of FC-1 where the backbone has none of its own; and where ``normalise_query`` puts it.
        conv_dropout: Whether the backbone keeps the dropout between its convolutions.
    """

    preset: Literal["default", "paper", "paper-resnet"] = "default"
    dim: int | None = Field(None, ge=1)
    dropout: Annotated[float, Searched(0.0, 0.5)] = Field(0.0, ge=0, lt=1)
    conv_dropout: bool = True

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        preset = PRESETS.get(str(values.get("preset")), {})
        return {**{name: value for name, value in preset.items() if name in cls.model_fields}, **values}


class LearnToPaySettings(FairControlSettings):
    """Settings of the arm ``learn-to-pay``.

    Attributes:
        levels: How many levels, counted from the deepest; or names of modules of the backbone, separated by commas.
        score: ``additive``, ``dp`` or ``pc``. With ``pc`` and a softmax the maps do not depend on g, and what makes g
            learns nothing.
        normaliser: ``softmax`` or ``sigmoid``.
        head: ``concat`` for one classifier of all levels, ``indep`` for one each.
        fusion: How ``indep`` puts them together; see `IndependentHead`.
        project: Which is projected where a level has other dimensions than g: the ``query`` g, or the ``features``.
        hidden: Dimensions in which ``additive`` compares; ``None`` for those of the level, but 128 at most.
        bias: Whether ``pc`` has a bias.
        normalise_query: Whether g goes through batch norm, ReLU and dropout where a level has other dimensions.
        normalise_attended: Whether the attended vectors go through batch norm, ReLU and dropout.
        attended_dropout: The probability of that dropout.
        tap: Whether features are taken ``before`` the pool behind a stage of VGG, or ``after`` it.
        grad_average: Whether gradients are averaged where features or g are used several times, as the authors' code
            does; they are then no longer those of the loss.
    """

    levels: Annotated[int | str, Searched(choices=(1, 2, 3))] = 3
    score: Annotated[Score, Searched(choices=("additive", "dp", "pc"))] = "additive"
    normaliser: Annotated[Normaliser, Searched(choices=("softmax", "sigmoid"))] = "softmax"
    head: Literal["concat", "indep"] = "concat"
    fusion: Fusion = "mean"
    project: Projected = "query"
    hidden: int | None = Field(None, ge=1)
    bias: bool = False
    normalise_query: bool = False
    normalise_attended: bool = False
    attended_dropout: float = Field(0.0, ge=0, lt=1)
    tap: Literal["before", "after"] = "before"
    grad_average: bool = False

    @field_validator("levels")
    @classmethod
    def _at_least_one(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("at least one level")
        return value


class LearnToPay(nn.Module):
    """A backbone that classifies by attended vectors alone, one from each of its levels.

    Source: Jetley, Lord, Lee and Torr 2018, arXiv:1804.02391. The global vector g asks, but is not classified.

    Args:
        backbone: An image CNN that classifies, with its pretrained weights, if any; changed in place.
        image: ``1 x C x H x W``, of the size to come.
        settings: See `LearnToPaySettings`; the defaults where it is ``None``.

    Raises:
        FoveolaError: If the backbone does not have the levels that are asked for, or the image is too small for them.

    Example:
        >>> import timm
        >>> network = LearnToPay(timm.create_model("resnet18", num_classes=3), torch.zeros(1, 3, 64, 96))
        >>> logits, maps = Attended(network, None)(torch.rand(2, 3, 64, 96), return_maps=True)
        >>> logits.shape, {name: tuple(map.shape) for name, map in maps.items()}
        (torch.Size([2, 3]), {'layer2': (2, 8, 12), 'layer3': (2, 4, 6), 'layer4': (2, 2, 3)})
    """

    def __init__(self, backbone: nn.Module, image: Tensor, settings: LearnToPaySettings | None = None) -> None:
        super().__init__()
        settings = LearnToPaySettings() if settings is None else settings
        classes = _classes(backbone, image)
        self.trunk = Trunk(
            backbone,
            image,
            levels=settings.levels,
            pooled=settings.tap == "after",
            average_gradients=settings.grad_average,
            **_shared_with_control(settings),
        )
        self.levels = nn.ModuleList(
            PayAttention(
                channels,
                self.trunk.dim,
                score=settings.score,
                normaliser=settings.normaliser,
                project=settings.project,
                hidden=settings.hidden,
                bias=settings.bias,
                normalise_query=settings.normalise_query,
                dropout=settings.dropout,
                place=place,
            )
            for place, (channels, _, _) in self.trunk.shapes.items()
        )
        sizes = [level.channels for level in self.levels if isinstance(level, PayAttention)]
        self.finish = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(size), nn.ReLU(), nn.Dropout(settings.attended_dropout))
            if settings.normalise_attended
            else nn.Identity()
            for size in sizes
        )
        self.normalises = settings.normalise_attended or settings.normalise_query
        self.head = (
            ConcatHead(sizes, classes)
            if settings.head == "concat"
            else IndependentHead(sizes, classes, settings.fusion)
        )

    def forward(
        self, images: Float[Tensor, "b c h w"], query_images: Float[Tensor, "_ c i j"] | None = None
    ) -> Float[Tensor, "b classes"]:
        """Returns logits.

        Args:
            images: What is classified.
            query_images: Whose g asks, one for each image or one for all; the images themselves where it is ``None``.

        Raises:
            FoveolaError: For one image alone while training, where vectors go through batch norm.
        """
        self._check(images)
        features, g = self.trunk(images)
        if query_images is not None:
            g = self.trunk(query_images)[1].expand(images.shape[0], -1)
        attended = [level(each, g) for level, each in zip(self.levels, features.values(), strict=True)]
        vectors = [finish(each.flatten(1)) for finish, each in zip(self.finish, attended, strict=True)]
        logits: Tensor = self.head(vectors)
        return logits

    def _check(self, images: Tensor) -> None:
        """Refuses one image alone where it would go through a batch norm that learns."""
        if self.training and self.normalises and images.shape[0] == 1:
            raise FoveolaError(
                "two images or more in a batch while training",
                "one",
                "LearnToPay, which has batch norm",
                "give larger batches, or turn off `normalise_attended` and `normalise_query`",
            )


class FairControl(nn.Module):
    """The same network without attention: g is what is classified.

    Args:
        backbone: As for `LearnToPay`.
        image: As for `LearnToPay`.
        settings: See `FairControlSettings`; the defaults where it is ``None``.

    Example:
        >>> import timm
        >>> FairControl(timm.create_model("resnet18", num_classes=3), torch.zeros(1, 3, 64, 96)).classify
        Linear(in_features=512, out_features=3, bias=True)
    """

    def __init__(self, backbone: nn.Module, image: Tensor, settings: FairControlSettings | None = None) -> None:
        super().__init__()
        settings = FairControlSettings() if settings is None else settings
        classes = _classes(backbone, image)
        self.trunk = Trunk(backbone, image, **_shared_with_control(settings))
        self.classify = nn.Linear(self.trunk.dim, classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """Returns logits."""
        _, g = self.trunk(images)
        logits: Tensor = self.classify(g)
        return logits


@torch.no_grad()
def query_by(
    model: nn.Module, images: Float[Tensor, "b c h w"], query_images: Float[Tensor, "_ c h w"]
) -> dict[str, Float[Tensor, "b _ _"]]:
    """Returns where images show what other images show: their maps, with the global vectors of the others.

    With `pc` and a softmax they are the images' own maps, because those do not depend on the global vector.

    Args:
        model: A `LearnToPay`, or one behind a mask, in evaluation mode.
        images: Where to look.
        query_images: What to look for: one for each image, or one for all.

    Raises:
        FoveolaError: If the model is another one, or the numbers of images do not go together.

    Example:
        >>> import timm
        >>> model = LearnToPay(timm.create_model("resnet18"), torch.zeros(1, 3, 64, 96)).eval()
        >>> maps = query_by(model, torch.rand(2, 3, 64, 96), torch.rand(1, 3, 64, 96))
        >>> {name: tuple(map.shape) for name, map in maps.items()}
        {'layer2': (2, 8, 12), 'layer3': (2, 4, 6), 'layer4': (2, 2, 3)}
    """
    network = model.network if isinstance(model, Attended) else model
    if not isinstance(network, LearnToPay):
        raise FoveolaError(
            "a model of the arm learn-to-pay", f"a {type(network).__name__}", "query_by", "fit one with that arm"
        )
    if len(query_images) not in (1, len(images)):
        raise FoveolaError(
            f"1 or {len(images)} query images", str(len(query_images)), "query_by", "give one for all, or one each"
        )
    if isinstance(model, Attended) and model.attention is not None:
        images, query_images = model.attention(images), model.attention(query_images)
    with recording() as emitted:
        network(images, query_images)
    return named_maps(network, emitted)


def _classes(backbone: nn.Module, image: Tensor) -> int:
    return int(outputs_of(backbone, [""], image)[""].shape[1])


def _shared_with_control(settings: FairControlSettings) -> dict[str, Any]:
    return settings.model_dump(include={"dim", "dropout", "conv_dropout"})


ARMS.add(
    Arm(
        "learn-to-pay",
        "Learn to Pay Attention: classifies what each level shows where it agrees with the whole",
        LearnToPaySettings,
        "pooling",
        network=LearnToPay,
    )
)
ARMS.add(
    Arm(
        "learn-to-pay-control",
        "the network of learn-to-pay without attention, its fair control",
        FairControlSettings,
        "none",
        network=FairControl,
    )
)
