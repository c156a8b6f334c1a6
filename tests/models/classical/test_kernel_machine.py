"""The decision function, slowly, and a state that brings its own support vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.models.classical.kernel_machine import KernelMachine


def made(count: int = 7) -> KernelMachine:
    rng = np.random.default_rng(count)
    machine = KernelMachine(features=5, classes=4)
    support, coefficients, intercepts = (torch.from_numpy(rng.normal(size=s)) for s in ((count, 5), (count, 6), 6))
    machine.take(support, coefficients, intercepts, gamma=0.3)
    return machine


def test_it_is_the_sum_over_support_vectors() -> None:
    machine, features = made(), torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    state = {name: value.double().numpy() for name, value in machine.state_dict().items()}
    expected = np.zeros((3, 6))
    for image, feature in enumerate(features.double().numpy()):
        for pair in range(6):
            for vector, coefficient in zip(state["support"], state["coefficients"][:, pair], strict=True):
                expected[image, pair] += coefficient * np.exp(-state["gamma"] * ((feature - vector) ** 2).sum())
            expected[image, pair] += state["intercepts"][pair]
    assert np.allclose(machine(features), expected, atol=1e-6)
    assert machine(features).dtype == torch.float32


def test_without_support_vectors_it_decides_nothing() -> None:
    assert torch.equal(KernelMachine(features=5, classes=4)(torch.rand(3, 5)), torch.zeros(3, 6))


@pytest.mark.parametrize("count", [0, 2, 9])
def test_a_state_brings_its_support_vectors(count: int) -> None:
    machine, features = made(3), torch.rand(2, 5)
    machine.load_state_dict(made(count).state_dict())
    assert torch.equal(machine(features), made(count)(features))


@pytest.mark.parametrize(("name", "shape"), [("support", (7, 4)), ("coefficients", (7, 3)), ("support", (7,))])
def test_a_state_of_another_size_is_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match=f"size mismatch for {name}"):
        made().load_state_dict({**made().state_dict(), name: torch.zeros(shape)})
