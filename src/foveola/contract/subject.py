"""What is put to the test: something with attention inside, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from foveola.attention import InputMask, Mechanism, recording
from foveola.attention.algebra import Operator
from foveola.attention.arm import Row
from foveola.pixels.representation import Batches

CLASSES = 3


@dataclass(frozen=True)
class Subject:
    """A layer or a network with attention inside.

    Attributes:
        make: Makes it anew; what is random in it comes from PyTorch's global generator.
        inputs: Features or images ``B x C x H x W``, no two of these numbers alike where it can be chosen.
        operator: What its matrix A is said to be.
    """

    make: Callable[[], nn.Module]
    inputs: Tensor
    operator: Row

    def built(self, *, seed: int = 1, moved: float = 0.3, dtype: torch.dtype = torch.float32) -> nn.Module:
        """Returns it in evaluation mode, away from where it starts.

        Every parameter is moved by noise of so many times its own size, or of that size where it is zero, so that what
        starts as nothing does something; running statistics are halfway to those of the inputs.
        """
        with torch.random.fork_rng(devices=()), torch.no_grad():
            torch.manual_seed(seed)
            module = self.make()
            for parameter in module.parameters():
                size = parameter.square().mean().sqrt()
                parameter.add_(moved * torch.randn_like(parameter) * (size if size else 1))
            norms = {norm: norm.momentum for norm in module.modules() if isinstance(norm, _BatchNorm)}
            for norm in norms:
                norm.momentum = 0.5
            module.train()(self.inputs)
            for norm, momentum in norms.items():
                norm.momentum = momentum
            return module.to(dtype).eval()


@dataclass(frozen=True)
class MaskSubject(Subject):
    """A mask that lies in front of a network.

    Attributes:
        make_from: Makes it from training images.
        images: The training images, ``N x C x H x W``; ``inputs`` are others of their size.
    """

    make_from: Callable[[Batches], InputMask]
    images: Tensor

    @classmethod
    def of(cls, make_from: Callable[[Batches], InputMask], images: Tensor) -> MaskSubject:
        """Returns the mask that is made from these images; it is looked at with five others of their size."""
        inputs = drawn(5, *images.shape[1:], seed=3)
        return cls(partial(make_from, images), inputs, "shared", make_from, images)

    def made_from(self, images: Batches) -> MaskSubject:
        """Returns the same kind of mask made from other training images."""
        return replace(self, make=partial(self.make_from, images))

    def built(self, *, seed: int = 1, moved: float = 0.3, dtype: torch.dtype = torch.float32) -> InputMask:
        """Returns it in evaluation mode, away from where it starts."""
        mask = super().built(seed=seed, moved=moved, dtype=dtype)
        require(isinstance(mask, InputMask), f"a {type(mask).__name__} is no InputMask")
        return cast(InputMask, mask)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Returns normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def structured(count: int, channels: int, height: int, width: int) -> Tensor:
    """Returns images that are sums of four patterns, as those of a cohort have much in common; no symmetry."""
    shares, patterns = drawn(count, channels, 4, seed=6), drawn(4, height, width, seed=7)
    return torch.einsum("ncp,phw->nchw", shares, patterns)


class Use(NamedTuple):
    """One pass of features through a mechanism, and the operator that it said it would apply."""

    mechanism: Mechanism
    operator: Operator
    inputs: tuple[Tensor, ...]
    output: Tensor


def uses(module: nn.Module, inputs: Tensor) -> list[Use]:
    """Returns how each mechanism in a module is used for these inputs, in the order of use."""
    passes: list[tuple[nn.Module, tuple[Tensor, ...], Tensor]] = []
    with recording() as emitted, _watching(module, passes):
        module(inputs)
    used = [mechanism for mechanism, *_ in passes]
    said = [(mechanism, operator) for mechanism, operator in emitted if isinstance(mechanism, Mechanism)]
    require(
        used == [mechanism for mechanism, _ in said],
        f"mechanisms were used {len(used)} times, and said {len(said)} times which operator they apply",
    )
    return [Use(*pair, *seen[1:]) for pair, seen in zip(said, passes, strict=True)]


@contextmanager
def _watching(module: nn.Module, passes: list[tuple[nn.Module, tuple[Tensor, ...], Tensor]]) -> Iterator[None]:
    """Notes what goes into and comes out of every mechanism while the block runs."""

    def note(mechanism: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        given = tuple(each.clone() if isinstance(each, Tensor) else each for each in inputs)
        passes.append((mechanism, given, output.clone()))  # what comes next may work in place

    handles = [part.register_forward_hook(note) for part in module.modules() if isinstance(part, Mechanism)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def require(condition: object, otherwise: str) -> None:
    """Raises what a failed assertion raises, also where Python was told to leave assertions out.

    Raises:
        AssertionError: If the condition does not hold.
    """
    if not condition:
        raise AssertionError(otherwise)


def require_same(found: Tensor, expected: Tensor, *, exact: bool = False) -> None:
    """Raises if two tensors differ: by more than rounding, or at all.

    Raises:
        AssertionError: With where and by how much they differ.
    """
    torch.testing.assert_close(found, expected, rtol=0 if exact else 1e-4, atol=0 if exact else 1e-5)
