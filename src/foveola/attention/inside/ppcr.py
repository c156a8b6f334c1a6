"""Pyramid pixel context recalibration: every position is weighed by the means of groups of its own channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism
from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import Searched

Norm = Literal["context-batch", "pixel-batch", "spatial", "context-layer", "none"]
Integration = Literal["shared", "pixel"]


class PyramidPixelContext(Mechanism):
    """A gate a position, from the means over 1, 2 and 4 groups of neighbouring channels at that position alone.

    With t_k the mean over the k-th group of channels (K of them over all levels), normalised to v_k:

        g(h, w) = sigmoid( sum_k W_k v_k(h, w) + b )        y_c(h, w) = g(h, w) x_c(h, w)

    W starts at zero, so every gate starts at 0.5; with ``open_gate`` b starts at 1, so they start at 0.73. What v is:

    - ``context-batch``: batch norm, one feature a context. Works at any size of the features.
    - ``pixel-batch``: batch norm, one feature a position, over the images and the contexts. Tied to one size.
    - ``spatial``: each context of each image over its positions; the only one by which positions influence each other.
    - ``context-layer``: over the contexts of each position, and degenerate: as all levels have the same mean, the
      coarsest context becomes 0 where the groups are equal, and how strong the activation is gets lost.
    - ``none``: the contexts themselves.

    Source: a reconstruction of Zhang et al. 2023, arXiv:2303.01917, from its abstracts, without the paper and without
    published code. Verified there: cross-channel pyramid pooling, then pixel normalisation, then the integration into
    one weight a pixel, pixel-independently. Inferred: everything else, after the style-based recalibration module (Lee
    et al. 2019, arXiv:1903.10829) with channels and pixels exchanged; see ``docs/explanation/ppcr.md``.

    Args:
        channels: Of the features.
        levels: Into how many groups the channels are split, a level of the pyramid each. Where the channels cannot be
            split evenly, group j of p goes from floor(j C / p) to ceil((j + 1) C / p).
        norm: What the contexts are normalised by.
        integration: ``shared``, W is K numbers; ``pixel``, K numbers a position, which ties it to one size.
        open_gate: Whether there is a b, which starts at 1.
        size: Height and width of the features; needed where it is tied to them.
        device: Of the parameters.
        dtype: Of the parameters.

    Raises:
        FoveolaError: If the channels are fewer than the groups, the levels are no distinct positive numbers, or it is
            tied to a size that is not given.

    Example:
        >>> gate = PyramidPixelContext(8)
        >>> gate(torch.ones(2, 8, 12, 10)).unique().tolist(), sum(p.numel() for p in gate.parameters())
        ([0.5], 21)
    """

    groups: Tensor
    bias: nn.Parameter | None

    def __init__(
        self,
        channels: int,
        levels: Sequence[int] = (1, 2, 4),
        norm: Norm = "context-batch",
        integration: Integration = "shared",
        open_gate: bool = False,
        size: tuple[int, int] | None = None,
        *,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check_levels(levels, channels)
        tied = norm == "pixel-batch" or integration == "pixel"
        if tied and size is None:
            raise FoveolaError(
                "the height and the width of the features",
                "none",
                "PyramidPixelContext",
                "give size=(height, width), or let `insert` put it into the network",
            )
        self.levels, self.norm_over, self.integration = tuple(levels), norm, integration
        self.size = size if tied else None
        made: dict[str, Any] = {"device": device, "dtype": dtype}
        self.register_buffer("groups", _group_means(channels, levels).to(**made), persistent=False)
        contexts, (height, width) = len(self.groups), size or (1, 1)
        self.norm = _norm(norm, contexts, height * width, made)
        grid = (height, width) if integration == "pixel" else (1, 1)
        self.weight = nn.Parameter(torch.zeros(contexts, *grid, **made))
        self.bias = nn.Parameter(torch.ones(1, **made)) if open_gate else None

    def contexts(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        """Returns the mean over every group of channels, level by level.

        It is one product with a fixed matrix, which reads the features once for all levels, and no adaptive pooling,
        whose backward pass is not deterministic on a GPU.
        """
        return _mixed(features, self.groups)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns one gate a position, in 0..1.

        Raises:
            FoveolaError: If it is tied to another size, or there is too little to normalise over.
        """
        self._check(features)
        if self.integration == "shared" and self.norm_over in ("context-batch", "none") and not self.training:
            weight, offset = self._folded()
            logits = _mixed(features, weight).to(offset.dtype) + offset
        else:
            normalised = self._normalised(self.contexts(features).to(self.weight.dtype))
            logits = (normalised * self.weight).sum(1, keepdim=True)
            logits = logits if self.bias is None else logits + self.bias
        return Pointwise(torch.sigmoid(logits))

    def _normalised(self, contexts: Float[Tensor, "b k h w"]) -> Float[Tensor, "b k h w"]:
        normalised: Tensor
        if self.norm_over not in ("pixel-batch", "context-layer"):
            normalised = self.norm(contexts)
            return normalised
        last = contexts.permute(0, 2, 3, 1)
        normalised = self.norm(last.flatten(1, 2))
        return normalised.reshape(last.shape).permute(0, 3, 1, 2)

    def _folded(self) -> tuple[Float[Tensor, "1 c"], Float[Tensor, " 1"]]:
        """Returns what means, fixed statistics and integration amount to: a weight a channel, and what is added."""
        weight, offset = self.weight.flatten(), self.weight.new_zeros(1) if self.bias is None else self.bias
        if self.norm_over == "context-batch":
            norm: Any = self.norm  # by then it may be one that is synchronised over GPUs, or frozen
            scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
            offset = offset + (weight * (norm.bias - scale * norm.running_mean)).sum()
            weight = weight * scale
        return (weight @ self.groups)[None], offset

    def _check(self, features: Tensor) -> None:
        """Refuses features that it cannot weigh."""
        batch, _, height, width = features.shape
        if self.size is not None and (height, width) != self.size:
            raise FoveolaError(
                "features of the size that PPCR is tied to, " + " x ".join(map(str, self.size)),
                f"{height} x {width}",
                "the images",
                "resize them as the training images were, or resize the network by `resize_contexts`",
            )
        count = {
            "context-batch": batch * height * width,
            "pixel-batch": batch * len(self.groups),
            "spatial": height * width,
        }
        if (self.training or self.norm_over == "spatial") and count.get(self.norm_over, 2) < 2:
            raise FoveolaError(
                f"more than one value to normalise over by '{self.norm_over}'",
                "one",
                "the features that PPCR weighs",
                "give larger images or batches, or another norm",
            )

    @torch.no_grad()
    def resize(self, height: int, width: int) -> None:
        """Enlarges or shrinks bilinearly what is tied to a size, running statistics too; nothing where nothing is.

        What an optimiser remembers of these parameters does not fit them any more.

        Example:
            >>> gate = PyramidPixelContext(8, integration="pixel", size=(12, 10))
            >>> gate.resize(6, 5)
            >>> gate(torch.ones(2, 8, 6, 5)).shape
            torch.Size([2, 8, 6, 5])
        """
        if self.size is None:
            return
        tied: list[Tensor] = [self.weight] if self.integration == "pixel" else []
        if self.norm_over == "pixel-batch":
            norm: Any = self.norm
            tied += [tensor for tensor in norm.state_dict(keep_vars=True).values() if tensor.ndim]
            norm.num_features = height * width
        for tensor in tied:
            grids = tensor.detach().reshape(1, -1, *self.size)
            enlarged = functional.interpolate(grids, (height, width), mode="bilinear", align_corners=False)
            tensor.data = enlarged[0] if tensor.ndim == 3 else enlarged.flatten()
        self.size = (height, width)

    @torch.no_grad()
    def level_weights(self) -> Float[Tensor, " levels"]:
        """Returns by how much a context of one standard deviation moves the gate's logit, summed over each level.

        That is the sum of ``|W_k gamma|`` with gamma the scale behind the normalisation, averaged over positions where
        it differs between them. Without normalisation it is by how much a context of 1 moves it.
        """
        norm: Any = self.norm
        scale = self.weight.new_ones(1, 1, 1) if self.norm_over == "none" else norm.weight.view(-1, 1, 1)
        if self.size is not None and self.norm_over == "pixel-batch":
            scale = scale.view(1, *self.size)
        moved = (self.weight * scale).abs().mean((1, 2))
        return torch.stack([level.sum() for level in torch.split(moved, list(self.levels))])


