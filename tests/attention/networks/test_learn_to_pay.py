"""The network of Learn to Pay Attention around a backbone, and its fair control."""

from __future__ import annotations

import copy
from typing import Any

import forked
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import ARMS, Attended, FixedMask
from foveola.attention.networks.learn_to_pay import FairControl, LearnToPay, query_by
from foveola.attention.networks.pay_attention import PayAttention
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.small_cnn import small_cnn

IMAGE = torch.zeros(1, 3, 12, 10)
SIZES = {"block1.2": (12, 10), "block2.2": (6, 5), "block3.2": (3, 2)}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "dp": {"score": "dp", "levels": 2},
    "pc": {"score": "pc", "levels": 1},
    "pc, sigmoid": {"score": "pc", "normaliser": "sigmoid", "bias": True},
    "features projected": {"score": "dp", "project": "features", "dim": 7},
    "independent": {"head": "indep"},
    "independent, sum": {"head": "indep", "fusion": "logprob_sum", "normalise_attended": True},
    "names": {"levels": "block2.2,block1.2", "dropout": 0.3},
    "paper": {"preset": "paper"},
    "averaged gradients": {"grad_average": True},
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def draw(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, 12, 10, generator=torch.Generator().manual_seed(seed))


def build(variant: str = "default", seed: int = 1, **settings: Any) -> LearnToPay:
    torch.manual_seed(seed)
    arm = ARMS["learn-to-pay"]
    network = arm.adapt(small_cnn(3, 5, width=4), IMAGE, arm.configure({**VARIANTS[variant], **settings}))
    assert isinstance(network, LearnToPay)
    network.train()(draw(9, seed=8))  # statistics of batch norm that are not the first ones
    return network.eval()


@every_variant
@pytest.mark.parametrize("training", [True, False])
def test_logits_and_maps_come_out(variant: str, training: bool) -> None:
    model = Attended(build(variant), None).train(training)
    logits, maps = model(draw(2), return_maps=True)
    assert logits.shape == (2, 5)
    levels = {"dp": 2, "pc": 1}.get(variant, 3)
    expected = ["block2.2", "block1.2"] if variant == "names" else list(SIZES)[-levels:]
    assert {name: tuple(each.shape) for name, each in maps.items()} == {name: (2, *SIZES[name]) for name in expected}
    if "sigmoid" not in variant:
        for each in maps.values():
            torch.testing.assert_close(each.sum((1, 2)), torch.ones(2))


@pytest.mark.parametrize("head", ["concat", "indep"])
@pytest.mark.parametrize("normalise_attended", [True, False])
def test_what_is_classified_is_the_features_under_the_maps(head: str, normalise_attended: bool) -> None:
    network = build(head=head, normalise_attended=normalise_attended, attended_dropout=0.4)
    logits, maps = Attended(network, None)(draw(2), return_maps=True)
    features, _ = network.trunk(draw(2))
    vectors = [(features[name] * maps[name][:, None]).sum((2, 3)) for name in SIZES]
    if normalise_attended:
        norms = [layers[0] for layers in network.finish]  # type: ignore[index]
        vectors = [norm(vector).relu() for norm, vector in zip(norms, vectors, strict=True)]
    torch.testing.assert_close(network.head(vectors), logits)


def dead_parameters(network: nn.Module) -> set[str]:
    """Those whose gradient vanishes, but for convolutions' own biases in front of batch norm."""
    network.double().train()
    images = draw(9).double()
    functional.cross_entropy(network(images), torch.arange(9) % 5).backward()  # type: ignore[no-untyped-call]
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    return {name for name, gradient in gradients.items() if gradient is None or gradient.abs().max() < 1e-12}


@every_variant
def test_every_parameter_learns_but_what_makes_g_under_pc_with_a_softmax(variant: str) -> None:
    dead = dead_parameters(build(variant))
    if variant not in ("pc", "paper"):
        assert dead == set()
    else:
        assert {"trunk.fc1.1.weight", "trunk.fc1.1.bias"} <= dead
        asking = ("trunk.fc1", "levels.0.match", "levels.1.match", "levels.2.match")
        biases = {f"levels.{level}.score.weigh.bias" for level in range(3)}
        assert {name for name in dead if not name.startswith(asking)} <= biases


