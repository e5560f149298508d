"""Hot pixels: found where several detectors stand out at once, and replaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import xarray as xr

from mfxarray.chunked.hotpixels import hot_mask
from mfxarray.kernels.hot_poisson import poisson_candidates
from mfxarray.kernels.medians import hot_candidates
from mfxarray.mims.masks import apply_mask, check_kernel
from mfxarray.mims.stack import as_stack, dask_counts, detector_numbers
from mfxarray.provenance import record, was_done

__all__ = [
    "DEFAULT_METHOD",
    "REMOVAL_DEFAULTS",
    "apply_mask",
    "infer_hot_pixels",
    "remove_hot_pixels",
]

DEFAULT_METHOD = "poisson"
_FALSE_POSITIVES = 1e-6
_VOTES = 3
_FEW = 5
# by method: what infer_hot_pixels takes where nothing is given
_DEFAULTS = {
    "poisson": {"outlier_factor": 2.0, "min_count": 0.0},
    "count": {"outlier_factor": 3.0, "min_count": 1.0},
    "seed": {"outlier_factor": 3.0, "min_count": 1.0},
}
# the same for remove_hot_pixels: openformat has others there
REMOVAL_DEFAULTS = {**_DEFAULTS, "seed": {"outlier_factor": 1.999, "min_count": 0.5}}


def infer_hot_pixels(
    counts: xr.DataArray,
    *,
    detectors: Sequence[str] | None = None,
    num_outliers: int | None = None,
    kernel_size: int = 3,
    outlier_factor: float | None = None,
    min_count: float | None = None,
    max_repeat_fraction: float = 0.1,
    num_nonzero: int | None = None,
    method: str = DEFAULT_METHOD,
    false_positives: float | None = None,
) -> xr.DataArray:
    """Return the mask of hot pixels, (frame, y, x), bool.

    A detector votes for a pixel that stands out from its neighbours. A pixel is hot where at least
    ``num_outliers`` detectors vote in the same frame, ``num_nonzero`` have a count, and it does not
    do so in frame after frame, which would be structure of the sample.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    detectors
        Names of the detectors that vote; all that count ions if not given.
    num_outliers
        Detectors that must vote; 3 if not given (for "poisson" all if there are fewer).
    kernel_size
        Odd size of the median's window, pixels. "poisson" always looks at the eight neighbours.
    outlier_factor, min_count
        A vote needs at least ``outlier_factor * max(level, min_count)`` counts. If not given 2 and
        0 for "poisson", else 3 and 1.
    max_repeat_fraction
        Pixels hot in more than this fraction of the frames are kept.
    num_nonzero
        Detectors that must have a count. If None no more than the votes, because a rare isotope
        that counts nothing is no proof against a hot pixel; "seed" asks for all.
    method
        "poisson" (ours): the level is the second largest of the eight neighbours, and a vote needs
        a count that Poisson noise gives so rarely that ``false_positives`` holds. "count" (ours):
        the level is the median of the window; no statement about noise, which at 1 to 2 counts a
        pixel passes for hot in 1 of 70 pixels. "seed": as openformat: like "count", but a fraction
        equal to the limit is structure too, so that up to 1 / limit frames nothing is ever hot,
        and a ``num_nonzero`` of 0 means all. For the others a pixel is structure if it is a
        candidate in more than ``max(1, max_repeat_fraction * frames)`` frames, so one frame is
        enough; for "poisson" 2 instead of 1 from five frames up.
    false_positives
        For "poisson" only: the largest fraction of clean pixels (of a frame, counted once for all
        detectors) that may be taken for hot where the counts are Poisson and a pixel's rate is that
        of its neighbours, at any rate; 1e-6 if not given. Counts are whole numbers and
        ``outlier_factor`` demands more, so the true fraction is usually well below.

    Raises
    ------
    ValueError
        If a parameter makes no sense for this stack.

    Notes
    -----
    Lazy; reads the stack once. Candidates wait for the count over all frames as one bit a pixel.
    """
    voters = detector_numbers(counts, detectors)
    rule = _rule(method, num_outliers, outlier_factor, min_count, len(voters))
    votes = rule["num_outliers"]
    _check(votes, kernel_size, method, false_positives, len(voters), counts)
    nonzero = _num_nonzero(num_nonzero, votes, len(voters), method)
    asked = {"false_positives": false_positives or _FALSE_POSITIVES} if method == "poisson" else {}
    candidates = _candidates(method, voters, kernel_size, {**rule, "num_nonzero": nonzero, **asked})
    data = dask_counts(counts)
    most = _most_repeats(max_repeat_fraction, data.shape[0], method)
    mask = hot_mask(data, candidates, most_repeats=most)
    parameters = {
        "detectors": [str(counts["detector"].values[number]) for number in voters],
        "kernel_size": kernel_size,
        "max_repeat_fraction": max_repeat_fraction,
        "num_nonzero": num_nonzero,
        "method": method,
        **rule,
        **asked,
    }
    found = as_stack(counts).isel(detector=0, drop=True).copy(data=mask).rename("hot")
    text = {"long_name": "hot pixel", "kernel_size": kernel_size}
    return _dressed(found, counts, "infer_hot_pixels", parameters, text)


def remove_hot_pixels(
    counts: xr.DataArray,
    *,
    detectors: Sequence[str] | None = None,
    kernel_size: int = 3,
    outlier_factor: float | None = None,
    min_count: float | None = None,
    method: str = DEFAULT_METHOD,
    replacement: int | str = "median",
    seed: int = 0,
    **found_by: Any,
) -> xr.DataArray:
    """Return counts with hot pixels replaced, by their local median if nothing else is asked.

    Parameters
    ----------
    counts
        Ion counts (frame, detector, y, x).
    replacement, seed
        See `apply_mask`.
    detectors, kernel_size, outlier_factor, min_count, method, **found_by
        See `infer_hot_pixels`; only for ``method="seed"`` factor and least count are others if not
        given, 1.999 and 0.5 as in openformat, which replaces about 1 in 80 clean pixels at 3 counts
        a pixel.

    Raises
    ------
    ValueError
        If hot pixels were removed before, or a parameter makes no sense.

    Notes
    -----
    Lazy; the stack is read twice, once for the mask and once for the replacement.
    """
    if was_done(counts.attrs, "remove_hot_pixels"):
        raise ValueError(
            "hot pixels were removed before (see ds.mims.history); start from the file"
        )
    usual = REMOVAL_DEFAULTS.get(method, REMOVAL_DEFAULTS[DEFAULT_METHOD])
    mask = infer_hot_pixels(
        counts,
        detectors=detectors,
        kernel_size=kernel_size,
        outlier_factor=usual["outlier_factor"] if outlier_factor is None else outlier_factor,
        min_count=usual["min_count"] if min_count is None else min_count,
        method=method,
        **found_by,
    )
    cleaned = apply_mask(
        counts,
        mask,
        detectors=detectors,
        kernel_size=kernel_size,
        replacement=replacement,
        seed=seed,
    )
    others = {"mask": mask.attrs}
    parameters: dict[str, Any] = {} if replacement == "median" else {"replacement": replacement}
    if replacement == "draw":
        parameters["seed"] = seed
    return cleaned.assign_attrs(
        record(counts.attrs, "remove_hot_pixels", parameters, others=others)
    )


def _rule(
    method: str,
    num_outliers: int | None,
    outlier_factor: float | None,
    min_count: float | None,
    voters: int,
) -> dict[str, Any]:
    """Return what makes a pixel hot: what was given, and else what is usual for the method."""
    usual = _DEFAULTS.get(method, _DEFAULTS[DEFAULT_METHOD])
    votes = min(_VOTES, voters) if method == "poisson" else _VOTES
    return {
        "outlier_factor": usual["outlier_factor"] if outlier_factor is None else outlier_factor,
        "min_count": usual["min_count"] if min_count is None else min_count,
        "num_outliers": votes if num_outliers is None else num_outliers,
    }


def _candidates(
    method: str, voters: Sequence[int], kernel_size: int, rule: dict[str, Any]
) -> Callable[[Any], Any]:
    numbers = tuple(voters)
    if method == "poisson":
        return partial(poisson_candidates, voters=numbers, **rule)
    return partial(hot_candidates, voters=numbers, kernel_size=kernel_size, **rule)


def _dressed(
    found: xr.DataArray,
    counts: xr.DataArray,
    step: str,
    parameters: dict[str, Any],
    text: dict[str, Any],
) -> xr.DataArray:
    found.attrs = {**record(counts.attrs, step, parameters), **text}
    return found.drop_attrs(deep=False).assign_attrs(
        {"provenance": found.attrs["provenance"], **text}
    )


def _num_nonzero(wanted: int | None, outliers: int, voters: int, method: str) -> int:
    if method == "seed":
        return wanted or voters
    return outliers if wanted is None else wanted


def _most_repeats(fraction: float, frames: int, method: str) -> float:
    if method == "count":
        return max(1.0, fraction * frames)
    if method == "poisson":
        # with five frames and more, twice at one place may well be chance
        return max(1.0 if frames < _FEW else 2.0, fraction * frames)
    # the seed keeps what repeats in a fraction >= the limit; counts are whole numbers
    return next((n - 1.0 for n in range(frames + 1) if n / max(frames, 1) >= fraction), math.inf)


def _check(
    votes: int,
    kernel_size: int,
    method: str,
    false_positives: float | None,
    voters: int,
    counts: xr.DataArray,
) -> None:
    if method not in _DEFAULTS:
        raise ValueError(f"method must be one of {', '.join(map(repr, _DEFAULTS))}, not {method!r}")
    if false_positives is not None and method != "poisson":
        raise ValueError(f"false_positives is for method='poisson'; {method!r} has no such promise")
    if false_positives is not None and not 1e-10 <= false_positives <= 0.1:
        raise ValueError(f"false_positives must be 1e-10 to 0.1, not {false_positives}")
    if method == "poisson" and min(counts.sizes["y"], counts.sizes["x"]) < 2:
        raise ValueError("method='poisson' needs images of 2 x 2 pixels or more; use 'count'")
    check_kernel(kernel_size)
    if not 1 <= votes <= voters:
        names = ", ".join(map(str, counts["detector"].values))
        raise ValueError(
            f"num_outliers={votes} needs that many voting detectors, there are {voters} "
            f"of {names}; give a smaller num_outliers"
        )
