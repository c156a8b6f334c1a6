"""Attention in front of any network that takes images."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from foveola.attention.mask import FixedMask, InputMask


class Attended(nn.Module):
    """A network whose images pass through a mask first.

    Args:
        network: Any module that takes images ``B x C x H x W``.
        attention: The mask, replaced by its map when frozen; ``None`` for the network alone, so that code which trains
            and applies networks with attention takes one without as well.
    """

    def __init__(self, network: nn.Module, attention: InputMask | None) -> None:
        super().__init__()
        self.network = network
        self.attention = attention

    def forward(self, images: Tensor, *, return_maps: bool = False) -> Any:
        """Returns what the network makes of the masked images, and the maps that were used when asked for them.

        Args:
            images: ``B x C x H x W``.
            return_maps: Whether to return ``(output, {"input": map})``; the maps are empty without attention.
        """
        maps = {}
        if self.attention is not None:
            maps["input"] = self.attention.weights()
            images = self.attention.apply_to(images, maps["input"])
        output = self.network(images)
        return (output, maps) if return_maps else output

    def penalty(self, maps: dict[str, Tensor]) -> Tensor:
        """Returns what these maps add to the loss."""
        return torch.zeros(()) if self.attention is None else self.attention.penalty(maps["input"])

    @property
    def learns_attention(self) -> bool:
        """Whether there is a mask that is not yet fixed."""
        return self.attention is not None and not isinstance(self.attention, FixedMask)

    def freeze(self) -> None:
        """Fixes the map: from now on it costs one multiplication, and the state holds nothing else of the mask."""
        if self.attention is not None:
            self.attention = self.attention.frozen()


def attach(network: nn.Module, attention: InputMask) -> Attended:
    """Puts a mask in front of a network.

    Example:
        >>> import torch
        >>> from foveola.attention import GlobalAttention
        >>> images, labels = torch.rand(7, 3, 12, 10), torch.arange(7) % 2
        >>> model = attach(nn.Sequential(nn.Flatten(), nn.Linear(360, 2)), GlobalAttention.fit(images, hidden=4))
        >>> logits, maps = model(images, return_maps=True)
        >>> loss = nn.functional.cross_entropy(logits, labels) + model.penalty(maps)
        >>> loss.backward()
        >>> model.freeze()
        >>> sorted(name for name in model.state_dict() if name.startswith("attention"))
        ['attention.values']
    """
    return Attended(network, attention)
