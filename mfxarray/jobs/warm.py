"""Compiled kernels made ready once, before workers start that would race for their cache."""

from __future__ import annotations

from mfxarray.jobs.warm_analyses import warm_analyses
from mfxarray.jobs.warm_images import warm_images
from mfxarray.jobs.warm_traces import warm_traces

__all__ = ["warm_kernels"]


def warm_kernels() -> None:
    """Compile every numba kernel, or load it from its cache, by running it on tiny arrays.

    Notes
    -----
    About 10 s the first time on a machine, 0.5 s later. Several processes that compile the same
    kernel into one empty cache at once may crash, so this runs in one process before the others
    start.
    """
    warm_images()
    warm_traces()
    warm_analyses()
