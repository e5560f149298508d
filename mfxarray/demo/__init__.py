"""The whole job of both instruments on simulated data, compared with the truth."""

from __future__ import annotations

import os
from typing import Any

from mfxarray.demo.report import Report, prepare_folder, write_report

__all__ = ["Report", "run_demo"]

# localizations of a wash, frames, pixels a side
_SIZES: dict[str, tuple[int, int, int]] = {
    "tiny": (3_000, 12, 64),
    "small": (20_000, 40, 256),
    "medium": (200_000, 100, 512),
    "large": (1_000_000, 400, 512),
}


def run_demo(
    folder: str | os.PathLike[str] = "mfxarray-demo",
    *,
    cluster: str = "threads",
    workers: int = 2,
    memory_limit: str = "1GiB",
    size: str = "small",
    seed: int = 1,
) -> Report:
    """Simulate both instruments, run the job on the files, compare with the truth.

    Parameters
    ----------
    folder
        Gets everything: simulated files, stores, pictures, ``truth.json``, ``summary.json`` and
        ``summary.txt``. May hold an earlier demo, which is replaced.
    cluster, workers, memory_limit
        See `mfxarray.jobs.clients.client`. The results do not depend on them.
    size
        "small" (155 MB of input), "medium" (1.6 GB), "large" (7 GB); "tiny" is for tests.
    seed
        Of everything that is random.

    Returns
    -------
    Report
        What was found, the truth beside it, and where the files lie.

    Raises
    ------
    DataError
        If the folder holds something else.
    ValueError
        If ``size`` or ``cluster`` is unknown.
    """
    from mfxarray.demo.mims import mims_job
    from mfxarray.demo.minflux import minflux_job
    from mfxarray.jobs.clients import client

    if size not in _SIZES:
        raise ValueError(f"size must be one of {', '.join(_SIZES)}, not {size!r}")
    localizations, frames, pixels = _SIZES[size]
    with client(cluster, workers=workers, memory_limit=memory_limit) as at:
        place = prepare_folder(folder)
        results: list[Any] = minflux_job(place, localizations, seed, at)
        results.append(mims_job(place, frames, pixels, seed, at))
    return write_report(place, results)