def _check_levels(levels: Sequence[int], channels: int) -> None:
    shown = ", ".join(map(str, levels)) or "none"
    if not levels or min(levels) < 1 or len(set(levels)) < len(levels):
        raise FoveolaError(
            "levels that are distinct positive numbers", shown, "the levels of PPCR", "give them as in [1, 2, 4]"
        )
    if channels < max(levels):
        raise FoveolaError(
            f"at least {max(levels)} channels for the levels {shown}",
            str(channels),
            "the features that PPCR weighs",
            "give smaller levels, or name deeper modules in the arm's setting `at`",
        )


def _mixed(features: Float[Tensor, "b c h w"], matrix: Float[Tensor, "k c"]) -> Float[Tensor, "b k h w"]:
    """Returns the product of a matrix and the channels of every position, in the way that suits their layout."""
    matrix = matrix.to(features.dtype)
    if features.is_contiguous(memory_format=torch.channels_last):
        return functional.linear(features.permute(0, 2, 3, 1), matrix).permute(0, 3, 1, 2)
    return torch.matmul(matrix, features.flatten(2)).reshape(len(features), -1, *features.shape[2:])


def _group_means(channels: int, levels: Sequence[int]) -> Float[Tensor, "k c"]:
    """Returns the matrix that takes channels to the means over groups of them."""
    rows = []
    for level in levels:
        for group in range(level):
            start, stop = group * channels // level, -(-(group + 1) * channels // level)
            row = torch.zeros(channels)
            row[start:stop] = 1 / (stop - start)
            rows.append(row)
    return torch.stack(rows)


