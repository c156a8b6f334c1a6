"""Checks of everything with attention: a mask in front of a network, a layer, or a whole network."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import dataclass
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from foveola.attention import InputMask
from foveola.attention.algebra import Operator, Pointwise, Pooling, SelfAttention, Shared, Sum
from foveola.attention.arm import Row
from foveola.contract.subject import Subject, drawn, require, require_same, uses

TYPES: dict[Row, type[Operator]] = {
    "shared": Shared,
    "pointwise": Pointwise,
    "pooling": Pooling,
    "self-attention": SelfAttention,
    "sum": Sum,
}
ROUNDING = 1e-10


def applies_what_it_says(subject: Subject) -> None:
    """What comes out of a mechanism is made by the operator that it emits."""
    for mechanism, operator, (features, *_), output in uses(subject.built(), subject.inputs):
        again = mechanism.fuse(features, operator.apply(mechanism.value_map(features)))
        require_same(output, again)


def is_the_operator_it_is_said_to_be(subject: Subject) -> None:
    """The operators that are emitted are of the row of the table that the arm names; none where it has no map."""
    found = uses(subject.built(), subject.inputs)
    expected = TYPES.get(subject.operator)
    if expected is None:
        require(not found, f"an arm whose operator is '{subject.operator}' has no map, and emitted {len(found)}")
        return
    require(found, "nothing is emitted: no map comes out")
    for use in found:
        known = isinstance(use.operator, tuple(TYPES.values()))
        require(
            not known or isinstance(use.operator, expected),
            f"the operator is said to be '{subject.operator}', and is a {type(use.operator).__name__}",
        )


def keeps_its_weights_in_range(subject: Subject) -> None:
    """Gates stay within 0 and 1, and rows that average sum to 1, wherever parameters and features are.

    A mask whose weights are not bounded says so; they are finite all the same.
    """
    for moved, scale in ((0.3, 1.0), (3.0, 30.0)):
        for use in uses(subject.built(moved=moved), scale * subject.inputs):
            require(use.output.isfinite().all(), f"not finite for features {scale:.0f} times as large")
            if not isinstance(use.mechanism, InputMask) or use.mechanism.bounded:
                _require_range(use.operator)


def _require_range(operator: Operator) -> None:
    if isinstance(operator, Sum):
        for _, term in operator.terms:
            _require_range(term)
        return
    weights = operator.weights if isinstance(operator, Shared | Pointwise | Pooling) else operator.dense()
    low, high = weights.min().item(), weights.max().item()
    require(-1e-6 <= low <= high <= 1 + 1e-5, f"weights from {low:.3g} to {high:.3g}, not within 0 and 1")
    if isinstance(operator, Pooling | SelfAttention):
        error = (operator.dense().sum(3) - 1).abs().max().item()
        require(error < 1e-4, f"the weights of a row miss a sum of 1 by {error:.3g}")


def leaves_nothing_behind(subject: Subject) -> None:
    """No tensor, no hook and no state is put on a module by a pass, forward or backward."""
    for training in (False, True):
        module = subject.built().train(training)
        before = _belongings(module, versions=not training)
        uses(module, subject.inputs)
        torch.autograd.backward(module(subject.inputs.clone().requires_grad_()).sum())
        after = _belongings(module, versions=not training)
        changed = [name for name in before if before[name] != after[name]]
        require(not changed, f"a pass leaves something on {', '.join(changed)}")
        hooked = [name for name, part in module.named_modules() if _hooks(part)]
        require(not hooked, f"hooks are left on {', '.join(hooked)}")


@dataclass(frozen=True, eq=False)
class _Held:
    """Something that is only the same as itself; it is kept, as another could come to lie where it lay."""

    value: Any
    version: int | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.value is other.value and self.version == other.version


def _belongings(model: nn.Module, versions: bool) -> dict[str, Any]:
    """Returns all that hangs on the modules; the versions of tensors only where nothing may write into them."""

    def described(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: described(inner) for key, inner in value.items()}
        if isinstance(value, Tensor):
            return _Held(value, value._version if versions else None)
        return _Held(value) if isinstance(value, nn.Module) else repr(value)

    return {name or type(model).__name__: described(vars(module)) for name, module in model.named_modules()}


def _hooks(module: nn.Module) -> bool:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for kind in kinds)


def answers_alike_twice(subject: Subject) -> None:
    """What comes out in evaluation mode depends on what goes in alone, and not on what went in before."""
    module = subject.built()
    first = module(subject.inputs)
    module(drawn(*subject.inputs.shape, seed=5))
    require_same(module(subject.inputs), first, exact=True)


def keeps_samples_apart(subject: Subject) -> None:
    """In evaluation mode each sample comes out as it does alone, and its output has no gradient to another's input."""
    module, inputs = subject.built(), subject.inputs.clone().requires_grad_()
    together = module(inputs)
    alone = torch.cat([module(inputs[index : index + 1]) for index in range(len(inputs))])
    require_same(together, alone)
    (gradient,) = torch.autograd.grad((together[0] * drawn(*together[0].shape)).sum(), inputs)
    require(gradient[0].any(), "the output does not depend on the input")
    require(not gradient[1:].any(), "the output of one sample depends on another")


