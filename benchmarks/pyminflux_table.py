"""The tables that pyminflux makes of files; `against_pyminflux.py` starts it in its environment.

It prints one line of JSON for each file: what reading cost above the imports, or why it failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from pyminflux import __version__
from pyminflux.processor import MinFluxProcessor
from pyminflux.reader import MinFluxReaderFactory


def main() -> None:
    """Read files one after the other; write their columns to a folder, if wished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--out", type=Path, help="folder for 0.npz, 1.npz, ...")
    parser.add_argument("--traces", action="store_true", help="statistics of the traces, too")
    options = parser.parse_args()
    for number, path in enumerate(options.files):
        out = options.out / f"{number}.npz" if options.out else None
        # it reports to stdout what it could not open
        with contextlib.redirect_stdout(sys.stderr):
            found = read(path, out, options.traces)
        print(json.dumps(found), flush=True)


def read(path: str, out: Path | None, traces: bool) -> dict[str, Any]:
    """Return time and peak memory of reading a file, or the error."""
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    try:
        make, message = MinFluxReaderFactory.get_reader(path)
        if make is None:
            return {"error": message}
        reader = make(path)
        table = reader.processed_dataframe
        if traces:
            MinFluxProcessor(reader).filtered_dataframe_stats  # noqa: B018 - made when asked for
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    seconds = time.perf_counter() - started
    found: dict[str, Any] = {"seconds": seconds, "MB": (memory("VmHWM") - before) / 1e6}
    found |= {"rows": len(table), "cfr": int(reader._cfr_index), "version": __version__}
    if out:
        np.savez(out, **{name: table[name].to_numpy() for name in table})
    return found


def memory(name: str) -> int:
    """Return VmRSS or VmHWM in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
