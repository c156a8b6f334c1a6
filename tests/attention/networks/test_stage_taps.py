"""Stages that are heard while the backbone runs on."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn

from foveola.attention.networks.stage_taps import Tap, scaled_gradient, tapping


def tapped_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(Tap(nn.Conv2d(3, 4, 3), "first"), nn.ReLU(), Tap(nn.Conv2d(4, 5, 3), "second"))


def test_a_tap_changes_nothing_and_tells_what_its_stage_puts_out() -> None:
    network, images = tapped_network(), torch.rand(2, 3, 12, 10)
    first, _, second = network
    assert isinstance(first, Tap)
    assert isinstance(second, Tap)
    expected = first.stage(images)
    with tapping() as tapped:
        output = network(images)
    assert list(tapped) == ["first", "second"]
    assert torch.equal(tapped["first"], expected)
    assert tapped["second"] is output
    assert torch.equal(output, second.stage(expected.relu()))


def test_nobody_hears_what_is_not_listened_to_and_the_inner_listener_hears_alone() -> None:
    network, images = tapped_network(), torch.rand(2, 3, 12, 10)
    network(images)
    with tapping() as outer:
        with tapping() as inner:
            network(images)
        assert outer == {}
        network(images[:1])
    assert len(inner["first"]) == 2
    assert len(outer["first"]) == 1


def test_an_error_ends_the_listening() -> None:
    network = tapped_network()
    with pytest.raises(RuntimeError), tapping() as tapped:
        network(torch.rand(2, 7, 12, 10))
    network(torch.rand(2, 3, 12, 10))
    assert tapped == {}


def test_threads_do_not_hear_each_other() -> None:
    network = tapped_network()
    heard: list[Tensor] = []

    def run() -> None:
        with tapping() as tapped:
            network(torch.rand(5, 3, 12, 10))
        heard.append(tapped["first"])

    with tapping() as tapped:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert tapped == {}
    assert len(heard[0]) == 5


@pytest.mark.parametrize("share", [1.0, 0.5, 1 / 3])
def test_a_scaled_gradient_leaves_the_values_alone(share: float) -> None:
    values = torch.randn(7, 5).mul(1e4).requires_grad_()
    scaled = scaled_gradient(values, share)
    assert torch.equal(scaled, values)
    (gradient,) = torch.autograd.grad(scaled.square().sum(), values)
    torch.testing.assert_close(gradient, share * 2 * values)
    with torch.no_grad():
        assert scaled_gradient(values, share) is values