def test_every_parameter_of_the_control_learns() -> None:
    arm = ARMS["learn-to-pay-control"]
    assert dead_parameters(arm.adapt(small_cnn(3, 5, width=4), IMAGE, arm.configure({}))) == set()


def test_the_control_classifies_g() -> None:
    torch.manual_seed(1)
    control = FairControl(small_cnn(3, 5, width=4), IMAGE).eval()
    torch.manual_seed(1)
    attending = LearnToPay(small_cnn(3, 5, width=4), IMAGE).eval()
    (_, mine), (_, other) = control.trunk(draw(2)), attending.trunk(draw(2))
    assert torch.equal(mine, other), "the same trunk with the same weights"
    assert torch.equal(control(draw(2)), functional.linear(mine, control.classify.weight, control.classify.bias))
    assert Attended(control, None)(draw(2), return_maps=True)[1] == {}


@every_variant
def test_samples_do_not_mix_and_one_alone_is_as_in_a_batch(variant: str) -> None:
    network = build(variant)
    together = network(draw(5))
    torch.testing.assert_close(together, torch.cat([network(draw(5)[index : index + 1]) for index in range(5)]))


def test_channels_last_and_half_precision_agree() -> None:
    network = build()
    expected = network(draw(2))
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(draw(2).to(memory_format=torch.channels_last)), expected)
    half = copy.deepcopy(network).bfloat16()(draw(2).bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=0.1, atol=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(draw(2)).float(), expected, rtol=0.1, atol=0.05)


class WithMaps(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.model = Attended(network, None)

    def forward(self, images: Tensor) -> Any:
        return self.model(images, return_maps=True)


@pytest.mark.parametrize("variant", ["default", "independent", "paper"])
def test_an_exported_program_gives_the_same_logits_and_maps(variant: str) -> None:
    model = WithMaps(build(variant))
    batch = {0: torch.export.Dim("batch", min=1)}
    program = torch.export.export(model, (draw(2),), dynamic_shapes=(batch,)).module()
    for images in (draw(2), draw(5)):
        logits, maps = model(images)
        again, same = program(images)
        torch.testing.assert_close(again, logits)
        assert list(same) == list(maps)
        for name, each in maps.items():
            torch.testing.assert_close(same[name], each)


COMPILED = """
import torch
from foveola.attention import Attended
from foveola.attention.networks.learn_to_pay import LearnToPay, LearnToPaySettings
from foveola.models.zoo.small_cnn import small_cnn


def outcome(model, images):
    logits, maps = model(images, return_maps=True)
    return logits, maps, torch.autograd.grad(logits.square().sum(), list(model.parameters()))

settings = LearnToPaySettings(head="indep", project="features", dim=7, grad_average=True)
model = Attended(LearnToPay(small_cnn(3, 5, width=4), torch.zeros(1, 3, 12, 10), settings), None)
images = torch.rand(2, 3, 12, 10)
expected = outcome(model, images)
torch.testing.assert_close(outcome(torch.compile(model, fullgraph=True, backend="eager"), images), expected)
print(*expected[1])
"""


def test_compiled_it_gives_the_same_logits_maps_and_gradients() -> None:
    """In a process of its own: the checks of shapes that tests run with cannot be compiled."""
    run = forked.script(COMPILED)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == list(SIZES)


def test_state_goes_round_and_copies_are_copies() -> None:
    network, other = build(), build(seed=2)
    assert not torch.equal(network(draw(2)), other(draw(2)))
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(draw(2)), other(draw(2)))
    assert torch.equal(copy.deepcopy(network)(draw(2)), network(draw(2)))


def test_parameters_of_attention_are_those_of_its_levels() -> None:
    network = build()
    levels = [level for level in network.levels if isinstance(level, PayAttention)]
    own = {id(parameter) for level in levels for parameter in level.parameters()}
    assert {id(parameter) for parameter in Attended(network, None).attention_parameters()} == own


