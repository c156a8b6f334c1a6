"""A support vector machine as a module."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class KernelMachine(nn.Module):
    """Compares features with support vectors by a Gaussian kernel, and decides between every pair of classes.

    The decision for a pair is ``sum_s a_s exp(-gamma |x - x_s|^2) + b`` over the support vectors x_s; the pairs are in
    the order (0, 1), (0, 2), ..., (1, 2), ... and a positive decision is for the first of the two.

    How many support vectors there are is known after the fit only: as made there are none, and a state dict with so
    many brings them.

    Source: Chang and Lin 2011, *LIBSVM*, the decision function of section 2.1, with one machine for each pair of
    classes as in section 7.

    Args:
        features: Of an image.
        classes: How many.

    Example:
        >>> machine = KernelMachine(features=4, classes=3)
        >>> machine.take(torch.rand(7, 4), torch.rand(7, 3), torch.zeros(3), gamma=0.5)
        >>> machine(torch.rand(2, 4)).shape
        torch.Size([2, 3])
        >>> again = KernelMachine(features=4, classes=3)
        >>> again.load_state_dict(machine.state_dict())
        <All keys matched successfully>
        >>> len(again.support)
        7
    """

    support: Tensor
    coefficients: Tensor
    intercepts: Tensor
    gamma: Tensor

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        pairs = classes * (classes - 1) // 2
        self.register_buffer("support", torch.zeros(0, features))
        self.register_buffer("coefficients", torch.zeros(0, pairs))
        self.register_buffer("intercepts", torch.zeros(pairs))
        self.register_buffer("gamma", torch.ones(()))
        self.register_load_state_dict_pre_hook(_make_room)  # type: ignore[no-untyped-call]

    def take(self, support: Tensor, coefficients: Tensor, intercepts: Tensor, gamma: float) -> None:
        """Takes ``s x features`` support vectors, ``s x pairs`` coefficients, an intercept a pair, and gamma."""
        self.support, self.coefficients, self.intercepts = (
            values.to(self.gamma.dtype) for values in (support, coefficients, intercepts)
        )
        self.gamma.fill_(gamma)

    def forward(self, features: Float[Tensor, "b d"]) -> Float[Tensor, "b pairs"]:
        """Returns the decision for every pair of classes.

        It is computed in double precision: distances are differences of large numbers, and coefficients are large.
        """
        images, support = features.double(), self.support.double()
        own, others = images.square().sum(1, keepdim=True), support.square().sum(1)
        kernel = torch.exp(-self.gamma.double() * (own + others - 2 * images @ support.mT).clamp(min=0))
        return (kernel @ self.coefficients.double() + self.intercepts.double()).to(features.dtype)


def _make_room(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Makes a machine as many support vectors as a state dict has that is to be loaded; their size must be its own."""
    for name in ("support", "coefficients"):
        given, own = state.get(prefix + name), module.get_buffer(name)
        if isinstance(given, Tensor) and given.ndim == 2:
            setattr(module, name, own.new_zeros(len(given), own.shape[1]))
