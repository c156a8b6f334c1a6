"""A fitted model: everything that is needed to predict, in a folder of two files."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional

from foveola.attention import ARMS, Attended, FixedMask
from foveola.data.cohort import Cohort
from foveola.data.stored.preprocessing import Preprocessing, Scaling
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import Settings, is_older, of_version, validated
from foveola.models.building.arm_network import arm_network
from foveola.models.fitted.test_time_views import Views, over_views
from foveola.models.fitted.windows import Windows, in_windows
from foveola.models.network_spec import BackboneSettings, ImageShape

DESCRIPTION, WEIGHTS = "model.json", "model.safetensors"
SCHEMA: Literal[1] = 1
VERSION = importlib.metadata.version("foveola")


class ModelDescription(Settings):
    """What a fitted model is, apart from its weights.

    Attributes:
        schema_version: Of the two files.
        arm: Its name in the comparison.
        fold: Which fold it was trained on.
        seed: Of the fit.
        epoch: The number of epochs behind it.
        classes: Names of the classes, in the order of the logits.
        channels: Of the images.
        backbone: How the network is built.
        preprocessing: What is done to an image before it is stored.
        scaling: From stored pixels to what the network sees.
        arm_settings: The arm's own settings.
        attention: What the attention says of itself, such as the energy that a compressed representation keeps.
        label: The column that gave the labels; ``None`` for the source's own.
        bins: The thresholds that cut them into classes.
        per_pixel: Whether it gives every pixel a class, and not the whole image.
        windows: How such a model covers an image; ``None`` where it sees the whole.
        views: How many views of an image such a model averages; see `foveola.models.fitted.test_time_views.over_views`.
        written_by: The version of Foveola that wrote the files.
    """

    schema_version: Literal[1] = SCHEMA
    arm: str
    fold: int
    seed: int
    epoch: int
    classes: tuple[str, ...] = Field(min_length=2)
    channels: int
    backbone: BackboneSettings
    preprocessing: Preprocessing
    scaling: Scaling
    arm_settings: dict[str, Any]
    attention: dict[str, Any]
    label: str | None = None
    bins: tuple[float, ...] = ()
    per_pixel: bool = False
    windows: Windows | None = None
    views: Views = 1
    written_by: str = VERSION

    @model_validator(mode="after")
    def _check_shape(self) -> ModelDescription:
        if self.preprocessing.image_size is None or self.channels != len(self.scaling.mean):
            raise ValueError("an image size, and one number a channel in the scaling")
        return self

    @property
    def shape(self) -> ImageShape:
        """What the network takes and tells apart; its size is that of a window where there are some."""
        assert self.preprocessing.image_size is not None
        size = self.preprocessing.image_size if self.windows is None else self.windows.side
        return ImageShape(channels=self.channels, size=size, classes=len(self.classes), per_pixel=self.per_pixel)


def _described(values: Any, path: Path) -> ModelDescription:
    """Returns what a file says of a model, with the defaults of the version that wrote it.

    Raises:
        FoveolaError: If it is damaged, or a later version wrote what this one does not know.
    """
    version = VERSION
    if isinstance(values, dict):
        version = str(values.setdefault("written_by", "0.1.0"))  # which did not say so
        values = of_version(ModelDescription, values, version)
    try:
        description = validated(ModelDescription, values, str(path))
    except FoveolaError as error:
        if is_older(VERSION, version):
            raise FoveolaError(
                f"a model that foveola {VERSION} can read",
                f"one written by foveola {version} ({error.got})",
                str(path),
                "use that version",
            ) from error
        raise
    settings = of_version(ARMS[description.arm].settings, description.arm_settings, version)
    return description.model_copy(update={"arm_settings": settings})


@dataclass(frozen=True)
class FittedModel:
    """A trained network with its fixed map, ready to predict.

    Attributes:
        network: In evaluation mode.
        description: What it is.
    """

    network: Attended
    description: ModelDescription

    @property
    def map(self) -> np.ndarray | None:
        """The map ``H x W`` of the mask in front of the network, or ``None`` where there is no mask."""
        return None if self.network.attention is None else self.network.attention.map().cpu().numpy()

    @property
    def places(self) -> dict[str, tuple[int, int]]:
        """Height and width of the attention map at every place, in the order of use; empty where there is none.

        The place of a mask is ``input``; those inside the network are named after its blocks, stages or modules. Maps
        that are put together from windows have the size of the image.
        """
        channels, size = self.description.channels, self.description.shape.size
        _, images = next(self._batches(np.zeros((1, channels, size, size), np.uint8), np.arange(1), 1))
        with torch.inference_mode():
            _, maps = self.network(images, return_maps=True)
        side = self.description.preprocessing.image_size
        if self.description.windows is not None and side is not None:
            return dict.fromkeys(maps, (side, side))
        return {place: (values.shape[-2], values.shape[-1]) for place, values in maps.items()}

    def save(self, folder: Path) -> None:
        """Writes ``model.safetensors`` and ``model.json``."""
        state = {name: value.contiguous() for name, value in self.network.state_dict().items()}
        with atomic.replacing(folder / WEIGHTS) as temporary:
            temporary.write_bytes(save(state))  # whose own writing hides the reason of a failure, such as a full disk
        values = self.description.model_dump(mode="json")
        atomic.write_json(folder / DESCRIPTION, values)

    @classmethod
    def load(cls, folder: Path) -> FittedModel:
        """Reads a model that `save` wrote.

        Raises:
            FoveolaError: If the folder holds none, or its files are damaged or do not belong together.
        """
        try:
            values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            state = load_file(folder / WEIGHTS)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FoveolaError(
                f"a fitted model ({DESCRIPTION} and {WEIGHTS})",
                "none",
                str(folder),
                "give the folder of a fit: RUN/fits/ARM/FOLD-SEED of `foveola compare`, or --out of `foveola fit`",
            ) from error
        except (ValueError, SafetensorError) as error:  # what is neither JSON nor text is a wrong value
            raise FoveolaError("a fitted model", "damaged files", str(folder), "fit it again") from error
        description = _described(values, folder / DESCRIPTION)
        fixed = state.get("attention.values")
        attention = None if fixed is None else FixedMask(torch.zeros_like(fixed))
        arm = ARMS[description.arm]
        settings = arm.configure(description.arm_settings)
        network = Attended(arm_network(arm, settings, description.backbone, description.shape, load=False), attention)
        own = network.state_dict()  # with the version numbers that some networks look for, which a file does not keep
        own.clear()
        own.update(state)
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            raise FoveolaError(
                f"the weights that {DESCRIPTION} describes",
                "those of another network",
                str(folder / WEIGHTS),
                "fit it again",
            ) from error
        return cls(network.to(memory_format=torch.channels_last).eval(), description)

    @torch.inference_mode()
    def probabilities(
        self, pixels: np.ndarray, rows: np.ndarray | None = None, *, batch_size: int = 32
    ) -> Float[np.ndarray, "n classes"]:
        """Returns the probability of every class for stored images.

        Every batch is filled up to ``batch_size``, so that the numbers of an image do not depend on which and how many
        other images are predicted with it.

        Args:
            pixels: ``N x C x H x W`` as `foveola.data.stored.cache.prepared_images` gives them.
            rows: Which images; all where it is ``None``.
            batch_size: Images at a time.
        """
        rows = np.arange(len(pixels)) if rows is None else rows
        parts = []
        for count, images in self._batches(pixels, rows, batch_size):
            logits: Tensor = self.network(images)[:count]
            parts.append(logits.float().softmax(dim=1).cpu().numpy())
        return np.concatenate(parts)

    def segmentations(
        self, pixels: np.ndarray, rows: np.ndarray | None = None
    ) -> Iterator[Float[np.ndarray, "classes h w"]]:
        """Yields the probability of every class at every pixel of one stored image after the other.

        It is the mean over views of the image where the description says so; `maps` are those of the image as it is.

        Args:
            pixels: ``N x C x H x W`` as `foveola.data.stored.cache.prepared_images` gives them.
            rows: Which images; all where it is ``None``.
        """
        windows, views = self.description.windows, self.description.views

        def predict(view: Tensor) -> Tensor:
            return in_windows(self.network, view, windows).float().softmax(dim=1)

        for _, images in self._batches(pixels, np.arange(len(pixels)) if rows is None else rows, 1):
            with torch.inference_mode():
                probabilities = over_views(predict, images, views)
            yield probabilities[0].cpu().numpy()

    def maps(
        self, pixels: np.ndarray, rows: np.ndarray | None = None, *, batch_size: int | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields the attention maps of one stored image after the other, each ``h x w`` and named after its place.

        They are the maps that were used for the prediction, each at the resolution of its place. As for
        `probabilities` every batch is filled up, so the maps of an image do not depend on its neighbours; no more than
        one batch of images and maps is held at a time. A mask is the same for every image and costs nothing. Of a model
        that predicts in windows they are those of the windows, enlarged and blended as the predictions are.

        Args:
            pixels: ``N x C x H x W`` as `foveola.data.stored.cache.prepared_images` gives them.
            rows: Which images; all where it is ``None``.
            batch_size: Images at a time; 32, or 1 where every pixel gets a class, if it is ``None``.
        """
        rows, mask = np.arange(len(pixels)) if rows is None else rows, self.map
        batch_size = batch_size or (1 if self.description.per_pixel else 32)
        places = self.places
        if not places.keys() - {"input"}:
            yield from ({} if mask is None else {"input": mask} for _ in rows)
            return
        for count, images in self._batches(pixels, rows, batch_size):
            with torch.inference_mode():
                maps = self._maps_of(images, list(places))
            arrays = {place: values.float().cpu().numpy() for place, values in maps.items()}
            shape = {place: (len(images), *values.shape[-2:]) for place, values in arrays.items()}
            each = {place: np.broadcast_to(values, shape[place]) for place, values in arrays.items()}
            for index in range(count):
                yield {place: values[index] for place, values in each.items()}

    def _maps_of(self, images: Tensor, places: list[str]) -> dict[str, Tensor]:
        if self.description.windows is None:
            maps: dict[str, Tensor] = self.network(images, return_maps=True)[1]
            return maps

        def enlarged(window: Tensor) -> Tensor:
            found = self.network(window, return_maps=True)[1]
            shown = [functional.interpolate(found[place][:, None].float(), window.shape[2:]) for place in places]
            return torch.cat(shown, dim=1)

        whole = in_windows(enlarged, images, self.description.windows)
        return {place: whole[:, number] for number, place in enumerate(places)}

    def _batches(self, pixels: np.ndarray, rows: np.ndarray, batch_size: int) -> Iterator[tuple[int, Tensor]]:
        """Yields images as the network sees them, always ``batch_size``, and how many of them are asked for."""
        device = next(self.network.parameters()).device
        for start in range(0, len(rows), batch_size):
            chosen = rows[start : start + batch_size]
            stored = torch.from_numpy(pixels[np.resize(chosen, batch_size)]).to(device)
            images = self.description.scaling.apply(stored)
            yield len(chosen), images.contiguous(memory_format=torch.channels_last)

    def predict(self, cohort: Cohort, pixels: np.ndarray, rows: np.ndarray | None = None) -> pd.DataFrame:
        """Returns one row an image: what it is, where the model comes from, and a column of probability a class.

        Args:
            cohort: What is known of the images; the label of an image without one becomes empty.
            pixels: Its stored images.
            rows: Which of them; all where it is ``None``.
        """
        rows = np.arange(len(cohort)) if rows is None else rows
        probabilities = self.probabilities(pixels, rows)
        description = self.description
        names = np.array([*cohort.classes, ""])  # the label -1 of an image without one counts from the end
        identity = {
            "sample": cohort.table["sample"].to_numpy()[rows],
            **{key: getattr(description, key) for key in ("arm", "fold", "seed", "epoch")},
            "label": names[cohort.table["label"].to_numpy()[rows]],
        }
        columns = {f"p_{name}": probabilities[:, index] for index, name in enumerate(description.classes)}
        return pd.DataFrame({**identity, **columns})
