"""Maps of models that were not made here: attention of timm, pytorchcv and MONAI, and mechanisms in any model."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from foveola.attention.foreign.library_attention import Reader, Seen, reader_of
from foveola.attention.mechanism import AttentionLayer, Mechanism
from foveola.attention.recording import Emitted, emit, named_maps, recording
from foveola.foundation.errors import FoveolaError


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Records the maps of any model while the block runs, and leaves nothing behind on it.

    What is read: mechanisms of this package, wherever they stand in the model, and the modules of other libraries that
    `foveola.attention.foreign.library_attention` knows. The maps are computed from what these modules themselves
    computed. They are named after their places in the model, ``B x h x w`` each, and belong to the latest forward
    pass; they are part of the graph of gradients if one is built, but for the column sums of self-attention.

    A compiled model runs without its compiled code within the block. An exported one has no modules left to read:
    export `WithMaps` of the model instead. One thread at a time.

    Args:
        model: Any model; put it into evaluation mode for maps without dropout and batch statistics.

    Raises:
        FoveolaError: If the model has no attention over positions that is known.

    Example:
        >>> import timm
        >>> model = timm.create_model("resnet18", block_args=dict(attn_layer="cbam")).eval()
        >>> with torch.no_grad(), record_attention(model) as maps:
        ...     logits = model(torch.rand(2, 3, 64, 96))
        >>> len(maps), maps["layer3.0.se.spatial"].shape
        (8, torch.Size([2, 4, 6]))
    """
    inner = _uncompiled(model)
    maps: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for handle in _watch(inner):
            stack.callback(handle.remove)
        emitted = stack.enter_context(recording())

        def forget(module: nn.Module, inputs: Any) -> None:
            emitted.clear()

        def tell(*call: Any) -> None:
            maps.clear()
            maps.update(_maps_of(inner, emitted))
            emitted.clear()

        stack.callback(inner.register_forward_pre_hook(forget, prepend=True).remove)
        stack.callback(inner.register_forward_hook(tell).remove)
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield maps
        if emitted:  # only a part of the model was called
            tell()


class WithMaps(nn.Module):
    """A model that returns ``(output, maps)``, to be compiled or exported; the maps are those of `record_attention`.

    It shares parameters and buffers with the model, which stays as it is, and has a mode of its own. Bring the model to
    its device first.

    Args:
        model: Any model with attention.

    Raises:
        FoveolaError: If the model has no attention over positions that is known.

    Example:
        >>> from foveola.attention.inside.sge import SpatialGroupEnhance
        >>> model = WithMaps(nn.Sequential(nn.Conv2d(3, 8, 3), SpatialGroupEnhance(8, groups=4))).eval()
        >>> program = torch.export.export(model, (torch.rand(2, 3, 12, 10),))
        >>> output, maps = program.module()(torch.rand(2, 3, 12, 10))
        >>> output.shape, {name: tuple(map.shape) for name, map in maps.items()}
        (torch.Size([2, 8, 10, 8]), {'1': (2, 10, 8)})
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        model = _uncompiled(model)
        shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self.model = copy.deepcopy(model, shared)
        self.training = model.training
        _watch(self.model)

    def forward(self, *inputs: Any, **options: Any) -> tuple[Any, dict[str, Tensor]]:
        """Returns what the model returns, and its maps by place."""
        with recording() as emitted:
            output = self.model(*inputs, **options)
        return output, named_maps(self.model, emitted)


@dataclass
class _Watch:
    """What hooks on one module and on its parts gather in one call, to tell its operator.

    Attributes:
        reader: Makes the operator.
        owner: See `Seen`.
        parts: What the parts put out so far in this call.
    """

    reader: Reader
    owner: nn.Module | None
    parts: list[Tensor] = field(default_factory=list)

    def begin(self, module: nn.Module, inputs: Any) -> None:
        self.parts.clear()

    def keep(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self.parts.append(output)

    def end(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        operator = self.reader.read(Seen(module, self.owner, tuple(self.parts), output))
        self.parts.clear()
        if operator is not None:
            emit(module, operator)


def _watch(model: nn.Module) -> list[RemovableHandle]:
    """Puts hooks on what is not ours but can be read, and returns their handles.

    Raises:
        FoveolaError: If there is nothing to read and no mechanism of ours.
    """
    handles = _hooks(model)
    if not handles and not any(isinstance(module, Mechanism) for module in model.modules()):
        raise FoveolaError(
            "a model with attention over positions that is known",
            f"a {type(model).__name__} without",
            "the model",
            "give it a mechanism of foveola.attention; if it was exported or scripted, take the model before that",
        )
    return handles


def _hooks(model: nn.Module) -> list[RemovableHandle]:
    """Puts hooks on what is not ours but can be read, if anything, and returns their handles."""
    handles = []
    for module, watch in dict(_readable(model, None)).items():
        handles.append(module.register_forward_pre_hook(watch.begin))
        handles += [module.get_submodule(part).register_forward_hook(watch.keep) for part in watch.reader.parts]
        handles.append(module.register_forward_hook(watch.end))
    return handles


def has_library_attention(model: nn.Module) -> bool:
    """Whether attention of another library stands in the model whose maps can be read.

    Example:
        >>> import timm
        >>> has_library_attention(timm.create_model("resnet18", block_args=dict(attn_layer="cbam")))
        True
    """
    return any(True for _ in _readable(model, None))


@contextmanager
def reading_library_attention(model: nn.Module) -> Iterator[None]:
    """Lets attention of other libraries in the model emit its operators while the block runs, as ours does."""
    with ExitStack() as stack:
        for handle in _hooks(model):
            stack.callback(handle.remove)
        yield


def _readable(module: nn.Module, owner: nn.Module | None) -> Iterator[tuple[nn.Module, _Watch]]:
    """Yields the outermost modules that can be read; what stands inside layers of ours is theirs."""
    if isinstance(module, AttentionLayer):
        return
    if (reader := reader_of(module)) is not None and all(_part(module, name) for name in reader.parts):
        yield module, _Watch(reader, owner)
        return
    for child in module.children():
        yield from _readable(child, module if hasattr(module, "patch_embed") else owner)


def _part(module: nn.Module, name: str) -> bool:
    """Whether a module has such a part; an optional one, such as the scores of a global context, may be ``None``."""
    return any(name == own for own, _ in module.named_modules())


def _uncompiled(model: nn.Module) -> nn.Module:
    """Returns the model behind what ``torch.compile`` returned, or the model itself."""
    inner = getattr(model, "_orig_mod", model)
    return inner if isinstance(inner, nn.Module) else model


def _maps_of(model: nn.Module, emitted: Emitted) -> dict[str, Tensor]:
    """Returns the maps of this model, whatever else ran meanwhile."""
    own = set(model.modules())
    return named_maps(model, [(module, operator) for module, operator in emitted if module in own])
