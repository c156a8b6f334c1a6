"""Taps: what a stage puts out, heard by the network around it while the backbone runs on undisturbed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class _Listener(threading.local):
    """Who listens in this thread."""

    heard: dict[str, Tensor] | None = None


_listener = _Listener()


class Tap(nn.Module):
    """A stage whose features are also told to who listens by `tapping`.

    Nothing is stored on the module, and the weights of the stage stay as they are.

    Args:
        stage: What puts the features out.
        place: Its name, under which they are told.
        share: Factor on the gradient that comes back to the features; see `scaled_gradient`.
    """

    def __init__(self, stage: nn.Module, place: str, *, share: float = 1.0) -> None:
        super().__init__()
        self.stage, self.place, self.share = stage, place, share

    def forward(self, features: Tensor) -> Tensor:
        """Returns what the stage makes of the features."""
        output = scaled_gradient(self.stage(features), self.share)
        if _listener.heard is not None:
            _listener.heard[self.place] = output
        return output


@contextmanager
def tapping() -> Iterator[dict[str, Tensor]]:
    """Listens while the block runs; the features are told by the names of their stages.

    Example:
        >>> with tapping() as tapped:
        ...     output = nn.Sequential(Tap(nn.Conv2d(3, 8, 3), "first"), nn.ReLU())(torch.rand(2, 3, 12, 10))
        >>> tapped["first"].shape
        torch.Size([2, 8, 10, 8])
    """
    before, _listener.heard = _listener.heard, {}
    try:
        yield _listener.heard
    finally:
        _listener.heard = before


def scaled_gradient(values: Tensor, share: float) -> Tensor:
    """Returns the very same values, and multiplies the gradient that comes back by ``share``.

    With one over the number of uses, the gradients of all uses are averaged instead of summed.

    Example:
        >>> values = torch.tensor([0.1, 3.0], requires_grad=True)
        >>> scaled_gradient(values, 0.25).sum().backward()
        >>> values.grad
        tensor([0.2500, 0.2500])
    """
    if share == 1 or not torch.is_grad_enabled():
        return values
    fixed = values.detach()
    return fixed + share * (values - fixed)
