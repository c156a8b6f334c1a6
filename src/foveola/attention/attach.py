"""Attention in front of a network, inside it, or both: one module that gives its maps when asked."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from foveola.attention.foreign.library_maps import has_library_attention, reading_library_attention
from foveola.attention.input_mask import FixedMask, InputMask
from foveola.attention.mechanism import AttentionLayer
from foveola.attention.recording import named_maps, recording
from foveola.foundation.errors import FoveolaError


class Attended(nn.Module):
    """A network whose images may pass through a mask first, and which may have attention inside.

    Args:
        network: Any module that takes images ``B x C x H x W``.
        attention: The mask, replaced by its map when frozen; ``None`` for none.
        library_attention: Whether maps are also read of attention that another library built into the network.
    """

    def __init__(self, network: nn.Module, attention: InputMask | None, *, library_attention: bool = False) -> None:
        super().__init__()
        self.network = network
        self.attention = attention
        self.library_attention = library_attention

    def forward(self, images: Tensor, *, return_maps: bool = False) -> Any:
        """Returns what the network makes of the images, and the maps that were used when asked for them.

        Args:
            images: ``B x C x H x W``.
            return_maps: Whether to return ``(output, maps)``. The maps are named after their places: ``input`` for
                that of the mask, ``H x W`` or ``B x H x W``; the name of the block, stage or module for those inside,
                ``B x h x w`` at the resolution there.

        Raises:
            FoveolaError: For images that do not fit the mask, or where a compiler or exporter asks for maps of
                attention that another library built.
        """
        if not return_maps:
            return self.network(images if self.attention is None else self.attention(images))
        maps = {}
        if self.attention is not None:
            with recording() as emitted:
                images = self.attention(images)
            maps["input"] = emitted[0][1].received()
        with self._reading(), recording() as emitted:
            output = self.network(images)
        return output, maps | named_maps(self.network, emitted)

    def _reading(self) -> AbstractContextManager[None]:
        if not self.library_attention:
            return nullcontext()
        if torch.compiler.is_compiling():
            raise FoveolaError(
                "a network whose attention is ours",
                "attention that another library built, whose maps need hooks",
                "the model",
                "compile or export foveola.WithMaps of the network instead",
            )
        return reading_library_attention(self.network)

    def penalty(self, maps: dict[str, Tensor]) -> Tensor:
        """Returns what these maps add to the loss."""
        return torch.zeros(()) if self.attention is None else self.attention.penalty(maps["input"])

    @property
    def learns_mask(self) -> bool:
        """Whether there is a mask that is not yet fixed."""
        return self.attention is not None and not isinstance(self.attention, FixedMask)

    def attention_parameters(self) -> list[nn.Parameter]:
        """Returns the parameters of the mask where there is one, and of the attention inside otherwise, each once."""
        if self.attention is not None:
            return list(self.attention.parameters())
        layers = [module for module in self.network.modules() if isinstance(module, AttentionLayer)]
        return list(dict.fromkeys(parameter for layer in layers for parameter in layer.parameters()))

    def frozen_state(self) -> dict[str, Tensor]:
        """Returns the state that the model would have if it were frozen now; nothing is copied."""
        state: dict[str, Tensor] = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        if self.attention is not None:
            state |= {f"attention.{name}": value for name, value in self.attention.frozen().state_dict().items()}
        return state

    def freeze(self) -> None:
        """Fixes the map of the mask: it costs one multiplication now, and the state holds nothing else of the mask."""
        if self.attention is not None:
            self.attention = self.attention.frozen()


def attach(network: nn.Module, attention: InputMask | None = None) -> Attended:
    """Puts a mask in front of a network, or lets a network with attention inside give its maps.

    Attention inside may be ours or of timm, pytorchcv or MONAI: what is read is what `record_attention` reads. Nothing
    stays behind on the network.

    Args:
        network: Any module that takes images ``B x C x H x W``.
        attention: The mask in front of it, if any.

    Example:
        >>> import torch
        >>> from foveola.attention import GlobalAttention
        >>> images, labels = torch.rand(7, 3, 12, 10), torch.arange(7) % 2
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(360, 2))
        >>> mask = GlobalAttention.from_images(images, hidden=4)
        >>> model = attach(network, mask)
        >>> logits, maps = model(images, return_maps=True)
        >>> loss = nn.functional.cross_entropy(logits, labels) + model.penalty(maps)
        >>> loss.backward()
        >>> model.freeze()
        >>> sorted(name for name in model.state_dict() if name.startswith("attention"))
        ['attention.values']
    """
    return Attended(network, attention, library_attention=has_library_attention(network))
