"""Scores of features against a query; their equations are tested with the levels that use them."""

from __future__ import annotations

import torch

from foveola.attention.networks.compatibility import Additive, DotProduct, Parametrised


def test_scores_of_one_position_by_hand() -> None:
    features, query = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([[3.0, -1.0]])
    assert DotProduct()(features, query).item() == 1 * 3 - 2
    parametrised = Parametrised(2, bias=True)
    with torch.no_grad():
        parametrised.weigh.weight.copy_(torch.tensor([[2.0, 5.0]]))
        parametrised.weigh.bias.fill_(0.5)
    assert parametrised(features, query).item() == 2 * (1 + 3) + 5 * (2 - 1) + 0.5


def test_an_additive_score_is_bounded_by_its_weights() -> None:
    torch.manual_seed(0)
    additive = Additive(8, 6, hidden=5)
    scores = additive(1e6 * torch.randn(2, 8, 12, 10), 1e6 * torch.randn(2, 6))
    bound = additive.weigh.weight.abs().sum()
    assert scores.abs().max() <= bound * 1.0001
    assert scores.std() > 0.01
