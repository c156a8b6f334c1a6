"""The one configuration of a comparison: from the command line, from YAML, and into ``run.yaml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

import yaml
from pydantic import Field, field_validator, model_validator

from foveola.attention import ARMS
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError, unknown_name
from foveola.foundation.settings import Settings, of_version, validated
from foveola.models import BackboneSettings
from foveola.statistics import metric_set
from foveola.statistics.fit_scores import NEAR
from foveola.statistics.metrics.metric_sets import PRIMARY
from foveola.tasks.settings import SegmentationSettings
from foveola.training import TrainingSettings

Protocol = Literal["holdout", "kfold", "sound", "nested", "paper"]
CHOOSES = ("sound", "nested")
"""The protocols that set images aside to choose an epoch, and settings, on."""
VAL_FRACTION = 0.15


class Measures(TypedDict):
    """The set of metrics, and whether classes are grades."""

    metrics: str
    ordered: bool


class SearchSettings(Settings):
    """How the settings of the arms are chosen.

    Attributes:
        space: ``default`` or ``paper`` for what the settings declare of themselves, or for each dotted key a list of
            values or ``{low, high, log}``; ``None`` for the settings as they stand.
        trials: How many settings of each arm are tried; a grid with no more points is tried whole.
        folds: Inner folds of ``nested`` on which each trial is validated.
    """

    space: Literal["default", "paper"] | dict[str, Any] | None = None
    trials: int = Field(10, ge=1)
    folds: int = Field(3, ge=2)


class RunConfiguration(Settings):
    """What is compared, on what, and how.

    Attributes:
        data: What stands after ``--data``; see ``foveola list data``.
        label: Column or task that gives the labels.
        bins: Thresholds that cut a numeric label into classes.
        arms: Name of each arm and its settings; a list of names, or one name, stands for defaults.
        protocol: ``sound`` for repeated folds whose epoch and settings are chosen on inner validation images;
            ``nested`` for the same with a search over inner folds; ``holdout`` for one test set, ``kfold`` for each
            image tested once, both at the last epoch; ``paper`` for the procedure of Xu et al. 2020.
        folds: Of every protocol but ``holdout``.
        repeats: How often ``sound`` and ``nested`` deal the folds anew, with other seeds.
        seeds: How many fits per fold; they differ in the weights drawn and the order of the batches.
        train_sizes: For a learning curve: numbers of training images, drawn once for each seed; empty for all.
        split_seed: Of the split.
        split_file: A split to use instead of a drawn one.
        test_fraction: Share tested by ``holdout`` where the source has no split of its own.
        val_fraction: Share of the images not tested on that is looked at after each epoch; ``None`` for 0.15 where the
            protocol chooses on them and 0 elsewhere.
        metric: The one that arms are compared by; the others stand beside it. ``None`` for the macro AUC, by the rules
            of ``metrics``, and for the mean Dice of images with masks.
        metrics: Which metrics there are: ``default``, or ``medmnist`` for that benchmark's rules; masks have their own,
            ``segmentation``.
        ordered: Whether the classes are grades, in their order; ``None`` for those that ``bins`` make.
        search: How the settings of the arms are chosen.
        grouped: Whether the images of a group (a patient) stay on one side of every split.
        backbone: The network: an image CNN, and for images with masks one that segments.
        segmentation: How masks are learned and scored.
        preprocessing: Of the images.
        training: Of every fit.
    """

    data: str
    label: str | None = None
    bins: tuple[float, ...] = ()
    arms: dict[str, dict[str, Any]] = Field(min_length=1)
    protocol: Protocol = "sound"
    folds: int = Field(5, ge=2)
    repeats: int = Field(3, ge=1)
    seeds: int = Field(1, ge=1)
    train_sizes: tuple[int, ...] = ()
    split_seed: int = Field(0, ge=0)
    split_file: Path | None = None
    test_fraction: float = Field(0.2, gt=0, lt=1)
    val_fraction: float | None = Field(None, ge=0, lt=1)
    grouped: bool = True
    metric: str | None = None
    metrics: Literal["default", "medmnist", "segmentation"] = "default"
    ordered: bool | None = None
    search: SearchSettings = SearchSettings()
    backbone: BackboneSettings = BackboneSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    preprocessing: Preprocessing = Preprocessing()
    training: TrainingSettings = TrainingSettings()

    @field_validator("arms", mode="before")
    @classmethod
    def _names_alone(cls, value: Any) -> Any:
        return _settings_by_name(value)

    @model_validator(mode="before")
    @classmethod
    def _curves_hold_out(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("train_sizes") and "protocol" not in values:
            return {**values, "protocol": "holdout"}
        return values

    @model_validator(mode="after")
    def _check_protocol(self) -> RunConfiguration:
        if self.train_sizes and self.protocol != "holdout":
            raise ValueError(f"the protocol holdout for a learning curve, not {self.protocol}")
        if any(later <= NEAR * size for size, later in zip(self.train_sizes, self.train_sizes[1:], strict=False)):
            raise ValueError("training sizes each more than a tenth larger than the one before")
        if self.protocol == "paper" and self.training.keep == "best":
            raise ValueError("`training.keep=last` for the protocol paper, whose last fit watches the test images")
        if self.search.space is not None and self.protocol not in CHOOSES:
            raise ValueError(f"the protocol sound or nested for a choice of settings, not {self.protocol}")
        if self.protocol == "nested" and self.search.space is None:
            raise ValueError("a search space for the protocol nested, such as `--space default`")
        return self

    @property
    def chooses(self) -> bool:
        """Whether images are set aside to choose on, so that those that are tested on play no part in it."""
        return self.protocol in CHOOSES

    @property
    def measures(self) -> Measures:
        """What the functions of `foveola.statistics` are told of metrics."""
        return {"metrics": self.metrics, "ordered": bool(self.ordered)}

    @property
    def primary_metric(self) -> str:
        """The metric that arms are compared by.

        Raises:
            FoveolaError: If the set of metrics has none of this name.
        """
        known = metric_set(self.metrics, ordered=bool(self.ordered))
        metric = self.metric or PRIMARY[self.metrics]
        if metric not in known:
            raise unknown_name("metric", metric, known, "--metric")
        return metric

    def resolved(self, preprocessing: Preprocessing, *, masks: bool = False) -> RunConfiguration:
        """Returns the same configuration with every default written out.

        Args:
            preprocessing: With the defaults of the source.
            masks: Whether the images have masks, which makes segmentation the task.

        Raises:
            FoveolaError: For what is asked of masks and there is for labels alone, or the other way round.
        """
        _check_task(self, masks)
        arms = {name: ARMS[name].configure(values).model_dump(mode="json") for name, values in self.arms.items()}
        keep = self.training.keep if self.training.keep != "auto" else "best" if self.chooses else "last"
        training = self.training.model_copy(
            update={
                "cutoff": self.training.cutoff_epoch,
                "keep": keep,
                "augmentation": self.training.augmentation_of(masks),
            }
        )
        fraction = (VAL_FRACTION if self.chooses else 0.0) if self.val_fraction is None else self.val_fraction
        update = {"arms": arms, "preprocessing": preprocessing, "training": training, "val_fraction": fraction}
        ordered = bool(self.bins) if self.ordered is None else self.ordered
        metrics = "segmentation" if masks else self.metrics
        return self.model_copy(update={**update, "ordered": ordered, "metrics": metrics})

    def changed(self, values: Mapping[str, Any], where: str = "the search space") -> RunConfiguration:
        """Returns the configuration with other values by dotted key, such as ``training.lr`` or ``global.hidden``.

        With another number of epochs the cut-off epoch keeps its share of them, unless it is given too.

        Raises:
            FoveolaError: For an unknown key, or a value that cannot be.
        """
        nested = self.model_dump(mode="json")
        epochs, cutoff = values.get("training.epochs"), self.training.cutoff
        if isinstance(epochs, int) and cutoff is not None and "training.cutoff" not in values:
            nested["training"]["cutoff"] = max(1, round(cutoff * epochs / self.training.epochs))
        for key, value in values.items():
            _assign(nested, key, value, where)
        return _checked(nested, where)


def _check_task(configuration: RunConfiguration, masks: bool) -> None:
    """Looks for what only the other task knows."""
    known, other = ("masks", "labels") if masks else ("labels", "masks")
    criterion, metrics = configuration.training.criterion, configuration.metrics
    for wrong, option, value, remedy in (
        (masks and configuration.protocol == "paper", "--protocol", "paper", "choose sound or holdout"),
        (metrics == ("medmnist" if masks else "segmentation"), "--metrics", metrics, "leave it out"),
        (
            criterion in (("accuracy", "macro_auc") if masks else ("dice",)),
            "training.criterion",
            criterion,
            f"choose loss or {'dice' if masks else 'macro_auc'}",
        ),
        (
            not masks and configuration.segmentation != SegmentationSettings(),
            "segmentation",
            "settings",
            "leave them out",
        ),
    ):
        if wrong:
            raise FoveolaError(
                f"what there is for images with {known}", f"'{value}', which is for {other}", option, remedy
            )


def read_configuration(
    file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    *,
    version: str | None = None,
) -> RunConfiguration:
    """Merges a YAML file, options by dotted key, and ``key=value`` assignments; the later win.

    A first part that names an arm stands for ``arms.NAME``, so ``global.hidden=64`` sets a setting of that arm.

    Args:
        file: The YAML file, if any.
        options: Values by dotted key.
        assignments: As after ``--set``.
        version: The version of Foveola that wrote the file; its defaults take the place of later ones.

    Raises:
        FoveolaError: For an unreadable file, an unknown key or arm, or a value that cannot be.

    Example:
        >>> options = {"data": "digits", "arms": ["plain", "global"], "training.epochs": 8}
        >>> configuration = read_configuration(options=options, assignments=["global.hidden=64"])
        >>> configuration.training.epochs, configuration.arms
        (8, {'plain': {}, 'global': {'hidden': 64}})
    """
    values = _read_yaml(file) if file else {}
    for key, value in (options or {}).items():
        _assign(values, key, value, "the command line")
    for text in assignments:
        key, equals, written = text.partition("=")
        if not equals:
            raise FoveolaError("key=value", f"'{text}'", "--set", "write it like --set training.lr=0.001")
        _assign(values, key.strip(), _parsed(written), "--set")
    for required, option in (("data", "--data"), ("arms", "--arm")):
        if required not in values:
            raise FoveolaError(f"{option}", "nothing", "the command line", f"give {option} or a --config that has it")
    return _checked(values if version is None else as_of_version(values, version), "configuration")


def as_of_version(values: Mapping[Any, Any], version: str) -> dict[Any, Any]:
    """Returns values of a configuration with the defaults of an earlier version where they say nothing."""
    arms = _settings_by_name(values.get("arms", {}))
    own = {name: of_version(ARMS[name].settings, settings, version) for name, settings in arms.items()}
    return of_version(RunConfiguration, values, version) | {"arms": own}


def _checked(values: dict[Any, Any], where: str) -> RunConfiguration:
    configuration = validated(RunConfiguration, values, where)
    for name, settings in configuration.arms.items():
        ARMS[name].configure(settings)
    return configuration


def _read_yaml(file: Path) -> dict[Any, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FoveolaError("a configuration file", "no such file", str(file), "check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FoveolaError("YAML", str(error).replace("\n", " "), str(file), "correct it") from error
    if not isinstance(values, dict):
        raise FoveolaError("keys and values", type(values).__name__, str(file), "see a run.yaml for an example")
    return values


def _assign(values: dict[str, Any], key: str, value: Any, where: str) -> None:
    """Puts a value where its dotted key says, beside what is there already."""
    arms = _settings_by_name(values.get("arms", {}))
    if "arms" in values:
        values["arms"] = arms
    parts = key.split(".")
    if parts[0] in ARMS:
        parts = ["arms", *parts]
        if not isinstance(arms, dict) or parts[1] not in arms:
            raise FoveolaError("settings of an arm that is compared", f"'{key}'", where, f"add --arm {parts[1]}")
    if parts[0] == "backbone" and len(parts) == 1 and isinstance(value, str):
        parts = ["backbone", "name"]
    for part in parts[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise FoveolaError("a group of settings", f"'{part}', which is one value", where, f"do not give {key}")
    values[parts[-1]] = value


def _settings_by_name(arms: Any) -> Any:
    """Returns the settings of each arm; a list of names, one name, or a name without a value stand for defaults."""
    if isinstance(arms, str):
        arms = [arms]
    if isinstance(arms, list | tuple):
        arms = dict.fromkeys(map(str, arms))
    if isinstance(arms, dict):
        return {name: {} if settings is None else settings for name, settings in arms.items()}
    return arms


def _parsed(written: str) -> Any:
    try:
        value = yaml.safe_load(written)
    except yaml.YAMLError:
        return written
    return written if isinstance(value, str) else value
