"""Spikes of secondary-electron images, replaced by the local median."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from mfxarray.chunked.spikes import without_spikes
from mfxarray.mims.masks import check_kernel
from mfxarray.mims.stack import as_stack, dask_counts, detector_numbers, ion_numbers
from mfxarray.provenance import record, was_done

__all__ = ["remove_spikes"]


def remove_spikes(
    counts: xr.DataArray,
    detectors: str | Sequence[str] | None = None,
    *,
    sigmas: float = 8.0,
    kernel_size: int = 3,
) -> xr.DataArray:
    """Return the stack with the spikes of its electron images replaced by the local median.

    The signal of secondary electrons is no count of single particles, so its noise is measured, in
    each image for itself: a robust standard deviation that grows as the square root of the level,
    or that of the surroundings of a pixel where it is larger. A pixel further than ``sigmas`` of it
    from the median of its window, up or down, is a spike.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    detectors
        Names of the detectors to clean; those of mass 0 (electrons) if not given.
    sigmas
        Standard deviations; see `mfxarray.kernels.spikes.find_spikes`.
    kernel_size
        Odd size of the window, pixels.

    Raises
    ------
    ValueError
        If spikes were removed before, there is no electron image, or a parameter makes no sense.

    Notes
    -----
    Lazy; reads the stack once. Other detectors stay as they are.
    """
    if was_done(counts.attrs, "remove_spikes"):
        raise ValueError("spikes were removed before (see ds.mims.history); start from the file")
    check_kernel(kernel_size)
    if kernel_size < 3 or not sigmas > 0:
        raise ValueError("sigmas must be positive, kernel_size at least 3 pixels")
    numbers = _electrons(counts) if detectors is None else detector_numbers(counts, detectors)
    cleaned = without_spikes(
        dask_counts(counts), numbers, sigmas=float(sigmas), kernel_size=kernel_size
    )
    names = [str(counts["detector"].values[number]) for number in numbers]
    parameters = {"detectors": names, "sigmas": sigmas, "kernel_size": kernel_size}
    attrs = record(counts.attrs, "remove_spikes", parameters)
    return as_stack(counts).copy(data=cleaned).assign_attrs(attrs)


def _electrons(counts: xr.DataArray) -> list[int]:
    ions = set(ion_numbers(counts))
    found = [number for number in range(counts.sizes["detector"]) if number not in ions]
    if not found:
        raise ValueError("no detector has mass 0 (electrons); name the detectors to clean")
    return found