def learns_with_every_parameter(subject: Subject) -> None:
    """Every parameter has, from some start and for some input, a gradient in training mode that is no rounding."""
    sizes: dict[str, float] = {}
    for seed in range(11, 17):
        module = subject.built(seed=seed, dtype=torch.float64).train()
        output = module(drawn(*subject.inputs.shape, seed=seed).double().requires_grad_())
        torch.autograd.backward((output * drawn(*output.shape, seed=seed + 1).double()).sum())
        for name, parameter in module.named_parameters():
            found = 0.0 if parameter.grad is None else parameter.grad.abs().max().item()
            require(math.isfinite(found), f"the gradient of {name} is not finite")
            sizes[name] = max(sizes.get(name, 0.0), found)
        if all(size > ROUNDING for size in sizes.values()):
            return
    dead = [name for name, size in sizes.items() if size <= ROUNDING]
    require(not dead, f"never a gradient for {', '.join(dead)}")


def goes_through_its_state(subject: Subject) -> None:
    """Another one that is given the state, by way of a file's bytes, does the same."""
    module, other = subject.built(), subject.built(seed=2)
    stored = safetensors.torch.save({name: value.contiguous() for name, value in module.state_dict().items()})
    other.load_state_dict(safetensors.torch.load(stored))
    require_same(other(subject.inputs), module(subject.inputs), exact=True)


def can_be_copied(subject: Subject) -> None:
    """A copy and what comes out of a pickle do the same, after a pass too."""
    module = subject.built()
    expected = module(subject.inputs)
    try:
        twins = copy.deepcopy(module), pickle.loads(pickle.dumps(module))
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise AssertionError(f"it cannot be copied: {error}") from error
    for twin in twins:
        require_same(twin(subject.inputs), expected, exact=True)


def agrees_in_other_formats(subject: Subject) -> None:
    """Channels last gives the same, bfloat16 nearly the same, and the type of the inputs is kept."""
    module = subject.built()
    expected = module(subject.inputs)
    last = copy.deepcopy(module).to(memory_format=torch.channels_last)
    require_same(last(subject.inputs.contiguous(memory_format=torch.channels_last)), expected)
    for dtype in (torch.float64, torch.bfloat16):
        output = copy.deepcopy(module).to(dtype)(subject.inputs.to(dtype))
        require(output.dtype == dtype, f"{dtype} in, {output.dtype} out")
        error = ((output - expected).square().mean() / expected.square().mean()).sqrt().item()
        bound = 1e-4 if dtype == torch.float64 else 0.1
        require(error <= bound, f"in {dtype} the output is off by {error:.1%} of its size")
