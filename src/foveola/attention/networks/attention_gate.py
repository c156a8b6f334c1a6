"""Attention-gate pooling: the deepest features say where the earlier ones are looked at before they are classified."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import field_validator
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, ArmSettings
from foveola.attention.hosts.backbone_levels import chosen_levels
from foveola.attention.hosts.probing import outputs_of
from foveola.attention.mechanism import Mechanism
from foveola.attention.networks.query_trunk import give_up_classifier
from foveola.attention.networks.stage_taps import Tap, tapping


class AttentionGate(Mechanism):
    """``y_i = BN(W a_i x_i)`` with ``a = sigmoid(psi ReLU(W_x x + W_g g))``: coarser features g gate finer ones x.

    W_x takes steps of 2, g is resized to its grid, and a bilinearly back to that of x. The map is a.

    Source: Schlemper et al. 2019, arXiv:1808.08114, equations 1 and 2, with the details of the authors' code: kernel
    and step of W_x are 2, it has no bias, and there are half as many inner channels as channels. Deviation: no bias
    in W, which the batch norm cancels.

    Args:
        channels: Of x.
        gating: Channels of g.
        inner: Channels in which both are compared; half of those of x where it is ``None``.
        step: Of W_x; 1 where x has a single row or column.
        place: Where x comes from: the name of the map.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> gate = AttentionGate(8, gating=16)
        >>> gate(torch.rand(2, 8, 12, 10), torch.rand(2, 16, 3, 2)).shape
        torch.Size([2, 8, 12, 10])
    """

    def __init__(
        self,
        channels: int,
        gating: int,
        inner: int | None = None,
        step: int = 2,
        place: str | None = None,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        inner, made = max(channels // 2, 1) if inner is None else inner, {"device": device, "dtype": dtype}
        self.place = place
        self.of_features = nn.Conv2d(channels, inner, step, stride=step, bias=False, **made)
        self.of_gating = nn.Conv2d(gating, inner, 1, **made)
        self.score = nn.Conv2d(inner, 1, 1, **made)
        self.output = nn.Conv2d(channels, channels, 1, bias=False, **made)
        self.norm = nn.BatchNorm2d(channels, **made)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the gate, in 0..1, for features and, as the context, those that gate them ``B x D x i x j``."""
        (gating,) = context
        compared: Tensor = self.of_features(features)
        question = functional.interpolate(self.of_gating(gating), compared.shape[2:], mode="bilinear")
        gate = torch.sigmoid(self.score(functional.relu(compared + question)))
        return Pointwise(functional.interpolate(gate, features.shape[2:], mode="bilinear"))

    def fuse(self, features: Float[Tensor, "b c h w"], attended: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the normalised projection of the gated features."""
        projected: Tensor = self.norm(self.output(attended))
        return projected


class AttentionGateSettings(ArmSettings):
    """Settings of the arm ``attention-gate``.

    Attributes:
        levels: How many levels of the backbone, counted from the deepest, or names of modules, separated by commas. The
            last gates the others.
    """

    levels: int | str = 3

    @field_validator("levels")
    @classmethod
    def _at_least_two(cls, value: int | str) -> int | str:
        if value in (0, 1) or (isinstance(value, str) and "," not in value) or (isinstance(value, int) and value < 0):
            raise ValueError("at least two levels, the last of which gates the others")
        return value


class AttentionGatePooling(nn.Module):
    """A backbone that classifies what it pools together with the means of earlier features, gated by the deepest.

    Source: Schlemper et al. 2019, arXiv:1808.08114, the classification network, with one classifier of all vectors
    put together. Deviation: the gates stay sigmoids, where the authors' classifier shifts and scales them to sum to 1.

    Args:
        backbone: An image CNN that classifies, with its pretrained weights, if any; changed in place.
        image: ``1 x C x H x W``, of the size to come.
        levels: See `AttentionGateSettings`.

    Raises:
        FoveolaError: If the backbone does not have the levels that are asked for.

    Example:
        >>> import timm
        >>> network = AttentionGatePooling(timm.create_model("resnet18", num_classes=5), torch.zeros(1, 3, 64, 96))
        >>> network(torch.rand(2, 3, 64, 96)).shape, [gate.place for gate in network.gates]
        (torch.Size([2, 5]), ['layer2', 'layer3'])
    """

    def __init__(self, backbone: nn.Module, image: Tensor, levels: int | str = 3) -> None:
        super().__init__()
        classes = outputs_of(backbone, [""], image)[""].shape[1]
        give_up_classifier(backbone)
        width = outputs_of(backbone, [""], image)[""].shape[1]
        shapes = chosen_levels(backbone, image, levels)
        for name in sorted(shapes, key=lambda place: -place.count(".")):  # what stands inside another comes first
            backbone.set_submodule(name, Tap(backbone.get_submodule(name), name))
        self.backbone = backbone
        self.deepest, (gating, _, _) = shapes.popitem()
        self.gates = nn.ModuleList(
            AttentionGate(channels, gating, step=min(2, height, across), place=name)
            for name, (channels, height, across) in shapes.items()
        )
        self.classify = nn.Linear(width + sum(channels for channels, _, _ in shapes.values()), classes)

    def forward(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b classes"]:
        """Returns logits."""
        with tapping() as tapped:
            vectors = [self.backbone(images)]
        for gate in self.gates:
            vectors.append(gate(tapped[str(gate.place)], tapped[self.deepest]).mean((2, 3)))
        logits: Tensor = self.classify(torch.cat(vectors, dim=1))
        return logits


def _network(backbone: nn.Module, image: Tensor, settings: AttentionGateSettings) -> AttentionGatePooling:
    return AttentionGatePooling(backbone, image, settings.levels)


ARMS.add(
    Arm(
        "attention-gate",
        "earlier features, gated by the deepest and pooled",
        AttentionGateSettings,
        "pointwise",
        network=_network,
    )
)
