"""How attention of other libraries is read: for each class, which parts compute its weights, and what they mean.

Classes are known by name, so that no library is imported that is not in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foveola.attention.algebra.operators import Operator, Pointwise, Pooling, SelfAttention
from foveola.foundation.errors import FoveolaError


@dataclass(frozen=True)
class Seen:
    """What was seen of a module in one forward pass.

    Attributes:
        module: The module.
        owner: The vision transformer that it is in, if it is in one: the nearest module around it with patches.
        parts: What its parts put out, in the order of use.
        output: What it put out itself.
    """

    module: Any
    owner: Any
    parts: tuple[Tensor, ...]
    output: Tensor


@dataclass(frozen=True)
class Reader:
    """How one class of modules is read.

    Attributes:
        parts: Names of the submodules whose outputs are needed.
        read: Makes the operator from what was seen; ``None`` where all positions weigh the same.
    """

    parts: tuple[str, ...]
    read: Callable[[Seen], Operator | None]


def reader_of(module: nn.Module) -> Reader | None:
    """Returns how a module is read, by its class or one that it derives from; ``None`` where that is not known."""
    names = (f"{known.__module__}.{known.__qualname__}" for known in type(module).__mro__)
    return next((READERS[name] for name in names if name in READERS), None)


def _gate(seen: Seen) -> Operator | None:
    """Reads the only part as weights of positions; those of a single position are weights of channels."""
    (weights,) = seen.parts
    _grid(seen.module, weights.shape[2:])
    return None if weights.shape[2:] == (1, 1) and seen.output.shape[2:] != (1, 1) else Pointwise(weights)


def _row_and_column(seen: Seen) -> Operator:
    """Reads the gates of rows and of columns, and multiplies them."""
    rows, columns = seen.parts
    return Pointwise(rows * columns)


def _scores_of_positions(seen: Seen) -> Operator:
    """Reads the scores that a softmax over positions makes weights of."""
    (scores,) = seen.parts
    return Pooling(scores.flatten(2).softmax(2).reshape(scores.shape))


def _queries_and_keys(seen: Seen) -> Operator:
    """Reads queries and keys ``B x D x H x W``."""
    queries, keys = seen.parts
    return SelfAttention(queries[:, None], keys[:, None], float(seen.module.scale))


def _patches(seen: Seen) -> Operator:
    """Reads queries and keys of tokens ``B x heads x N x D``: how much each patch is used by all tokens together.

    The tokens stay in one row where it is not known how they lie in the image.
    """
    queries, keys = seen.parts
    tokens = _attention(queries, keys, seen.module.scale, (1, queries.shape[2]))
    grid = getattr(getattr(seen.owner, "patch_embed", None), "grid_size", None)
    before = getattr(seen.owner, "num_prefix_tokens", 0)
    if grid is None or queries.shape[2] != before + grid[0] * grid[1]:
        return tokens
    return Pooling(tokens.received()[:, :, before:].reshape(-1, 1, *grid))


def _monai_tokens(seen: Seen) -> Operator:
    """Reads MONAI's self-attention of tokens, which are in one row."""
    attention = seen.module
    if attention.causal or attention.rel_positional_embedding is not None:
        raise FoveolaError(
            "self-attention by queries and keys alone",
            "a causal mask or relative positions",
            type(attention).__name__,
            "use its own save_attn",
        )
    queries, keys = _split(seen.parts)
    return _attention(queries, keys, attention.scale, (1, queries.shape[2]))


def _monai_positions(seen: Seen) -> Operator:
    """Reads MONAI's self-attention of positions."""
    queries, keys = _split(seen.parts)
    return _attention(queries, keys, seen.module.attn.scale, _grid(seen.module, seen.output.shape[2:]))


def _split(parts: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Returns queries and keys, which come stacked or one after the other."""
    queries, keys, _ = parts[0] if len(parts) == 1 else parts
    return queries, keys


def _attention(queries: Tensor, keys: Tensor, scale: float, grid: tuple[int, int]) -> SelfAttention:
    """Returns the operator of queries and keys ``B x heads x N x D`` whose tokens lie on a grid."""
    laid = [tokens.transpose(2, 3).reshape(*tokens.shape[:2], -1, *grid) for tokens in (queries, keys)]
    return SelfAttention(laid[0], laid[1], float(scale))


def _grid(module: nn.Module, size: torch.Size) -> tuple[int, int]:
    if len(size) != 2:
        raise FoveolaError(
            "features of two dimensions in space",
            str(len(size)),
            f"the module {type(module).__name__}",
            "record maps of models for 2D images",
        )
    return size[0], size[1]


READERS: dict[str, Reader] = {
    "timm.layers.cbam.SpatialAttn": Reader(("gate",), _gate),
    "timm.layers.cbam.LightSpatialAttn": Reader(("gate",), _gate),
    "timm.layers.gather_excite.GatherExcite": Reader(("gate",), _gate),
    "timm.layers.coord_attn.CoordAttn": Reader(("gate",), _row_and_column),
    "timm.layers.global_context.GlobalContext": Reader(("conv_attn",), _scores_of_positions),
    "timm.layers.non_local_attn.NonLocalAttn": Reader(("t", "p"), _queries_and_keys),
    "timm.layers.attention.Attention": Reader(("q_norm", "k_norm"), _patches),
    "timm.models.vision_transformer.Attention": Reader(("q_norm", "k_norm"), _patches),
    "pytorchcv.models.resattnet.AttBlock": Reader(("middle_block",), _gate),
    "monai.networks.nets.attentionunet.AttentionBlock": Reader(("psi",), _gate),
    "monai.networks.blocks.spatialattention.SpatialAttentionBlock": Reader(("attn.input_rearrange",), _monai_positions),
    "monai.networks.blocks.selfattention.SABlock": Reader(("input_rearrange",), _monai_tokens),
}
"""What is known, by the full name of the class."""
