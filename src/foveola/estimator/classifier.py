"""The scikit-learn face: a classifier of arrays of images whose attention maps are there to be looked at."""

from __future__ import annotations

import logging
import math
import tempfile
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from foveola.attention import ARMS
from foveola.data.splits.validation_rows import group_names, set_aside
from foveola.data.stored.preprocessing import Preprocessing
from foveola.estimator.array_inputs import channels_first, square_side, squares
from foveola.foundation.errors import FoveolaError, InputError
from foveola.foundation.settings import validated
from foveola.maps.resize import resized
from foveola.maps.summary import summary
from foveola.models import BackboneSettings, ModelDescription, arm_backbone
from foveola.models.fitted.scaling import choose_scaling
from foveola.training import PixelRows, TrainingSettings
from foveola.training.fitting import fit_pixels
from foveola.training.untrained import check_device

NAME = "AttentionClassifier"

log = logging.getLogger(__name__)


class AttentionClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifies images with any arm of Foveola, and shows where it looks.

    It is trained as `foveola fit` trains, and works where scikit-learn's own classifiers do: in pipelines,
    ``cross_val_score`` and ``GridSearchCV``. Images are given in one of these forms, numbers of any type and range:

    - ``N x H x W``, grey;
    - ``N x C x H x W`` if the second axis is 1 or 3, and otherwise ``N x H x W x C``, C being 1 or 3;
    - rows ``N x F`` with ``image_shape``, which says how a row is one of the above;
    - rows ``N x F`` without it: a square grey image where F is a square, and otherwise F pixels in one line (at most
      256: longer rows are more likely images whose shape was forgotten).

    The network gets squares. An image that is not square is stretched as `foveola` does it, averaging over areas along
    an axis that shrinks and interpolating linearly along one that grows; images of less than 8 px are enlarged by
    repeating pixels. ``uint8`` counts as 0..255, and a model that was fitted on it takes other types in that range.

    Fits in threads of one process would draw from the same generator of PyTorch; ``n_jobs`` takes processes.

    Args:
        arm: A name that `foveola list attention` lists.
        backbone: A name that `foveola list backbones` lists.
        pretrained: Whether to start from the backbone's pretrained weights. Images of ``uint8`` or in 0..1 are then
            scaled as these weights expect; others have no unit, and are scaled to their own mean and sd.
        weights: A file of weights to start from instead.
        image_shape: ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` of an image that is given as a row.
        image_size: Side in pixels of what the network gets; ``None`` for the larger side of the images, at least 8.
        arm_settings: The arm's own settings, by name.
        epochs: How often the training images are gone through.
        cutoff: After so many epochs the map of a mask is fixed; six tenths of them where it is ``None``.
        batch_size: Images a step.
        lr: Learning rate of Adam.
        weight_decay: Adam's L2 term.
        device: ``auto`` trains on a GPU where there is one; otherwise ``cpu``, ``cuda`` or ``mps``. Prediction is done
            on the CPU.
        random_state: An int repeats the fit that `foveola` makes with this seed; else as everywhere in scikit-learn.
        validation_fraction: Share of the images that is set aside to keep the epoch with the smallest loss on them; 0
            trains on all and keeps the last. Arms that are not trained in epochs learn from all.
        verbose: Whether each epoch is logged, at level ``INFO``.

    Attributes:
        classes_: The labels, sorted.
        n_features_in_: Numbers an image has.
        feature_names_in_: Names of the columns, where rows came as a data frame with such.
        input_shape_: Shape of one image, or row, as given.
        image_shape_: ``(C, H, W)``: how it was understood.
        model_: The `FittedModel`; ``model_.save(folder)`` makes a folder for `foveola predict` and `foveola explain`.
        map_: The map of the training images, ``H x W``: the mask itself, or the mean summary of the maps inside the
            network, brought to the size of the images as given; ``None`` for an arm without maps.
        history_: A `pandas.DataFrame` with one row an epoch; empty for an arm that is not trained in epochs.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from foveola import AttentionClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> model = AttentionClassifier("global", epochs=2, random_state=0).fit(X[:200], y[:200])
        >>> model.predict_proba(X[200:207]).shape, model.map_.shape
        ((7, 10), (8, 8))
    """

    def __init__(
        self,
        arm: str = "global",
        *,
        backbone: str = "small-cnn",
        pretrained: bool = False,
        weights: str | Path | None = None,
        image_shape: Sequence[int] | None = None,
        image_size: int | None = None,
        arm_settings: dict[str, Any] | None = None,
        epochs: int = 30,
        cutoff: int | None = None,
        batch_size: int = 32,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        validation_fraction: float = 0.0,
        verbose: bool = False,
    ) -> None:
        self.arm = arm
        self.backbone = backbone
        self.pretrained = pretrained
        self.weights = weights
        self.image_shape = image_shape
        self.image_size = image_size
        self.arm_settings = arm_settings
        self.epochs = epochs
        self.cutoff = cutoff
        self.batch_size = batch_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.device = device
        self.random_state = random_state
        self.validation_fraction = validation_fraction
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: Any, y: Any, groups: Any = None) -> AttentionClassifier:
        """Trains a new model.

        Args:
            X: Images in one of the forms that the class names; no NaN, no infinity.
            y: One label an image, of any type that scikit-learn takes.
            groups: What each image belongs to, such as the patient, so that none is divided when images are set aside
                for validation or by an arm's own search; ``None``, or empty for an image of its own.

        Returns:
            The classifier itself.

        Raises:
            ValueError: For images, labels or groups that cannot be used; an `InputError`, or scikit-learn's own words.
            FoveolaError: For parameters that cannot be used, or a training that diverged.
        """
        rows, y = self._rows(X, y, fitting=True)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("at least two classes", "1 class", "y", "add images of another class")
        self.input_shape_ = _shape(X)[1:]
        self.image_shape_ = self._images(rows).shape[1:]
        self._unit = 255 if rows.dtype == np.uint8 else 1
        pixels, groups = self._pixels(rows), group_names(groups, len(labels))
        seed = _seed(self.random_state)
        learned, held_out = self._parts(labels, groups, seed)
        with tempfile.TemporaryDirectory(prefix="foveola-") as folder:
            self.model_ = fit_pixels(
                self._description(pixels, learned, seed),
                self._training(watched=len(held_out) > 0),
                PixelRows(pixels, learned, labels[learned]),
                PixelRows(pixels, held_out, labels[held_out]),
                groups=groups[learned],
                folder=Path(folder),
                watch=_tell if self.verbose else None,
            )
            history = Path(folder) / "history.csv"
            self.history_ = pd.read_csv(history) if history.is_file() else pd.DataFrame()
        if not np.isfinite(self.model_.probabilities(pixels, learned[:32])).all():
            raise FoveolaError("finite probabilities", "NaN: the training diverged", NAME, "give a smaller lr")
        self.map_ = self._cohort_map(pixels, learned)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Returns the probability of every class, ``N x classes`` in the order of ``classes_``.

        The numbers of an image do not depend on which others it is given with.

        Raises:
            NotFittedError: Before `fit`.
            ValueError: For images that cannot be used, or are not of the shape that was fitted.
        """
        check_is_fitted(self)
        return self.model_.probabilities(self._pixels(self._rows(X)))

    def predict(self, X: Any) -> np.ndarray:
        """Returns the most probable label of every image; raises what `predict_proba` raises."""
        probabilities = self.predict_proba(X)
        labels: np.ndarray = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def maps(self, X: Any) -> dict[str, np.ndarray]:
        """Returns the attention maps that the images are classified with, by place, each ``N x h x w``.

        A map has the resolution of its place in the network; ``input`` is the place of a mask. Empty for an arm without
        maps. Raises what `predict_proba` raises.

        Example:
            >>> X, y = np.random.default_rng(0).random((12, 20, 16)), np.arange(12) % 2
            >>> model = AttentionClassifier("cbam", epochs=1, random_state=0).fit(X, y)
            >>> {place: maps.shape for place, maps in model.maps(X[:5]).items()}
            {'block1': (5, 10, 10), 'block2': (5, 5, 5), 'block3': (5, 2, 2)}
        """
        check_is_fitted(self)
        every = list(self.model_.maps(self._pixels(self._rows(X))))
        return {place: np.stack([maps[place] for maps in every]) for place in self.model_.places}

    def _rows(self, X: Any, y: Any = "no_validation", *, fitting: bool = False) -> Any:
        """Returns what scikit-learn lets pass: ``N x F`` numbers, ``uint8`` or ``float32``, and labels if given."""
        shape = _shape(X)
        several_axes = len(shape) > 2
        if not fitting and (several_axes or len(self.input_shape_) > 1) and shape[1:] != self.input_shape_:
            expected, got = (" x ".join(map(str, ("N", *sizes))) for sizes in (self.input_shape_, shape[1:]))
            raise InputError(f"images {expected}, as were fitted", got, "X", "bring them to this shape")
        if several_axes:
            X = np.asarray(X).reshape(shape[0], math.prod(shape[1:]))
        types = (np.float32, np.uint8)
        return validate_data(self, X, y, reset=fitting, dtype=types, ensure_min_samples=2 if fitting else 1)

    def _images(self, rows: np.ndarray) -> np.ndarray:
        return channels_first(rows.reshape(len(rows), *self.input_shape_), self.image_shape)

    def _pixels(self, rows: np.ndarray) -> np.ndarray:
        """Returns ``N x C x S x S``, in units of intensity where the images that were fitted have one."""
        images = self._images(rows)
        if (images.dtype == np.uint8) != (self._unit == 255):
            images = images.astype(np.float32) / np.float32(self._unit)
        return squares(images, self._side())

    def _side(self) -> int:
        """Returns the side in pixels of what the network gets."""
        given = validated(Preprocessing, {"image_size": self.image_size}, NAME).image_size
        return square_side(*self.image_shape_[1:]) if given is None else given

    def _parts(self, labels: np.ndarray, groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows to train on and those set aside."""
        share = self.validation_fraction
        if not 0 <= share < 1:
            raise FoveolaError("a fraction below 1", f"{share}", f"{NAME}.validation_fraction", "give one such as 0.2")
        return set_aside(labels, groups, share if ARMS[self.arm].trains else 0, seed)

    def _training(self, *, watched: bool) -> TrainingSettings:
        names = ("epochs", "cutoff", "batch_size", "lr", "weight_decay", "device")
        values = {name: getattr(self, name) for name in names} | {"keep": "best" if watched else "last"}
        check_device(self.device)
        return validated(TrainingSettings, values, NAME)

    def _description(self, pixels: np.ndarray, learned: np.ndarray, seed: int) -> ModelDescription:
        """Says what the model is to be."""
        arm = ARMS[self.arm]
        own = arm.configure(self.arm_settings or {})
        common = {"name": self.backbone, "pretrained": self.pretrained, "weights": self.weights}
        backbone = arm_backbone(arm, own, validated(BackboneSettings, common, NAME))
        has_unit = self._unit == 255 or (pixels.min() >= 0 and pixels.max() <= 1)
        preprocessing = Preprocessing(
            image_size=pixels.shape[2], channels=pixels.shape[1], flip=False, scaling="auto" if has_unit else "training"
        )
        return ModelDescription(
            arm=self.arm,
            fold=0,
            seed=seed,
            epoch=0,
            classes=tuple(str(name) for name in self.classes_),
            channels=pixels.shape[1],
            backbone=backbone,
            preprocessing=preprocessing,
            scaling=choose_scaling(preprocessing, backbone, pixels, learned),
            arm_settings=own.model_dump(mode="json"),
            attention={},
        )

    def _cohort_map(self, pixels: np.ndarray, learned: np.ndarray) -> np.ndarray | None:
        if not self.model_.places:
            return None
        size = pixels.shape[2]
        total = np.zeros((size, size))
        for maps in self.model_.maps(pixels, learned):
            total += summary(maps, size, size)
        return resized(total / len(learned), *self.image_shape_[1:])


def _shape(X: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = X.shape if hasattr(X, "shape") else np.asarray(X).shape
    return shape


def _seed(random_state: Any) -> int:
    generator = check_random_state(random_state)
    return int(random_state if isinstance(random_state, Integral) else generator.randint(2**31 - 1))


def _tell(epoch: int, values: dict[str, float]) -> None:
    log.info("epoch %d: %s", epoch, ", ".join(f"{name} {value:.4g}" for name, value in values.items()))
