from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveola.data.sources.files import existing, find_images, natural_key
from foveola.foundation.errors import FoveolaError


@given(st.lists(st.integers(0, 2000), unique=True), st.sampled_from(["s", "eye-", "a1b"]))
def test_natural_order_is_the_order_of_the_numbers(numbers: list[int], prefix: str) -> None:
    names = [f"{prefix}{number}.png" for number in numbers]
    assert sorted(names, key=natural_key) == [f"{prefix}{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text("aB1 09._-", max_size=6)))
def test_natural_order_does_not_depend_on_the_order_given(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


def test_images_are_found_at_any_depth_and_other_files_are_passed_over(tmp_path: Path) -> None:
    for name in ("b/10.PNG", "b/9.jpeg", "a.tiff", ".hidden.png", "b/.cache/1.png", "__MACOSX/1.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.tiff", "b/9.jpeg", "b/10.PNG"]


def test_a_link_to_a_folder_is_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "1.png").touch()
    root = tmp_path / "set"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "store")
    (root / "again").symlink_to(root)
    assert [path.relative_to(root).as_posix() for path in find_images(root)] == ["linked/1.png"]


def test_paths_that_are_not_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file.csv").touch()
    with pytest.raises(FoveolaError, match="expected a folder, got none, in --data idrid; write --data idrid:PATH"):
        existing("", "folder", "idrid")
    with pytest.raises(FoveolaError, match=r"nothing of that name, in .*absent"):
        existing(str(tmp_path / "absent"), "folder", "idrid")
    with pytest.raises(FoveolaError, match="expected a folder, got a file"):
        existing(str(tmp_path / "file.csv"), "folder", "idrid")
    with pytest.raises(FoveolaError, match="expected a file, got a folder"):
        existing(str(tmp_path), "file", "npz")