@pytest.mark.parametrize("variant", ["default", "dp"])
def test_another_image_asks(variant: str) -> None:
    network = build(variant)
    images, others = draw(5), draw(5, seed=7)
    own = Attended(network, None)(images, return_maps=True)[1]
    for name, each in query_by(network, images, images).items():
        torch.testing.assert_close(each, own[name])
    asked, one = query_by(network, images, others), query_by(network, images, others[2:3])
    for name in own:
        assert asked[name].shape == own[name].shape
        assert not asked[name].requires_grad
        assert (asked[name] - own[name]).abs().max() > 1e-5
        torch.testing.assert_close(one[name][2], asked[name][2])
    (level,) = (each for each in network.levels if each.place == "block3.2")
    features, (_, g) = network.trunk(images)[0], network.trunk(others)
    torch.testing.assert_close(asked["block3.2"], level.operator(features["block3.2"], g).received())  # type: ignore[operator]


def test_another_image_asks_in_vain_under_pc_with_a_softmax() -> None:
    network = build("paper").double()
    images = draw(5).double()
    own = Attended(network, None)(images, return_maps=True)[1]
    for name, each in query_by(network, images, draw(5, seed=7).double()).items():
        torch.testing.assert_close(each, own[name], rtol=1e-10, atol=1e-12)


def test_a_mask_in_front_hides_what_asks_too() -> None:
    mask = FixedMask(torch.rand(12, 10, generator=torch.Generator().manual_seed(0)))
    model = Attended(build(), mask)
    asked = query_by(model, draw(2), draw(2, seed=7))
    by_hand = query_by(model.network, mask(draw(2)), mask(draw(2, seed=7)))
    assert list(asked) == list(SIZES)
    assert all(torch.equal(asked[name], each) for name, each in by_hand.items())


def test_what_cannot_ask_is_named() -> None:
    with pytest.raises(FoveolaError, match="a model of the arm learn-to-pay, got a Sequential, in query_by"):
        query_by(Attended(small_cnn(3, 5), None), draw(2), draw(2))
    with pytest.raises(FoveolaError, match="1 or 5 query images, got 2"):
        query_by(build(), draw(5), draw(2))


def test_a_preset_means_the_same_to_the_control() -> None:
    paper, control = (ARMS[name].configure({"preset": "paper"}) for name in ("learn-to-pay", "learn-to-pay-control"))
    shared = {"dim", "dropout", "conv_dropout"}
    assert control.model_dump(include=shared) == paper.model_dump(include=shared)
    assert control.model_dump(include=shared)["dropout"] == 0.5


@pytest.mark.parametrize("setting", ["normalise_attended", "normalise_query"])
def test_one_image_alone_cannot_train_batch_norm_but_is_classified(setting: str) -> None:
    network = build(**{setting: True}).train()
    with pytest.raises(FoveolaError, match="two images or more in a batch while training, got one, in LearnToPay"):
        network(draw(1))
    assert network.eval()(draw(1)).shape == (1, 5)


def test_a_preset_fills_in_what_is_not_given() -> None:
    arm = ARMS["learn-to-pay"]
    paper = arm.configure({"preset": "paper"}).model_dump()
    expected = {"score": "pc", "normaliser": "softmax", "bias": True, "attended_dropout": 0.5, "levels": 3}
    assert {key: paper[key] for key in expected} == expected
    changed = arm.configure({"preset": "paper-resnet", "score": "dp"}).model_dump()
    expected = {"score": "dp", "levels": 2, "attended_dropout": 0.3, "dropout": 0.5, "normalise_query": True}
    assert {key: changed[key] for key in expected} == expected
    assert arm.configure(changed).model_dump() == changed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"levels": 0}, "at least one level, got 0"),
        ({"levels": 4}, "at most 3 levels: block1.2, block2.2, block3.2, got 4, in the arm's setting `levels`"),
        ({"levels": "layer2"}, "a known stage, got 'layer2', in .* `levels`; choose among block1.2, block2.2"),
        ({"preset": "papr"}, "'default', 'paper' or 'paper-resnet', got 'papr'"),
        ({"score": "cosine"}, "got 'cosine', in the settings of arm 'learn-to-pay'.score"),
        ({"fuson": "mean"}, "a known key, got 'fuson', .*; did you mean 'fusion'"),
    ],
)
def test_settings_that_cannot_be_are_named(values: dict[str, Any], message: str) -> None:
    arm = ARMS["learn-to-pay"]
    with pytest.raises(FoveolaError, match=message):
        arm.adapt(small_cnn(3, 5, width=4), IMAGE, arm.configure(values))
