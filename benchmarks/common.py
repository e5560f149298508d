"""Timing, memory and files that all benchmarks share."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import psutil


def arguments(description: str) -> argparse.Namespace:
    """Return the options that every benchmark takes."""
    return parser_of(description).parse_args()


def parser_of(description: str) -> argparse.ArgumentParser:
    """Return a parser of the options that every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", type=Path, help="where the big files are, or are to be kept")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the full size")
    parser.add_argument("--repeats", type=int, default=5)
    return parser


@contextmanager
def folder_of(options: argparse.Namespace):
    """Yield the folder for big files, a temporary one if none is given."""
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        yield options.folder
    else:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)


def made(path: Path, make: Callable[[Path], object]) -> Path:
    """Return the file, making it if it is not there."""
    if not path.exists():
        started = time.perf_counter()
        make(path)
        seconds = time.perf_counter() - started
        print(
            f"made {path.name}: {path.stat().st_size / 1e9:.2f} GB in {seconds:.0f} s", flush=True
        )
    return path


def interleaved(repeats: int, **runs: Callable[[], object]) -> dict[str, float]:
    """Return the median seconds of each run; the runs take turns, so noise hits all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


class Watch:
    """The largest resident memory of this process and its children while the block runs."""

    def __enter__(self) -> Watch:
        self._done = threading.Event()
        self.total = self.largest = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        me = psutil.Process()
        while not self._done.wait(0.02):
            sizes = []
            for process in (me, *me.children(recursive=True)):
                try:
                    sizes.append(process.memory_info().rss)
                except psutil.Error:
                    continue
            self.total = max(self.total, sum(sizes))
            self.largest = max(self.largest, max(sizes))


def alone(code: str, *arguments: object) -> str:
    """Return what a fresh Python process prints, so that memory is its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    folder = Path(__file__).parent
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
