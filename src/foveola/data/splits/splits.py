"""Split tables: which sample is trained on and which is tested on, fold by fold.

A split table has the columns ``sample``, ``group``, ``label`` (the name of the class; empty where masks are the truth),
``fold`` and ``role`` (``train``, ``val``, ``test`` or ``unused``), with one row for every sample in every fold, in the
order of the cohort. A fold that only serves to choose something has nobody to test on.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from foveola.data.cohort import SPLITS, Cohort
from foveola.data.splits.stratified_groups import check_folds, check_labels, deal
from foveola.foundation.errors import FoveolaError, unknown_name

SPLIT_COLUMNS = ("sample", "group", "label", "fold", "role")
UNUSED = "unused"
ROLES = (*SPLITS, UNUSED)

log = logging.getLogger(__name__)


def holdout(
    cohort: Cohort, *, test_fraction: float = 0.2, val_fraction: float = 0.0, grouped: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Sets one part of the cohort aside for testing; its fold is number 0.

    The source's own split is used where there is one. If it has no test set, its validation set is tested on; if it has
    no (other) validation set and one is asked for, that is taken out of its training set.

    Args:
        cohort: The samples, all labelled.
        test_fraction: Share of all samples to test on, where the source has no split of its own.
        val_fraction: Share of the other samples to validate on.
        grouped: Whether the samples of a group stay together.
        seed: Seed of the random order.

    Raises:
        FoveolaError: If a sample has no label, a fraction is out of range, or the source's own split is unusable.
    """
    for name, fraction, valid in (
        ("test_fraction", test_fraction, 0 < test_fraction < 1),
        ("val_fraction", val_fraction, 0 <= val_fraction < 1),
    ):
        if not valid:
            raise FoveolaError("a fraction below 1", f"{fraction:g}", f"--set {name}", "give one such as 0.2")
    check_labels(cohort)
    rng = np.random.default_rng(seed)
    roles = _own_roles(cohort)
    if roles is None:
        parts = deal(cohort, np.arange(len(cohort)), [1 - test_fraction, test_fraction], grouped, rng)
        roles = np.array(["train", "test"])[parts]
    if val_fraction > 0 and "val" not in roles:
        rows = np.flatnonzero(roles == "train")
        parts = deal(cohort, rows, [1 - val_fraction, val_fraction], grouped, rng)
        roles[rows[parts == 1]] = "val"
    return split_table(cohort, [(0, roles)], grouped, cohort.name)


def kfold(cohort: Cohort, *, folds: int = 5, grouped: bool = True, seed: int = 0) -> pd.DataFrame:
    """Deals all samples into stratified folds; each is tested on once, while the others are trained on.

    A split that the source itself may have is not used, and the log says so.

    Raises:
        FoveolaError: If a sample has no label, or a class has fewer samples or groups than there are folds.
    """
    check_labels(cohort)
    if folds < 2:
        raise FoveolaError("at least 2 folds", str(folds), "--folds", "give 2 or more")
    if (cohort.table["split"] != "").any():
        log.info("%s has a split of its own; it is not used, the folds are made of all images", cohort.name)
    check_folds(cohort, np.arange(len(cohort)), folds, grouped)
    parts = deal(cohort, np.arange(len(cohort)), [1 / folds] * folds, grouped, np.random.default_rng(seed))
    return split_table(cohort, each_tested(parts), grouped, cohort.name)


def read_split_file(path: Path | str, cohort: Cohort, *, grouped: bool = True) -> pd.DataFrame:
    """Reads a split table, or a simpler table that a person wrote.

    The file is a CSV with ``sample`` and either ``role`` (or ``split``), or ``fold``, or both. With ``fold`` alone each
    fold is tested on in turn. Other columns are not looked at; groups and labels are those of the cohort.

    Raises:
        FoveolaError: If the file cannot be read, does not hold every sample of the cohort once in each fold, names
            unknown samples or roles, or has a group on both sides.
    """
    where = str(path)
    table = _read_table(where)
    check_labels(cohort)
    if "role" not in table:
        _check_samples(table["sample"], cohort, where)
        parts = table.set_index("sample")["fold"].loc[cohort.table["sample"]].to_numpy()
        return split_table(cohort, each_tested(parts), grouped, where)
    for role in table["role"].unique():
        if role not in ROLES:
            raise unknown_name("role", role, ROLES, where)
    folds: list[tuple[int, np.ndarray]] = []
    for fold, rows in table.groupby("fold", sort=True):
        _check_samples(rows["sample"], cohort, where)
        roles = rows.set_index("sample")["role"].loc[cohort.table["sample"]]
        folds.append((int(str(fold)), roles.to_numpy(dtype=str)))
    return split_table(cohort, folds, grouped, where)


