"""Checks of a mask that lies in front of a network: one map for all images."""

from __future__ import annotations

import copy
import json

import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import Attended, FixedMask
from foveola.contract.subject import MaskSubject, drawn, require, require_same
from foveola.foundation.errors import FoveolaError


def gives_one_weight_a_position(subject: MaskSubject) -> None:
    """The map is finite and of the size of the images; in evaluation mode images come out multiplied by it."""
    size = tuple(subject.inputs.shape[-2:])
    for images in (subject.inputs, subject.inputs[:1]):
        mask = subject.built()
        require(tuple(mask.map().shape) == size, f"images of {size} have a map of {tuple(mask.map().shape)}")
        require(mask.map().isfinite().all(), "the map is not finite")
        require_same(mask(images), images * mask.map(), exact=True)


def shows_the_map_that_it_uses(subject: MaskSubject) -> None:
    """The map that comes out with the logits is the one that the images were multiplied by, in both modes."""
    for training in (True, False):
        model = Attended(nn.Identity(), subject.built()).train(training)
        output, maps = model(subject.inputs, return_maps=True)
        require(list(maps) == ["input"], f"maps of {', '.join(maps) or 'nothing'}, not of the input alone")
        weights = maps["input"] if maps["input"].ndim == 2 else maps["input"][:, None]
        require_same(output, subject.inputs * weights, exact=True)


def gives_its_map_away(subject: MaskSubject) -> None:
    """What `map` returns is a copy without gradients: whoever changes it changes nothing else."""
    mask = subject.built()
    shown = mask.map()
    expected = shown.clone()
    require(not shown.requires_grad, "the map has gradients")
    shown.zero_()
    require_same(mask.map(), expected, exact=True)
    require_same(mask(subject.inputs), subject.inputs * expected, exact=True)


def freezes_to_the_map_of_the_moment(subject: MaskSubject) -> None:
    """A frozen mask is the map alone: whatever its mode, without parameters, and unmoved by what the mask learns on."""
    mask = subject.built()
    expected = mask.map()
    frozen = mask.train().frozen()
    require(isinstance(frozen, FixedMask), f"frozen it is a {type(frozen).__name__}")
    kept = [*dict(frozen.named_parameters()), *dict(frozen.named_buffers())]
    require(kept == ["values"], f"frozen it keeps {', '.join(kept) or 'nothing'}, not the map alone")
    with torch.no_grad():
        for parameter in mask.parameters():
            parameter.add_(1.0)
    for training in (True, False):
        require_same(frozen.train(training)(subject.inputs), subject.inputs * expected, exact=True)
    require_same(mask.eval().frozen().frozen().map(), mask.map(), exact=True)
    other = FixedMask(torch.zeros_like(expected))
    other.load_state_dict(frozen.state_dict())
    require_same(other.map(), expected, exact=True)


def learns_with_a_network_behind(subject: MaskSubject) -> None:
    """The loss behind a network and the penalty are finite numbers, and so are their gradients."""
    mask = subject.built()
    model = Attended(_classifier(subject.inputs), mask).train()
    logits, maps = model(subject.inputs, return_maps=True)
    penalty = model.penalty(maps)
    require(penalty.shape == (), f"a penalty of shape {tuple(penalty.shape)}, not one number")
    require(penalty.isfinite(), "the penalty is not finite")
    loss = functional.cross_entropy(logits, torch.arange(len(logits)) % logits.shape[1]) + penalty
    torch.autograd.backward(loss)
    for name, parameter in mask.named_parameters():
        require(parameter.grad is not None and parameter.grad.isfinite().all(), f"no finite gradient for {name}")
    model.eval()
    before = model(subject.inputs)
    model.freeze()
    require_same(model(subject.inputs), before, exact=True)


def _classifier(images: Tensor) -> nn.Module:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(9)
        return nn.Sequential(nn.Conv2d(images.shape[1], 4, 3, padding=1), nn.Flatten(), nn.LazyLinear(2)).eval()


def knows_height_from_width(subject: MaskSubject) -> None:
    """When all that a mask holds on a grid is mirrored, its map is mirrored.

    On a grid lie kernels, the mask's own parameters with two axes or more, and buffers of the size of the images.
    Positions that are taken apart as ``H x W`` and put together as ``W x H`` have no such symmetry.
    """
    expected, size = subject.built().map(), subject.inputs.shape[-2:]
    for axis in (-2, -1):
        mask = subject.built()
        own = {id(parameter) for parameter in mask.parameters(recurse=False) if parameter.ndim >= 2}
        tensors = (*mask.parameters(), *mask.buffers())
        grids = [
            tensor
            for tensor in tensors
            if tensor.ndim >= 4 or id(tensor) in own or (tensor.ndim >= 2 and tensor.shape[-2:] == size)
        ]
        if all(torch.equal(tensor, tensor.flip(axis)) for tensor in grids):
            continue
        for tensor in grids:
            tensor.data = tensor.data.flip(axis).contiguous()
        same = torch.allclose(mask.map(), expected.flip(axis), rtol=1e-4, atol=1e-5)
        require(same, "rows and columns are mistaken")


def learns_from_each_position_of_the_images(subject: MaskSubject) -> None:
    """What a mask keeps of the training images lies where it lay in them: mirrored images leave it mirrored.

    Signs are free: an eigen-image is as good as its negative.
    """
    buffers, size = dict(subject.built().named_buffers()), subject.inputs.shape[-2:]
    for axis in (-2, -1):
        mirrored = dict(subject.made_from(subject.images.flip(axis)).built().named_buffers())
        for name in (name for name, buffer in buffers.items() if buffer.ndim >= 2 and buffer.shape[-2:] == size):
            right, found = buffers[name].flip(axis), mirrored[name]
            scale = right.abs().max().clamp(min=1.0)
            apart = torch.minimum(
                (found - right).flatten(-2).abs().amax(-1), (found + right).flatten(-2).abs().amax(-1)
            )
            require((apart <= 1e-3 * scale).all(), f"rows and columns of the images are mistaken in {name}")


def is_the_same_from_batches(subject: MaskSubject) -> None:
    """Made from the training images in batches it has the map that it has when they come in one tensor."""
    batches = subject.made_from(torch.split(subject.images, 2)).built()
    require_same(batches.map(), subject.built().map())
    json.dumps(batches.facts())


def refuses_images_of_another_size(subject: MaskSubject) -> None:
    """Images that the map does not fit are refused in a sentence, turned ones too, frozen or not."""
    count, channels, height, width = subject.inputs.shape
    mask = subject.built()
    for model in (mask, mask.frozen(), copy.deepcopy(mask)):
        for size in ((width, height), (height, width + 1), (1, width), (2 * height, 2 * width)):
            if size == (height, width):
                continue
            try:
                model(drawn(count, channels, *size))
            except FoveolaError:
                continue
            raise AssertionError(f"images of {size} are taken, whose map is {(height, width)}")
