"""The time windows between which a drift is found: how long, how many, what is in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mfxarray.kernels.drift.points import Windows
from mfxarray.kernels.drift.summary import Summary
from mfxarray.minflux.drift.settings import DriftSettings

__all__ = ["FEWEST", "check_filled", "choose_windows", "fewer_windows", "window_times"]

Array = np.ndarray[Any, Any]

# localizations without which a window tells nothing
FEWEST = 10
_MOST_WINDOWS = 2000
# of the rule of the seed, m^2 / s
_SEED_AREA = 3e-12
_SEED_RANGE = 200e-9
_AT_LEAST, _AT_MOST = 4, 40


def choose_windows(
    summary: Summary,
    settings: DriftSettings,
    window: float | None,
    n_traces: Callable[[], int],
) -> Windows:
    """Return the time windows of a recording.

    Parameters
    ----------
    summary
        Times and extents.
    settings
        Limits of the length, and whether windows cover everything.
    window
        Length in seconds; None to choose it from the data.
    n_traces
        Counts the traces; called only where the choice needs it.

    Raises
    ------
    ValueError
        If there would be fewer than two windows, or far too many.
    """
    span = summary.last - summary.first
    if not span > 0:
        raise ValueError("all localizations have the same time, so there is no drift to find")
    if window is not None and not (np.isfinite(window) and window > 0):
        raise ValueError(f"window must be a length in seconds above 0, not {window!r}")
    length = _chosen(summary, settings, n_traces()) if window is None else float(window)
    # rounding must not lose the last window of a span that holds a whole number of them
    count = round(span / length) if settings.cover else int(np.floor(span / length * (1 + 1e-12)))
    if count < 2:
        raise ValueError(
            f"a window of {length:.4g} s leaves {count} of them in a recording of {span:.4g} s, "
            f"but a drift needs at least 2: give a window of at most {span / 2:.4g} s"
        )
    if count > _MOST_WINDOWS:
        raise ValueError(
            f"a window of {length:.4g} s makes {count} of them in {span:.4g} s, more than "
            f"{_MOST_WINDOWS}: give a window of at least {span / _MOST_WINDOWS:.4g} s"
        )
    if settings.cover:
        length = span / count
    return Windows(summary.first, length, count, settings.cover)


def _chosen(summary: Summary, settings: DriftSettings, n_traces: int) -> float:
    span = summary.last - summary.first
    if settings.traces is None:
        sides = [
            max(high - low, _SEED_RANGE)
            for low, high in (summary.quantiles(axis, (0.01, 0.99)) for axis in (0, 1))
        ]
        length = n_traces * sides[0] * sides[1] / _SEED_AREA
    else:
        count = min(max(n_traces // settings.traces, _AT_LEAST), _AT_MOST)
        length = span / count
    # the cap by the recording comes last: two windows are needed whatever the shortest is
    return min(max(min(length, settings.longest), settings.shortest), span / 2)


def check_filled(
    windows: Windows, counts: Array, least: int = FEWEST, what: str = "localizations"
) -> None:
    """Raise ValueError if a window has too few localizations to tell a shift."""
    poor = np.flatnonzero(counts < least)
    if not len(poor):
        return
    at = ", ".join(
        f"{number} ({windows.start + number * windows.length:.4g} s to "
        f"{windows.start + (number + 1) * windows.length:.4g} s: {counts[number]})"
        for number in poor[:5].tolist()
    )
    more = f" and {len(poor) - 5} more" if len(poor) > 5 else ""
    raise ValueError(
        f"{len(poor)} of {windows.count} time windows have fewer than {least} {what}: "
        f"{at}{more}. Give a longer window than {windows.length:.4g} s, or correct the parts of "
        f"the recording one by one"
    )


def fewer_windows(windows: Windows) -> Windows | None:
    """Return about two thirds as many windows of the same span, None where there are but two."""
    if windows.count <= 2:
        return None
    count = max(2 * windows.count // 3, 2)
    span = windows.count * windows.length
    return Windows(windows.start, span / count, count, windows.closed)


def window_times(windows: Windows, content: Array) -> Array:
    """Return the mean time of the localizations of every window, seconds."""
    starts = windows.start + np.arange(windows.count) * windows.length
    return np.asarray(starts + content[:, 1] * 1e-6 / content[:, 0])
