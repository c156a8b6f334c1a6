"""Pretrained weights: from a file on disk, or from where timm and torchvision keep theirs."""

from __future__ import annotations

import logging
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlsplit

import huggingface_hub.constants
import torch
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from foveola.errors import FoveolaError

log = logging.getLogger(__name__)

State = dict[str, Tensor]


def read_weights(path: Path) -> State:
    """Reads a state dict from a ``.safetensors`` file or a file of ``torch.save`` that holds tensors only.

    Raises:
        FoveolaError: If the file is not there or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FoveolaError(
            "a file of weights", "no such file", str(path), "check the path given to --weights"
        ) from error
    except (UnpicklingError, SafetensorError, RuntimeError, EOFError) as error:
        raise FoveolaError(
            "a state dict of tensors (safetensors, or torch.save of a state dict)", "something else", str(path),
            "save the model's state_dict() alone",
        ) from error  # fmt: skip
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise FoveolaError("a state dict of tensors", type(content).__name__, str(path), "save state_dict() alone")
    return {name.removeprefix("module."): value for name, value in content.items()}


def load_weights(model: nn.Module, state: State, *, head: tuple[str, ...], first: str, where: str) -> None:
    """Loads all weights but those of the head, by name or, where no names agree, by position.

    A first convolution for other image channels is folded: for grey images its kernels are summed over the colours.
    The head keeps its fresh weights, unless it is of the same size.

    Args:
        model: What to load into.
        state: The weights.
        head: Names of the modules that classify.
        first: Name of the first convolution.
        where: What the error messages call the weights.

    Raises:
        FoveolaError: If the weights are of another network.
    """
    own = model.state_dict()
    if not set(own) & set(state):
        state = _named_by_position(own, state, where)
    key = f"{first}.weight"
    if key in state and key in own and state[key].shape[1] != own[key].shape[1]:
        state = {**state, key: adapt_input_conv(own[key].shape[1], state[key])}
    is_head = {name for name in own if name.startswith(tuple(f"{part}." for part in head))}
    wrong = [
        name for name in own if name not in is_head and (name not in state or state[name].shape != own[name].shape)
    ]
    if wrong:
        got = tuple(state[wrong[0]].shape) if wrong[0] in state else "nothing"
        raise FoveolaError(
            f"the weights of this backbone, '{wrong[0]}' of shape {tuple(own[wrong[0]].shape)}", f"{got}", where,
            "give the --backbone that the weights were trained for",
        )  # fmt: skip
    kept = {name for name in is_head if name not in state or state[name].shape != own[name].shape}
    model.load_state_dict({name: own[name] if name in kept else state[name] for name in own})


def _named_by_position(own: State, state: State, where: str) -> State:
    """Gives the tensors of a file the names of the model's, if they agree in number and, but for the head, in shape."""
    if len(own) != len(state):
        raise FoveolaError(
            f"the {len(own)} tensors of this backbone", f"{len(state)} tensors of other names", where,
            "give the --backbone that the weights were trained for",
        )  # fmt: skip
    log.info("the names in %s are not those of the backbone: the tensors are matched by position", where)
    return dict(zip(own, state.values(), strict=True))


@contextmanager
def download(name: str) -> Iterator[None]:
    """Turns every way in which a download can fail into one sentence that names the remedy.

    A machine that cannot even look up the weights' host is told so at once, without minutes of retries; weights that
    were downloaded before are still found.
    """
    offline = huggingface_hub.constants.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = offline or not _network()
    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, urllib.error.URLError, OSError) as error:
        raise FoveolaError(
            f"pretrained weights of '{name}'", "no way to download them from here", "--backbone",
            "pass --weights FILE for weights on disk, or --no-pretrained to train from random weights",
        ) from error  # fmt: skip
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = offline


def _network() -> bool:
    if urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(huggingface_hub.constants.ENDPOINT).hostname, 443)
    except OSError:
        return False
    return True
