"""What a layer with attention keeps to besides, as it stands between the layers of a backbone."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from foveola.attention import AttentionLayer
from foveola.contract.subject import Subject, drawn, require, require_same, uses


def keeps_the_shape(subject: Subject) -> None:
    """Features come out as many and as large as they went in, finite, in both modes."""
    for training in (False, True):
        output = subject.built().train(training)(subject.inputs)
        require(
            output.shape == subject.inputs.shape,
            f"features {tuple(subject.inputs.shape)} come out as {tuple(output.shape)}",
        )
        require(output.isfinite().all(), "what comes out is not finite")


def is_its_matrix(subject: Subject) -> None:
    """``apply`` is the matrix times the values; ``received`` are its column sums, averaged over heads."""
    for mechanism, operator, (features, *_), _ in uses(subject.built(), subject.inputs):
        values, dense = mechanism.value_map(features), operator.dense()
        matrices = dense.expand(len(values), *dense.shape[1:])
        grouped = values.reshape(len(values), dense.shape[1], -1, dense.shape[3])
        expected = torch.einsum("bhij,bhcj->bhci", matrices, grouped)
        require_same(operator.apply(values).flatten(2), expected.flatten(1, 2))
        received = operator.received()
        require(received.shape[-2:].numel() == dense.shape[3], "the map is not of one number a position")
        sums = dense.sum(2).mean(1).reshape(-1, *received.shape[-2:])
        require_same(received.expand_as(sums), sums)


def knows_height_from_width(subject: Subject) -> None:
    """Features that are mirrored come out mirrored, or those that are transposed transposed, if its kernels are too.

    What has no such symmetry has mistaken rows for columns: positions that are taken apart as ``H x W`` and put
    together as ``W x H`` are neither.
    """
    expected = subject.built()(subject.inputs)
    mirrors = (lambda tensor: tensor.flip(-2)), (lambda tensor: tensor.flip(-1))
    mirrored = all(_commutes(subject, expected, mirror) for mirror in mirrors)
    require(mirrored or _commutes(subject, expected, lambda tensor: tensor.mT), "rows and columns are mistaken")


def _commutes(subject: Subject, expected: Tensor, turn: Callable[[Tensor], Tensor]) -> bool:
    """Says whether the turned layer makes of turned features what the layer makes of them, turned."""
    turned = subject.built()
    for tensor in (*turned.parameters(), *turned.buffers()):
        if tensor.ndim >= 4 or (tensor.ndim >= 2 and tensor.shape[-2:] == subject.inputs.shape[-2:]):
            tensor.data = turn(tensor.data).contiguous()
    output = turned(turn(subject.inputs))
    return output.shape == turn(expected).shape and torch.allclose(output, turn(expected), rtol=1e-4, atol=1e-5)


def has_the_gradients_of_small_steps(subject: Subject) -> None:
    """Its gradient, with respect to features and parameters, is what a small step shows, in double precision."""
    module, features = subject.built(dtype=torch.float64), subject.inputs.double().requires_grad_()
    tensors = [features, *module.parameters()]
    steps = [drawn(*tensor.shape, seed=index).double() for index, tensor in enumerate(tensors)]
    weights = drawn(*features.shape, seed=99).double()
    gradients = torch.autograd.grad((module(features) * weights).sum(), tensors)
    slope = sum((gradient * step).sum().item() for gradient, step in zip(gradients, steps, strict=True))
    ends = []
    with torch.no_grad():
        for size in (1e-6, -2e-6):
            for tensor, step in zip(tensors, steps, strict=True):
                tensor += size * step
            ends.append((module(features) * weights).sum().item())
    seen = (ends[0] - ends[1]) / 2e-6
    require(
        math.isclose(slope, seen, rel_tol=1e-4, abs_tol=1e-6), f"the slope is {seen:.6g}, the gradient's {slope:.6g}"
    )


def is_made_as_timm_makes_it(subject: Subject) -> None:
    """Its class takes channels first and swallows ``device`` and ``dtype``, as timm gives them to an ``attn_layer``."""
    made, channels = subject.make(), subject.inputs.shape[1]
    try:
        again = type(made)(channels, device=None, dtype=None)
    except TypeError as error:
        raise AssertionError(f"it cannot be made with channels, device=None, dtype=None: {error}") from error
    require(again(subject.inputs).shape == subject.inputs.shape, "made by its channels alone it changes the shape")


def owns_its_parameters(subject: Subject) -> None:
    """All its parameters lie in an `AttentionLayer`, so that attention can have a learning rate of its own."""
    made = subject.make()
    own = {parameter for part in made.modules() if isinstance(part, AttentionLayer) for parameter in part.parameters()}
    strange = [name for name, parameter in made.named_parameters() if parameter not in own]
    require(not strange, f"outside of any AttentionLayer: {', '.join(strange)}")
