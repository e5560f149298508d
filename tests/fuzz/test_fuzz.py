"""Damaged and hostile files of every container end in a DataError, quickly and in little memory.

This is the short version of `benchmarks/fuzz.py`, which cuts every container at each percent and
damages it 2,000 times. What a case may not do is in `judge`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.errors import DataError, PlanError
from tests.fuzz import harness, hostile_zarr
from tests.fuzz.corpus import NAMES, make_sample
from tests.fuzz.damage import flipped, truncated
from tests.fuzz.harness import Case, Report, cases, fuzz
from tests.fuzz.hostile import HOSTILE
from tests.fuzz.judge import Judge
from tests.fuzz.opening import is_allowed
from tests.fuzz.traps import V2, npy, npy_header

CUTS, FLIPS = 5, 8
# other seeds than those of the long version
FIRST = 20_000
# cases of the long version that failed once
FOUND: dict[str, list[Case]] = {
    "json v1": [("cut", 81, 100)],
    "json v2": [("cut", 67, 100)],
    "mat5 v2 packed": [("cut", 1, 2)],
    "pmx flat": [("flip", 109, 2000), ("flip", 689, 2000), ("flip", 1826, 2000)],
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured with /proc")


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """Return what became of all cases, which one process runs."""
    damaged = [(name, cases(CUTS, FLIPS, FIRST) + FOUND.get(name, [])) for name in NAMES]
    return fuzz([("hostile", [(kind, 0, 0) for kind in HOSTILE]), *damaged])


@pytest.mark.parametrize("name", NAMES)
def test_damaged(reports: dict[str, Report], name: str) -> None:
    report = reports[name]
    assert not report.failures, report.failures[0]
    assert report.cases == CUTS + FLIPS + len(FOUND.get(name, []))
    assert report.refused >= CUTS - 1


def test_hostile(reports: dict[str, Report]) -> None:
    report = reports["hostile"]
    assert not report.failures, report.failures[0]
    assert (report.cases, report.opened) == (len(HOSTILE), 0)


def test_without_the_trap_they_open(tmp_path: Path) -> None:
    """What hostile files are made of is sound: they are refused for the trap alone."""
    holders: list[Callable[[Path, dict[str, bytes]], Path]] = [
        hostile_zarr.folder_of,
        hostile_zarr.zip_of,
        hostile_zarr.msr_of,
    ]
    for number, hold in enumerate(holders):
        place = tmp_path / str(number)
        place.mkdir()
        assert mfx.open_minflux(hold(place, hostile_zarr.plain())).sizes["localization"] == 4
    rows = npy(npy_header(str(V2), "(4,)"), bytes(4 * np.dtype(V2).itemsize))
    (tmp_path / "run.npy").write_bytes(rows)
    assert mfx.open_minflux(tmp_path / "run.npy", records=True).sizes["record"] == 4


def test_damage_is_the_same_in_every_run() -> None:
    raw = bytes(range(256)) * 40
    assert [flipped(raw, seed) for seed in range(50)] == [flipped(raw, seed) for seed in range(50)]
    assert sum(flipped(raw, seed) != raw for seed in range(200)) > 190
    assert [len(truncated(raw, share)) for share in (0, 0.25, 1)] == [0, 2560, 10240]


@pytest.mark.parametrize("name", ["npy v2", "json v1", "msr packed", "npz packed"])
def test_samples_are_small_and_the_same_in_every_run(tmp_path: Path, name: str) -> None:
    found = []
    for turn in ("a", "b"):
        (tmp_path / turn).mkdir()
        found.append(make_sample(name, tmp_path / turn).path.read_bytes())
    assert found[0] == found[1]
    assert len(found[0]) < 100_000


def test_what_a_damaged_file_may_raise() -> None:
    assert is_allowed(DataError("is damaged"))
    assert is_allowed(PlanError("is too large"))
    for error in (ValueError("bad"), MemoryError(), KeyError("tid"), RecursionError()):
        assert not is_allowed(error)


# ends in the first case whenever it has more than one to judge
_MORTAL = """
import json, os, sys
(name, cases), = json.load(open(sys.argv[1] + "/cases.json"))
case = dict(zip(("kind", "number", "of"), cases[0]), name=name)
print(json.dumps({"start": case}), flush=True)
if len(cases) > 1:
    print("it hurts", file=sys.stderr, flush=True)
    os.abort()
print(json.dumps({**case, "opened": True, "seconds": 1, "mb": 2, "faults": []}), flush=True)
"""


def test_a_case_that_ends_the_process_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "_JUDGE", ("-c", _MORTAL))
    report = fuzz([("npz", [("cut", 0, 2), ("cut", 1, 2), ("flip", 7, 9)])])["npz"]
    assert (report.cases, report.opened, report.peak_mb) == (3, 1, 2)
    assert [found["number"] for found in report.failures] == [0, 1]
    assert "ended with -6: it hurts" in report.failures[0]["faults"][0]
    assert "| npz            |     3 |         2 |      1 |" in report.row()


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    for name in ("HOME", "XDG_CACHE_HOME"):  # which the judge changes
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Judge("npy v2", tmp_path / "root")


def _raise(*_: Any, **__: Any) -> None:
    raise KeyError("tid")


def _touch(path: str) -> Callable[..., None]:
    def opener(found: Path, *_: Any, **__: Any) -> None:
        Path(found).parent.joinpath(path).touch()
        raise DataError("is damaged")

    return opener


def _truncate(*_: Any, **options: Any) -> Any:
    """Open a shorter file than it is, without a word."""
    source = Path("../valid/run.npy").resolve()
    return mfx_open(source, **options).isel({_rows(options): slice(3)})


def _rows(options: dict[str, Any]) -> str:
    return "record" if options.get("records") else "localization"


def _hungry(*_: Any, **__: Any) -> None:
    np.ones(300 * 2**17).sum()
    raise DataError("is damaged")


mfx_open = mfx.open_minflux
BAD_READERS = {
    "KeyError": _raise,
    "beside the one that it read": _touch("x"),
    "code of the file ran": _touch("canary"),
    "made files outside": _touch("../home/x"),
    "a truncated file opened": _truncate,
    "above the baseline": _hungry,
}


@pytest.mark.parametrize("fault", BAD_READERS)
def test_the_judge_sees(judge: Judge, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not judge.judge("cut", 1, 2)["faults"]
    monkeypatch.setattr(mfx, "open_minflux", BAD_READERS[fault], raising=False)
    assert any(fault in text for text in judge.judge("cut", 1, 2)["faults"])