def check_no_leak(splits: pd.DataFrame, *, grouped: bool = True, where: str = "the split table") -> None:
    """Checks that in no fold a sample, or a group if ``grouped``, is both tested on and learned from.

    Raises:
        FoveolaError: If one is; the message names it.
    """
    tested = splits["role"] == "test"
    for column in ("sample", "group") if grouped else ("sample",):
        named = splits.assign(tested=tested)[splits[column] != ""]
        sides = named.groupby(["fold", column], sort=False)["tested"].nunique()
        for fold, name in sides.index[sides > 1]:
            allow = " or, to let groups be split, give `--set grouped=false`" if column == "group" else ""
            raise FoveolaError(
                f"every {column} on one side of the split",
                f"{column} '{name}' both tested on and learned from in fold {fold}",
                where,
                f"move it to one side{allow}",
            )


def each_tested(parts: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Returns the number and the roles of one fold a part, in which that part is tested on."""
    return [(int(part), np.where(parts == part, "test", "train")) for part in np.unique(parts)]


def split_table(
    cohort: Cohort,
    folds: list[tuple[int, np.ndarray]],
    grouped: bool,
    where: str,
    *,
    needed: tuple[str, ...] = ("train", "test"),
) -> pd.DataFrame:
    """Puts a split table together, checks it, and warns of classes that a fold lacks.

    Args:
        cohort: The samples.
        folds: The number of each fold, and the role of every sample in it.
        grouped: Whether a group on both sides is an error.
        where: What the error messages call the table.
        needed: The roles that every fold has to have.
    """
    names, strata = cohort.strata
    known = cohort.table[["sample", "group"]].assign(label=np.array(names)[strata])
    for fold, roles in folds:
        for role in needed:
            if role not in roles:
                raise FoveolaError(
                    " and ".join(f"samples to {name} on" for name in needed),
                    f"no '{role}' in fold {fold}",
                    where,
                    f"give some samples the role '{role}'",
                )
        for role in sorted(set(roles) - {UNUSED}):
            for name in sorted(set(names) - set(known["label"][roles == role])):
                log.warning("fold %d of %s has no image of class '%s' in %s", fold, where, name, role)
    splits = pd.concat([known.assign(fold=fold, role=roles) for fold, roles in folds], ignore_index=True)
    check_no_leak(splits, grouped=grouped, where=where)
    return splits


def _own_roles(cohort: Cohort) -> np.ndarray | None:
    """Returns the roles of the source's own split; ``None`` if it has none."""
    roles: np.ndarray = cohort.table["split"].to_numpy(dtype=str)
    missing = np.flatnonzero(roles == "")
    if len(missing) == len(roles):
        return None
    if len(missing):
        sample = cohort.table["sample"].iloc[missing[0]]
        raise FoveolaError(
            "a split for every sample or for none",
            f"{len(missing)} without, the first '{sample}'",
            cohort.name,
            "fill in train, val or test for these, or remove the column",
        )
    return roles if "test" in roles else np.where(roles == "val", "test", roles)


def _read_table(where: str) -> pd.DataFrame:
    """Reads ``sample`` with ``role`` or ``fold`` or both; a fold that is not given is 0."""
    try:
        table = pd.read_csv(Path(where), dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:  # pandas' own errors and wrong encodings are values too
        reason = str(error).strip().splitlines()[0]
        raise FoveolaError("a split table (CSV)", f"'{reason}'", where, "check --split-file") from error
    table.columns = table.columns.str.strip()
    if "role" not in table and "split" in table:
        table = table.rename(columns={"split": "role"})
    if "sample" not in table or not {"role", "fold"} & set(table):
        raise FoveolaError(
            "the columns sample and role, or sample and fold", ",".join(table.columns), where, "rename or add them"
        )
    if "role" in table:
        table = table.assign(role=table["role"].str.strip())
    if "fold" not in table:
        return table.assign(fold=0)
    wrong = table["fold"][~table["fold"].str.fullmatch(r"\s*\d{1,9}\s*")]
    if len(wrong):
        raise FoveolaError("whole numbers from 0 in column fold", f"'{wrong.iloc[0]}'", where, "number the folds")
    return table.assign(fold=table["fold"].astype(int))


def _check_samples(samples: pd.Series[str], cohort: Cohort, where: str) -> None:
    """Checks that the samples of one fold are those of the cohort, each once."""
    known = cohort.table["sample"]
    for wrong, expected, got, remedy in (
        (samples[~samples.isin(known)], f"samples of {cohort.name}", "that are not", "remove them"),
        (samples[samples.duplicated()], "every sample once in a fold", "that come twice", "remove the repetitions"),
        (known[~known.isin(samples)], f"every sample of {cohort.name}", "that are missing", "add them in every fold"),
    ):
        if len(wrong):
            raise FoveolaError(expected, f"{len(wrong)} {got}, the first '{wrong.iloc[0]}'", where, remedy)
