"""Pretrained weights: from a file on disk, or from where timm and torchvision keep theirs."""

from __future__ import annotations

import logging
import socket
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub.constants
import torch
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled
from safetensors.torch import load_file
from torch import Tensor, nn

from foveola.foundation.errors import FoveolaError

log = logging.getLogger(__name__)

State = dict[str, Tensor]


def read_weights(path: Path) -> State:
    """Reads a state dict from a ``.safetensors`` file or a file of ``torch.save`` that holds tensors only.

    Raises:
        FoveolaError: If the file is not there or holds something else.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except FileNotFoundError as error:
        raise FoveolaError(
            "a file of weights", "no such file", str(path), "check the path given to --weights"
        ) from error
    except OSError as error:
        raise FoveolaError(
            "a file of weights", error.strerror or str(error), str(path), "check the path given to --weights"
        ) from error
    except Exception as error:  # there is nothing that the reader of a file of another kind may not raise
        raise FoveolaError(
            "a state dict of tensors (safetensors, or torch.save of a state dict)",
            "something else",
            str(path),
            "save the model's state_dict() alone",
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise FoveolaError("a state dict of tensors", type(content).__name__, str(path), "save state_dict() alone")
    return {name.removeprefix("module."): value for name, value in content.items()}


def _unpickled(path: Path) -> object:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected pickle protocol")
        return torch.load(path, map_location="cpu", weights_only=True)


def load_weights(model: nn.Module, state: State, *, head: tuple[str, ...], first: tuple[str, ...], where: str) -> None:
    """Loads all weights but those of the head, by name or, where no names agree, by position.

    For grey images the kernels of the first convolutions are summed over the colours. The head keeps its fresh
    weights, unless it is of the same size. Files of old versions of PyTorch lack batch norm's counters of batches.

    Args:
        model: What to load into.
        state: The weights.
        head: Names of the modules that classify.
        first: Names of the first convolutions.
        where: What the error messages call the weights.

    Raises:
        FoveolaError: If the weights are of another network.
    """
    own = model.state_dict()
    if not set(own) & set(state):
        state = _named_by_position(own, state, where)
    state = {**{name: value for name, value in own.items() if name.endswith(".num_batches_tracked")}, **state}
    for key in (f"{name}.weight" for name in first):
        if key in state and state[key].ndim == 4 and state[key].shape[1] == 3 * own[key].shape[1]:
            state[key] = state[key].reshape(-1, own[key].shape[1], 3, *own[key].shape[2:]).sum(2)
    is_head = {name for name in own if name.startswith(tuple(f"{part}." for part in head))}
    wrong = [
        name for name in own if name not in is_head and (name not in state or state[name].shape != own[name].shape)
    ]
    if wrong:
        got = tuple(state[wrong[0]].shape) if wrong[0] in state else "nothing"
        raise FoveolaError(
            f"the weights of this backbone, '{wrong[0]}' of shape {tuple(own[wrong[0]].shape)}",
            f"{got}",
            where,
            "give the --backbone that the weights were trained for",
        )
    kept = {name for name in is_head if name not in state or state[name].shape != own[name].shape}
    own.update({name: state[name] for name in own if name not in kept})  # keeps the versions of the modules
    model.load_state_dict(own)


def _named_by_position(own: State, state: State, where: str) -> State:
    """Gives the tensors of a file the names of the model's, if they agree in number and, but for the head, in shape."""
    if len(own) != len(state):
        raise FoveolaError(
            f"the {len(own)} tensors of this backbone",
            f"{len(state)} tensors of other names",
            where,
            "give the --backbone that the weights were trained for",
        )
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
            f"pretrained weights of '{name}'",
            "no way to download them from here",
            "--backbone",
            "pass --weights FILE for weights on disk, or --no-pretrained to train from random weights",
        ) from error
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
