"""Damaged and hostile files of every container: what is refused, what opens, time and memory.

`python benchmarks/fuzz.py` takes about an hour on one core; `--containers` and `--scale` make it
shorter, `--keep FOLDER` keeps the bytes of every failure.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.fuzz.corpus import NAMES
from tests.fuzz.harness import HEAD, Report, cases, fuzz, keep
from tests.fuzz.hostile import HOSTILE

CUTS, FLIPS = 100, 2000
_ALL = (*NAMES, "hostile")
# a process serves so many cases, then its memory starts anew
_PIECE = 525


def container(name: str, scale: float, first: int) -> Report:
    """Return the report of all cases of a container."""
    wanted = cases(round(CUTS * scale), round(FLIPS * scale), first)
    if name == "hostile":
        wanted = [(kind, 0, 0) for kind in HOSTILE]
    pieces = [wanted[start : start + _PIECE] for start in range(0, len(wanted), _PIECE)]
    return fuzz([(name, piece) for piece in pieces], fresh=True)[name]


def main() -> None:
    """Print a line for every container and the failures below it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--containers", nargs="+", default=_ALL, choices=_ALL)
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of all cases")
    parser.add_argument("--first", type=int, default=0, help="seed of the first flip")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for the bytes of failures")
    options = parser.parse_args()
    print(HEAD, flush=True)
    failures = 0
    with ThreadPoolExecutor(options.processes) as pool:
        jobs = [
            pool.submit(container, name, options.scale, options.first)
            for name in options.containers
        ]
        for job in jobs:
            report = job.result()
            print(report.row(), flush=True)
            failures += len(report.failures)
            for found in report.failures[:5]:
                place = f"{found['kind']} {found['number']} of {found['of']} in {found['where']}"
                print(f"    {place}: {found['faults'][0].strip()[-600:]}", flush=True)
            if options.keep is not None and report.name in NAMES:
                keep(report, options.keep)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
