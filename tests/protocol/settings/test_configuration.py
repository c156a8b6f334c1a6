from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from foveola.data.stored.preprocessing import Preprocessing, resolve
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration, read_configuration

BASE = {"data": "digits", "arms": ["plain", "global"]}


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_later_wins(tmp_path: Path) -> None:
    file = written(
        tmp_path, "data: digits\narms: [plain, global]\nseeds: 2\ntraining: {epochs: 5, lr: 0.01, cutoff: 4}\n"
    )
    options = {"training.epochs": 7, "training.lr": 0.02}
    configuration = read_configuration(file, options, ["training.lr=0.03", "global.hidden=9"])
    training = configuration.training
    assert (configuration.seeds, training.cutoff, training.epochs, training.lr) == (2, 4, 7, 0.03)
    assert configuration.arms == {"plain": {}, "global": {"hidden": 9}}


def test_options_alone_are_enough() -> None:
    configuration = read_configuration(options={**BASE, "backbone": "vgg16", "global.pixel_memory": 3.0})
    assert configuration.backbone.name == "vgg16"
    assert configuration.arms["global"] == {"pixel_memory": 3.0}
    assert configuration.folds == RunConfiguration(**BASE).folds


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        ("plain", {"plain": {}}),
        ("[plain, global]", {"plain": {}, "global": {}}),
        ("{plain: , global: {hidden: 4}}", {"plain": {}, "global": {"hidden": 4}}),
        ("[plain, plain]", {"plain": {}}),
    ],
)
@pytest.mark.parametrize("assignments", [[], ["arms.plain.lr=0.5"]])
def test_arms_may_be_written_in_four_ways(
    tmp_path: Path, arms: str, expected: dict[str, Any], assignments: list[str]
) -> None:
    configuration = read_configuration(written(tmp_path, f"data: digits\narms: {arms}\n"), {}, assignments)
    assert configuration.arms == ({**expected, "plain": {"lr": 0.5}} if assignments else expected)


def test_arms_on_the_command_line_replace_those_of_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "data: digits\narms: {plain: {}, global: {hidden: 4}}\n")
    assert read_configuration(file, {"arms": ["l1"]}).arms == {"l1": {}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bins=[-12, -6]", (-12.0, -6.0)),
        ("label=md", "md"),
        ("grouped=false", False),
        ("seeds=3", 3),
        ("split_file=a.csv", Path("a.csv")),
        ("label= 7", None),
        ("test_fraction=.25", 0.25),
    ],
)
def test_values_are_read_as_yaml(text: str, expected: Any) -> None:
    key = text.split("=")[0]
    if expected is None:
        with pytest.raises(FoveolaError, match=r"valid string, got 7, in configuration\.label"):
            read_configuration(options=BASE, assignments=[text])
    else:
        assert getattr(read_configuration(options=BASE, assignments=[text]), key) == expected


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("trainin.lr=1", "known key, got 'trainin', in configuration; did you mean 'training'"),
        ("sedes=1", "known key, got 'sedes', in configuration; did you mean 'seeds'"),
        ("training.epoch=1", "known key, got 'epoch', in configuration.training; did you mean 'epochs'?"),
        ("backbone.nam=x", "known key, got 'nam', in configuration.backbone; did you mean 'name'?"),
        ("preprocessing.image_sise=9", "in configuration.preprocessing; did you mean 'image_size'?"),
        ("global.hiden=9", "known key, got 'hiden', in the settings of arm 'global'; did you mean 'hidden'"),
        ("arms.globl.hidden=9", "known arm, got 'globl', in --arm; did you mean 'global'?"),
        ("l1.penalty=9", "settings of an arm that is compared, got 'l1.penalty', in --set; add --arm l1"),
        ("global.hidden=0", "greater than or equal to 1, got 0, in the settings of arm 'global'.hidden"),
        ("global.kernel=4", "odd kernel, which keeps the image size, got 4, in the settings of arm 'global'.kernel"),
        ("training.cutoff=99", "expected a cut-off within the 30 epochs"),
        ("training.lr.x=1", "valid number, got {'x': 1}, in configuration.training.lr"),
        ("data.x=1", "a group of settings, got 'data', which is one value, in --set"),
        (
            "protocol=loo",
            "expected 'holdout', 'kfold', 'sound', 'nested' or 'paper', got 'loo', in configuration.protocol",
        ),
        ("arms=", "dictionary, got None, in configuration.arms"),
        ("arms=7", "dictionary, got 7, in configuration.arms"),
        ("arms=[]", "at least 1 item.*got {}, in configuration.arms"),
        ("arms=[[plain]]", r"known arm, got '\['plain'\]'"),
        ("plain=7", "dictionary, got 7, in configuration.arms.plain"),
        ("training", "key=value, got 'training', in --set; write it like --set training.lr=0.001"),
        ("=7", "known key, got '', in configuration"),
    ],
)
def test_what_cannot_be_is_named(assignment: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        read_configuration(options=BASE, assignments=[assignment])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "expected keys and values, got list, in .*study.yaml"),
        ("", "expected keys and values, got NoneType, in .*study.yaml"),
        ("a: [1", "expected YAML, got .*, in .*study.yaml; correct it"),
        ("1: 2\ndata: digits\narms: plain", "got 1, in configuration.1"),
        ("data: digits\narms: 5", "got 5, in configuration.arms"),
        ("data: digits\narms: {1: {}}", "got 1, in configuration.arms.1"),
        ("arms: plain", "expected --data, got nothing"),
        ("data: digits", "expected --arm, got nothing"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        read_configuration(written(tmp_path, text))


def test_settings_of_an_arm_where_the_arms_are_nonsense(tmp_path: Path) -> None:
    file = written(tmp_path, "data: digits\narms: 5\n")
    with pytest.raises(FoveolaError, match="add --arm global"):
        read_configuration(file, {"global.hidden": 3})


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"expected a configuration file, got no such file, in .*; check --config"):
        read_configuration(tmp_path / "none.yaml")
    (tmp_path / "study.yaml").write_bytes(b"data: \xff\xfe")
    with pytest.raises(FoveolaError, match=r"expected YAML, got .* codec"):
        read_configuration(tmp_path / "study.yaml")


def test_everything_resolved_is_written_out_and_read_back(tmp_path: Path, configure: Callable[..., Any]) -> None:
    configuration: RunConfiguration = configure(["plain", "global"], {"training.cutoff": None, "training.epochs": 9})
    resolved = configuration.resolved(resolve(configuration.preprocessing, {"flip": False}))
    assert resolved.training.cutoff == 5
    assert resolved.preprocessing == Preprocessing(image_size=16, flip=False)
    assert resolved.arms["global"]["hidden"] == 5
    assert resolved.arms["global"]["representation"] == "auto"
    atomic.write_yaml(tmp_path / "run.yaml", resolved.model_dump(mode="json"))
    again = read_configuration(tmp_path / "run.yaml")
    assert again == resolved == again.resolved(resolve(again.preprocessing, {"flip": False}))
    assert set(yaml.safe_load((tmp_path / "run.yaml").read_text())) == set(RunConfiguration.model_fields)


def test_another_number_of_epochs_keeps_the_share_of_the_cut_off() -> None:
    configuration = read_configuration(options={"data": "d", "arms": ["global"], "training.epochs": 30})
    resolved = configuration.resolved(Preprocessing())
    assert resolved.training.cutoff == 18
    changed = [resolved.changed({"training.epochs": epochs}).training.cutoff for epochs in (10, 60, 1)]
    assert changed == [6, 36, 1]
    assert resolved.changed({"training.epochs": 60, "training.cutoff": 5}).training.cutoff == 5
