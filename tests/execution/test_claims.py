"""Claims: one holder at a time, whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from foveola.execution import claims as module
from foveola.execution.claims import Claim, ClaimLost, Claims, claim_numbers, holder
from foveola.execution.machine import process_space
from foveola.execution.record import SIZE, Record

needs_proc = pytest.mark.skipif(not process_space(), reason="this system does not tell which processes live")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes hearts beat fast."""
    monkeypatch.setattr(module, "BEAT_S", 0.02)


def of_another(folder: Path, number: int, **changes: object) -> Record:
    """Leaves a claim that a process elsewhere once wrote."""
    folder.mkdir(exist_ok=True)
    record = replace(Record.own("another", number), space="elsewhere", pid=1, **changes)  # type: ignore[arg-type]
    (folder / f".claim-{number}").write_bytes(record.encode())
    return record


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def test_a_claim_is_held_by_one_until_it_is_released(tmp_path: Path) -> None:
    first, second = Claims("first"), Claims("second")
    claim = first.take(tmp_path / "a" / "task")
    assert claim is not None
    assert claim.attempt == 1
    assert second.take(tmp_path / "a" / "task") is None
    assert first.take(tmp_path / "a" / "task") is None
    other = second.take(tmp_path / "a" / "other")
    assert other is not None
    claim.release()
    assert list((tmp_path / "a" / "task").iterdir()) == []
    again = second.take(tmp_path / "a" / "task")
    assert again is not None
    assert again.attempt == 1, "nobody died"
    again.release()
    other.release()


@pytest.mark.usefixtures("quick")
def test_a_claim_says_who_is_at_what(tmp_path: Path) -> None:
    claim = Claims("worker-3").take(tmp_path)
    assert claim is not None
    before = holder(tmp_path)
    assert before is not None
    assert (before.worker, before.pid, before.attempt, before.what) == ("worker-3", os.getpid(), 1, "")
    claim.report("epoch 3/7 " + "ü" * 500, 11, 29)
    wait_until(lambda: (record := holder(tmp_path)) is not None and record.done == 11)
    now = holder(tmp_path)
    assert now is not None
    assert (now.what[:9], now.done, now.total, now.token) == ("epoch 3/7", 11, 29, before.token)
    assert now.begun == before.begun
    assert now.beat > before.beat
    assert (tmp_path / ".claim-1").stat().st_size == SIZE
    claim.release()


@needs_proc
def test_a_dead_process_of_this_machine_is_followed_at_once(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from foveola.execution.claims import Claims\n"
        "Claims('mortal').take(Path(sys.argv[1])); os._exit(0)"
    )
    for number in (1, 2, 3):
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=60)
        assert claim_numbers(tmp_path) == list(range(1, number + 1))
    claim = Claims("heir").take(tmp_path)
    assert claim is not None
    assert claim.attempt == 4
    claim.release()
    assert claim_numbers(tmp_path) == [], "the dead are forgotten when the task is given back"


@needs_proc
def test_another_process_with_the_same_number_is_not_the_one_that_claimed(tmp_path: Path) -> None:
    record = replace(Record.own("before", 1), started="1")
    (tmp_path / ".claim-1").write_bytes(record.encode())
    assert record.is_dead
    assert not replace(record, space="elsewhere").is_dead
    claim = Claims("heir").take(tmp_path)
    assert claim is not None
    claim.release()


def test_a_worker_elsewhere_is_dead_when_its_record_stands_still(tmp_path: Path) -> None:
    record = of_another(tmp_path / "silent", 1, beat=time.time() - 1e6)  # its clock says nothing
    living = of_another(tmp_path / "living", 1)
    observer, hasty = Claims("observer", lease_s=0.15), Claims("hasty", lease_s=0.15)
    deadline = time.monotonic() + 0.4
    taken = None
    while time.monotonic() < deadline and not taken:
        living = replace(living, beat=living.beat + 1)
        (tmp_path / "living" / ".claim-1").write_bytes(living.encode())
        assert observer.take(tmp_path / "living") is None
        taken = observer.take(tmp_path / "silent")
        time.sleep(0.01)
    assert taken is not None
    assert taken.attempt == 2
    assert hasty.take(tmp_path / "silent") is None, "who looks for the first time waits as long"
    assert Record.read(tmp_path / "silent" / ".claim-1") == record, "nobody writes into the claim of another"
    taken.release()


