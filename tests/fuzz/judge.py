"""What damaged files did: this runs in a process of its own, which `harness` watches.

Reads cases from a JSON file and prints one JSON line for each; a line is printed before a case
starts as well, so that the case that ends the process is known.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from tests.fuzz.compare import difference, wrong_rows
from tests.fuzz.corpus import make_sample
from tests.fuzz.damage import damaged_copy
from tests.fuzz.hostile import HOSTILE
from tests.fuzz.opening import WAYS, is_allowed, opened, peak_mb, reset_peak
from tests.fuzz.traps import ABSOLUTE, CANARY, SECRET

__all__ = ["MEMORY_MB", "SECONDS", "Judge", "run"]

SECONDS, MEMORY_MB = 5.0, 256.0
# more than any case may need, far less than a header may claim
_ADDRESS_SPACE = 3 * 2**30
# containers that nothing tells where they should end, and what they say of it
_ENDLESS = {
    "csv": "its last line has no end",
    "mat5 v1": "cut between two variables",
    "mat5 v2": "cut between two variables",
    "mat5 v1 packed": "cut between two variables",
    "mat5 v2 packed": "cut between two variables",
}
_CUT_WORDS = ("cut", "truncated", "missing", "lost", "left out", "incomplete", "ends within")


class Judge:
    """Opens damaged copies of one sample, in a folder where nothing else may appear."""

    def __init__(self, name: str, root: Path) -> None:
        self.name, self.root, self.place = name, root, root / "case"
        self.aside = root / "aside"
        for folder in ("valid", "case", "home"):
            (root / folder).mkdir(parents=True)
        os.environ.update(HOME=str(root / "home"), XDG_CACHE_HOME=str(root / "home"))
        os.chdir(root / "home")
        # what hostile files are made of needs no sample of their own
        self.sample = make_sample("npy v2" if name == "hostile" else name, root / "valid")
        # this compiles and imports what all cases need
        results = opened(self.sample.path, self.sample.options, self.aside)
        self.whole = {way: found for way, found, _ in results}
        shutil.rmtree(self.aside)
        for way, found in self.whole.items():
            if isinstance(found, BaseException):
                raise RuntimeError(f"the valid {name} does not open ({way})") from found
        gc.freeze()
        reset_peak()
        self.baseline = peak_mb()

    def judge(self, kind: str, number: int, of: int) -> dict[str, Any]:
        """Return what became of a case: whether it opened, seconds, memory and faults."""
        options, ways = self.sample.options, _ways(kind, number)
        if self.name == "hostile":
            target, options = HOSTILE[kind](self.place)
            where = target.name
        else:
            target = self.place / self.sample.path.name
            where = damaged_copy(self.sample.path, target, kind, number, of)
        before = _state(self.place)
        reset_peak()
        started = time.perf_counter()
        results = list(opened(target, options, self.aside, ways))
        seconds, memory = time.perf_counter() - started, peak_mb() - self.baseline
        faults = [fault for result in results for fault in self._faults(kind, *result)]
        faults += self._outside(before)
        if seconds > SECONDS:
            faults.append(f"took {seconds:.1f} s")
        if memory > MEMORY_MB:
            faults.append(f"needed {memory:.0f} MB above the baseline")
        shutil.rmtree(self.place)
        self.place.mkdir()
        shutil.rmtree(self.aside)
        strict = next(found for way, found, _ in results if way == "strict")
        found = {"where": where, "seconds": seconds, "mb": memory}
        return {**found, "opened": isinstance(strict, xr.Dataset), "faults": faults}

    def _faults(self, kind: str, way: str, found: Any, heard: list[str]) -> Iterator[str]:
        if isinstance(found, BaseException):
            if not is_allowed(found):
                yield f"{way}: " + "".join(traceback.format_exception(found))
            if SECRET in str(found):
                yield f"{way}: the message holds what another file holds"
        elif self.name == "hostile":
            yield from _hostile_faults(way, found)
        elif kind == "cut" and way != "list" and (lost := difference(found, self.whole[way])):
            yield from self._cut_faults(way, found, lost, heard)

    def _cut_faults(
        self, way: str, found: xr.Dataset, lost: str, heard: list[str]
    ) -> Iterator[str]:
        told = any(word in text for text in heard for word in _CUT_WORDS)
        if self.name == "csv" and self._ends_with_a_line():
            return  # it is a whole table with fewer lines
        if not way.startswith("partial"):
            if not any(_ENDLESS.get(self.name, "\0") in text for text in heard):
                yield f"{way}: a truncated file opened, {lost}; warnings: {heard}"
        elif not told and "missing_rows" not in found.attrs:
            yield f"{way}: opened without saying what is missing, {lost}; warnings: {heard}"
        elif way == "partial records" and (wrong := wrong_rows(found, self.whole["records"], told)):
            yield f"{way}: {wrong}; warnings: {heard}"

    def _ends_with_a_line(self) -> bool:
        return (self.place / self.sample.path.name).read_bytes().endswith(b"\n")

    def _outside(self, before: tuple[Any, ...]) -> Iterator[str]:
        allowed = {"valid", "case", "home", "aside"}
        found = sorted(set(os.listdir(self.root)) - allowed) + os.listdir(self.root / "home")
        found += sorted(set(os.listdir(self.aside)) - {"cache", "unpacked"})
        found += [ABSOLUTE] if os.path.lexists(ABSOLUTE) else []
        if found:
            yield f"made files outside: {found}"
        if _state(self.place) != before:
            yield "made or changed files beside the one that it read"
        if (self.place / CANARY).exists():
            yield "code of the file ran"


def _hostile_faults(way: str, found: Any) -> Iterator[str]:
    text = repr(found.to_dict() if isinstance(found, xr.Dataset) else found)
    if SECRET in text:
        yield f"{way}: gave what another file holds"
    if way in ("strict", "records"):
        yield f"{way}: opened, with {str(found)[:300]}"


def _ways(kind: str, number: int) -> tuple[str, ...]:
    """Return how a case is opened: always as a user would, and by turns in the other ways."""
    if kind != "flip":
        return WAYS
    turns = (("list", "strict", "records"), ("strict", "tree", "unpack"), ("strict", "partial"))
    return turns[number % 3]


def _state(folder: Path) -> tuple[Any, ...]:
    files = sorted(path for path in folder.rglob("*") if not path.is_dir())
    states = [path.lstat() for path in files]
    return tuple(
        (str(path), state.st_size, state.st_mtime_ns)
        for path, state in zip(files, states, strict=True)
    )


def run(root: Path) -> None:
    """Judge the cases of ``root/cases.json`` and print what became of them."""
    faulthandler.enable()
    jobs = json.loads((root / "cases.json").read_text())
    virtual = 0
    for count, (name, cases) in enumerate(jobs):
        judge = Judge(name, root / f"work{count}")
        if not virtual:
            # after the first sample all libraries are there
            virtual = int(Path("/proc/self/statm").read_text().split()[0])
            limit = virtual * os.sysconf("SC_PAGE_SIZE") + _ADDRESS_SPACE
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for kind, number, of in cases:
            case = {"name": name, "kind": kind, "number": number, "of": of}
            print(json.dumps({"start": case}), flush=True)
            print(json.dumps({**case, **judge.judge(kind, number, of)}), flush=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