def _norm(norm: Norm, contexts: int, positions: int, made: dict[str, Any]) -> nn.Module:
    if norm == "context-batch":
        return nn.BatchNorm2d(contexts, **made)
    if norm == "pixel-batch":
        return nn.BatchNorm1d(positions, **made)
    if norm == "spatial":
        return nn.InstanceNorm2d(contexts, affine=True, **made)
    return nn.LayerNorm(contexts, **made) if norm == "context-layer" else nn.Identity()


@torch.no_grad()
def resize_contexts(network: nn.Module, image: Float[Tensor, "1 c h w"]) -> None:
    """Resizes, in place, every pyramid pixel context of a network to what images of another size need.

    Args:
        network: With or without such modules.
        image: One image of the new size, whatever it shows.

    Example:
        >>> import timm
        >>> from foveola.attention import insert
        >>> network = timm.create_model("resnet18", num_classes=3)
        >>> def tied(channels: int, size: tuple[int, int]) -> PyramidPixelContext:
        ...     return PyramidPixelContext(channels, integration="pixel", size=size)
        >>> _ = insert(network, tied, torch.rand(1, 3, 64, 48))
        >>> resize_contexts(network, torch.rand(1, 3, 96, 64))
        >>> network(torch.rand(2, 3, 96, 64)).shape
        torch.Size([2, 3])
    """
    modules = [module for module in network.modules() if isinstance(module, PyramidPixelContext)]
    training = [module for module in network.modules() if module.training]
    handles = [module.register_forward_pre_hook(_resize_for) for module in modules]
    try:
        network.eval()(image)
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True


def _resize_for(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(module, PyramidPixelContext)
    module.resize(*inputs[0].shape[-2:])


class PpcrSettings(LayerSettings):
    """Settings of the arm ``ppcr``: those of `PyramidPixelContext`.

    Attributes:
        preset: ``paper-like`` normalises and integrates each pixel by itself where nothing else is said: the most
            literal reading of the abstract, which ties the network to one image size.
        levels: Numbers of groups of channels.
        norm: What the contexts are normalised by.
        integration: Whether positions share their weights.
        open_gate: Whether gates start at 0.73 and not at 0.5.
    """

    preset: Literal["default", "paper-like"] = "default"
    levels: tuple[int, ...] = (1, 2, 4)
    norm: Annotated[Norm, Searched(choices=("context-batch", "spatial", "none"))] = "context-batch"
    integration: Integration = "shared"
    open_gate: Annotated[bool, Searched(choices=(False, True))] = False
    weight_decay: float | None = Field(0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: dict[str, Any]) -> dict[str, Any]:
        literal = {"norm": "pixel-batch", "integration": "pixel"} if values.get("preset") == "paper-like" else {}
        return {**literal, **values}


def _build(channels: int, size: tuple[int, int], settings: PpcrSettings) -> PyramidPixelContext:
    return PyramidPixelContext(channels, settings.levels, settings.norm, settings.integration, settings.open_gate, size)


ARMS.add(Arm("ppcr", "a gate a pixel from means of its channels", PpcrSettings, "pointwise", layer=_build))
