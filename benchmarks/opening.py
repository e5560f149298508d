"""Opening 5 GB: milliseconds, memory, bytes read, size of the graph; and one endless trace."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from common import alone, arguments, folder_of, made


def sparse_npy(path: Path, rows: int) -> None:
    """Write a file of zeros with the header of a MINFLUX export: one trace without an end."""
    from mfxarray.formats.npy.npy import record_dtype
    from mfxarray.writers.npy import npy_header

    dtype = record_dtype(5)
    header = npy_header(dtype, rows)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + rows * dtype.itemsize)


def sparse_im(path: Path, frames: int) -> None:
    """Write a stack of zeros with a real header."""
    from mfxarray.simulate.im_writer import ImHeader, header_bytes
    from mfxarray.simulate.mims import mims_detectors

    header = header_bytes(ImHeader(mims_detectors(8), 512, 512, frames))
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + frames * 8 * 512 * 512 * 4)


def measure(kind: str, path: str) -> None:
    """Print what opening costs in this process, above the import."""
    import cloudpickle
    import dask.array
    import psutil

    import mfxarray as mfx
    import mfxarray.assemble

    del dask, mfxarray
    opener = mfx.open_minflux if kind == "npy" else mfx.open_mims
    process = psutil.Process()
    read, memory = _read_bytes(), process.memory_info().rss
    started = time.perf_counter()
    data = opener(path)
    seconds = time.perf_counter() - started
    found = {
        "ms": seconds * 1e3,
        "MB above import": (process.memory_info().rss - memory) / 1e6,
        "MB read": (_read_bytes() - read) / 1e6,
        "MB pickled": len(cloudpickle.dumps(data)) / 1e6,
    }
    print(json.dumps(found))


def endless(path: str) -> None:
    """Print the statistics of the one trace in a file of zeros."""
    import psutil

    import mfxarray as mfx

    before = psutil.Process().memory_info().rss
    started = time.perf_counter()
    table = mfx.open_minflux(path).mfx.traces().compute()
    seconds = time.perf_counter() - started
    memory = psutil.Process().memory_info().rss - before
    found = {"traces": table.sizes["trace"], "n": table["n"].values.tolist()}
    print(json.dumps({**found, "seconds": seconds, "MB": memory / 1e6}))


def _read_bytes() -> int:
    text = Path("/proc/self/io").read_text()
    return int(text.split("rchar:")[1].split()[0])


def main() -> None:
    """Print the figures of five fresh processes each."""
    options = arguments(__doc__)
    rows, frames = int(4_900_000 * options.scale), int(600 * options.scale)
    with folder_of(options) as folder:
        files = {
            "npy": made(folder / "zeros.npy", lambda path: sparse_npy(path, rows)),
            "im": made(folder / "zeros.im", lambda path: sparse_im(path, frames)),
        }
        for kind, path in files.items():
            code = "import sys, opening; opening.measure(*sys.argv[1:])"
            runs = [json.loads(alone(code, kind, path)) for _ in range(options.repeats)]
            middle = {
                key: round(float(np.median([run[key] for run in runs])), 3) for key in runs[0]
            }
            print(f"{kind:4} {path.stat().st_size / 1e9:.2f} GB: {middle}", flush=True)
        code = "import sys, opening; opening.endless(*sys.argv[1:])"
        print("endless trace:", alone(code, files["npy"]))
        for path in files.values():
            path.unlink()


if __name__ == "__main__":
    main()
