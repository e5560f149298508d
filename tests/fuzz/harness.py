"""Runs damaged files in a process of its own, and goes on after a crash or a hang."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["HEAD", "Case", "Job", "Report", "cases", "fuzz", "keep"]

Case = tuple[str, int, int]
Job = tuple[str, list[Case]]
_ROOT = Path(__file__).parents[2]
_JUDGE = ("-m", "tests.fuzz.judge")
# a case that is over its 5 s tells so itself; one that hangs is ended
_HANGS_AFTER = 60.0

HEAD = (
    "| container      | cases | DataError | opened | slowest s | peak MB | failures |\n"
    "|----------------|------:|----------:|-------:|----------:|--------:|---------:|"
)


@dataclass
class Report:
    """What became of the cases of one container."""

    name: str
    cases: int = 0
    refused: int = 0
    opened: int = 0
    slowest: float = 0.0
    peak_mb: float = 0.0
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        """Count one case."""
        self.cases += 1
        self.opened += found["opened"]
        self.refused += not found["opened"]
        self.slowest = max(self.slowest, found["seconds"])
        self.peak_mb = max(self.peak_mb, found["mb"])
        if found["faults"]:
            self.failures.append(found)

    def row(self) -> str:
        """Return a line of the table."""
        return (
            f"| {self.name:14} | {self.cases:5} | {self.refused:9} | {self.opened:6} | "
            f"{self.slowest:9.2f} | {self.peak_mb:7.0f} | {len(self.failures):8} |"
        )


def cases(cuts: int, flips: int, first: int = 0) -> list[Case]:
    """Return truncations at equal steps, and flips with their seeds."""
    return [
        *(("cut", number, cuts) for number in range(cuts)),
        *(("flip", first + number, flips) for number in range(flips)),
    ]


def fuzz(jobs: list[Job], *, fresh: bool = False) -> dict[str, Report]:
    """Return what became of damaged copies of the samples, by their names.

    With ``fresh`` every job gets a process of its own; otherwise they share one.
    """
    reports = {name: Report(name) for name, _ in jobs}
    left = [(name, list(wanted)) for name, wanted in jobs if wanted]
    while left:
        for found in _batch(left[:1] if fresh else left):
            reports[found["name"]].add(found)
            while not left[0][1]:
                left.pop(0)
            left[0][1].pop(0)
        left = [(name, wanted) for name, wanted in left if wanted]
    return reports


def _batch(jobs: list[Job]) -> Iterator[dict[str, Any]]:
    """Yield results until all cases are done or one ends the process, which is a failure too."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        Path(folder, "cases.json").write_text(json.dumps(jobs))
        with open(Path(folder, "errors"), "w+") as errors:
            process = subprocess.Popen(
                [sys.executable, *_JUDGE, folder],
                cwd=_ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
            )
            current = yield from _results(process)
            errors.seek(0)
            text = f"the process ended with {process.returncode}: {errors.read()[-4000:]}"
        if current is not None:
            yield {
                **current,
                "where": "?",
                "seconds": 0.0,
                "mb": 0.0,
                "opened": False,
                "faults": [text],
            }
        elif process.returncode:
            raise RuntimeError(text)


def _results(
    process: subprocess.Popen[str],
) -> Generator[dict[str, Any], None, dict[str, Any] | None]:
    """Yield what the process tells; return the case in which it ended."""
    assert process.stdout is not None
    current = None
    while True:
        timer = threading.Timer(_HANGS_AFTER if current else 3 * _HANGS_AFTER, process.kill)
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        if not line:
            process.wait()
            return current
        found = json.loads(line)
        current = found.get("start")
        if current is None:
            yield found


def keep(report: Report, folder: Path) -> None:
    """Write the bytes of every failure, and what went wrong, into a folder."""
    from tests.fuzz.corpus import make_sample
    from tests.fuzz.damage import damaged_copy

    if not report.failures:
        return
    target = folder / report.name.replace(" ", "_")
    shutil.rmtree(target, ignore_errors=True)
    (target / "valid").mkdir(parents=True)
    sample = make_sample(report.name, target / "valid")
    for found in report.failures:
        kind, number, of = found["kind"], found["number"], found["of"]
        home = target / f"{kind}{number}"
        home.mkdir()
        damaged_copy(sample.path, home / sample.path.name, kind, number, of)
        (home / "faults.txt").write_text("\n".join(found["faults"]), encoding="utf-8")