def test_a_claim_that_was_never_written_holds_for_the_lease(tmp_path: Path) -> None:
    (tmp_path / ".claim-1").touch()
    observer = Claims("observer", lease_s=0.1)
    assert observer.take(tmp_path) is None
    assert holder(tmp_path) is None
    time.sleep(0.15)
    claim = observer.take(tmp_path)
    assert claim is not None
    claim.release()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["taken over", "removed", "replaced"])
def test_a_claim_that_was_lost_stops_its_worker(tmp_path: Path, how: str) -> None:
    claim = Claims("slow").take(tmp_path)
    assert claim is not None
    claim.report("epoch 1/3", 1, 3)
    if how == "taken over":
        of_another(tmp_path, 2)
    else:
        (tmp_path / ".claim-1").unlink()
    if how == "replaced":
        of_another(tmp_path, 1)
    before = {
        path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != ".claim-1" or how == "replaced"
    }

    def report() -> bool:
        try:
            claim.report("epoch 2/3", 2, 3)
        except ClaimLost:
            return True
        return False

    wait_until(report)
    claim.release()
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name in before}
    assert after == before, "the claim of another is untouched"


def test_a_slow_look_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a dead claim and the taking over, the task goes through the hands of others."""
    of_another(tmp_path, 1)
    slow = Claims("slow", lease_s=-1)
    assert slow.take(tmp_path) is None, "it was seen for the first time"
    create = Claim.__init__

    def after_others(self: Claim, folder: Path, number: int, worker: str) -> None:
        if worker == "slow":
            (tmp_path / ".claim-1").unlink()
            of_another(tmp_path, 1)
        create(self, folder, number, worker)

    monkeypatch.setattr(Claim, "__init__", after_others)
    assert slow.take(tmp_path) is None
    assert claim_numbers(tmp_path) == [1]


def test_a_full_disk_leaves_no_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "write", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        Claims("unlucky").take(tmp_path)
    assert caught.value.filename == str(tmp_path / ".claim-1")
    assert list(tmp_path.iterdir()) == []


def test_a_heart_that_cannot_beat_for_long_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    claim = Claims("unlucky").take(tmp_path)
    assert claim is not None

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(module.os, "write", broken)
    time.sleep(0.1)
    claim.report("epoch 1/3", 1, 3)  # it may pass
    monkeypatch.setattr(module, "LEASE_S", 0.0)
    wait_until(lambda: claim._lost)
    with pytest.raises(ClaimLost):
        claim.report("epoch 2/3", 2, 3)
    claim.release()


HAMMER = """
import itertools, os, sys, threading, time
from pathlib import Path
from foveola.execution.claims import Claims
from foveola.execution.machine import process_start

folder, turns = Path(sys.argv[1]), itertools.count(1)

def hammer(name):
    claims = Claims(name)
    while not (folder / "enough").exists():
        for task in (folder / "a", folder / "b"):
            claim = claims.take(task)
            if claim is None:
                continue
            inside = task / "inside"
            if inside.exists() and process_start(int(inside.read_text())):
                (folder / "two-at-once").touch()
            inside.write_text(str(os.getpid()))
            time.sleep(0.001)
            with (folder / "attempts").open("a") as attempts:
                attempts.write(f"{claim.attempt}\\n")
            inside.unlink()
            if next(turns) == 20:
                os._exit(9)
            claim.release()

threads = [threading.Thread(target=hammer, args=(name,)) for name in "xyz"]
for thread in threads:
    thread.start()
"""


@needs_proc
def test_never_two_at_once_however_many_try_and_die(tmp_path: Path) -> None:
    """Processes of three threads claim two tasks as fast as they can, and each dies at its twentieth turn."""
    command = [sys.executable, "-c", HAMMER, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    attempts = tmp_path / "attempts"
    attempts.touch()

    def enough() -> bool:
        for place, process in enumerate(processes):
            if process.poll() == 9:
                processes[place] = subprocess.Popen(command)
        return len(attempts.read_text().split()) > 150

    wait_until(enough)
    (tmp_path / "enough").touch()
    assert {process.wait(timeout=60) for process in processes} <= {0, 9}
    assert not (tmp_path / "two-at-once").exists()
    assert max(map(int, attempts.read_text().split())) > 1, "nobody took over from the dead"


def test_a_record_of_another_version_or_none_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "record"
    record = Record.own("w", 2)
    path.write_bytes(record.encode())
    assert Record.read(path) == record
    for content in (b"", b"{", b"[1, 2]", json.dumps({"token": "t"}).encode()):
        path.write_bytes(content)
        assert Record.read(path) is None
    assert Record.read(tmp_path / "nothing") is None
