"""Classifiers of several vectors, against their formulas written slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from foveola.attention.networks.pay_heads import ConcatHead, IndependentHead

SIZES = (4, 7, 5)


def vectors() -> list[torch.Tensor]:
    return [torch.randn(6, size, generator=torch.Generator().manual_seed(size)).double() for size in SIZES]


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))


def slow_logits(head: IndependentHead) -> list[np.ndarray]:
    state = {name: value.numpy() for name, value in head.state_dict().items()}
    return [
        each.numpy() @ state[f"classify.{level}.weight"].T + state[f"classify.{level}.bias"]
        for level, each in enumerate(vectors())
    ]


def test_concat_is_one_linear_layer_on_all_vectors() -> None:
    head = ConcatHead(SIZES, 3).double()
    expected = np.concatenate([each.numpy() for each in vectors()], 1) @ head.classify.weight.detach().numpy().T
    with torch.no_grad():
        np.testing.assert_allclose(head(vectors()), expected + head.classify.bias.numpy())


def test_mean_is_the_mean_of_probabilities_and_its_cross_entropy_the_likelihood_of_the_mean() -> None:
    head = IndependentHead(SIZES, 3).double()
    mean = np.mean([softmax(logits) for logits in slow_logits(head)], axis=0)
    labels = torch.arange(6) % 3
    with torch.no_grad():
        logits = head(vectors())
    np.testing.assert_allclose(logits.exp(), mean)
    np.testing.assert_allclose(logits.softmax(1), mean)
    likelihood = -np.log(mean[np.arange(6), labels.numpy()]).mean()
    np.testing.assert_allclose(functional.cross_entropy(logits, labels), likelihood)


@pytest.mark.parametrize("fusion", ["logit_sum", "logprob_sum"])
def test_sums_are_geometric_means(fusion: Any) -> None:
    """A sum of logits and one of log-probabilities differ by a number an image, so their probabilities are the same."""
    head = IndependentHead(SIZES, 3, fusion).double()
    slow = slow_logits(head)
    expected = np.sum(slow if fusion == "logit_sum" else [np.log(softmax(logits)) for logits in slow], axis=0)
    with torch.no_grad():
        logits = head(vectors())
    np.testing.assert_allclose(logits, expected)
    product = np.prod([softmax(each) for each in slow], axis=0)
    np.testing.assert_allclose(logits.softmax(1), product / product.sum(1, keepdims=True))


def test_sure_levels_do_not_overflow() -> None:
    head = IndependentHead((2, 3), 2)
    with torch.no_grad():
        for layer in head.classify:
            layer.weight.fill_(0)  # type: ignore[operator]
            layer.bias.copy_(torch.tensor([0.0, 500.0]))  # type: ignore[operator]
    logits = head([torch.rand(7, 2), torch.rand(7, 3)])
    torch.testing.assert_close(logits[0].detach(), torch.tensor([-500.0, 0.0]))
