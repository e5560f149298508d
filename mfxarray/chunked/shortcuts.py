"""Cheaper ways to get a part of an array than to make all of it first.

Dask cannot push a selection through a cleaning step or into a read, so whoever makes an array may
say here how to make only a part of it. Drift is found in one species of seven: without this,
finding it costs as much reading and cleaning as the result itself (measured: a quarter of the whole
job). Most of what is done with localizations needs the last of ten iterations: without this, all
ten are copied out of the records first (measured: more than half of the time of a pass).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import dask.array as da

__all__ = [
    "remember_iterations",
    "remember_selection",
    "select_detectors",
    "select_iteration",
]

Select = Callable[[tuple[int, ...]], da.Array]

# keyed by the name of the array, which tells its content
_known: OrderedDict[str, Select] = OrderedDict()
_MOST_KNOWN = 32
# a measurement has some fifteen fields with iterations
_iterations: OrderedDict[str, Callable[[int], da.Array]] = OrderedDict()
_MOST_ITERATIONS = 512


def remember_selection(array: da.Array, select: Select) -> da.Array:
    """Return ``array``, after noting how to make only some of its detectors.

    Parameters
    ----------
    array
        Shape (frame, detector, y, x).
    select
        Takes numbers of detectors to the array of just these; the values must be the same.
    """
    _note(_known, array.name, select, _MOST_KNOWN)
    return array


def select_detectors(array: da.Array, numbers: Sequence[int]) -> da.Array:
    """Return some detectors of a stack, by a shortcut where one is known.

    Parameters
    ----------
    array
        Shape (frame, detector, y, x).
    numbers
        Which detectors, in the order wanted.
    """
    select = _known.get(array.name)
    return array[:, list(numbers)] if select is None else select(tuple(numbers))


def remember_iterations(array: da.Array, select: Callable[[int], da.Array]) -> da.Array:
    """Return ``array``, after noting how to make only one of its iterations.

    Parameters
    ----------
    array
        Shape (row, iteration, ...).
    select
        Takes the number of an iteration, 0 to K - 1, to the array of just this one, shape
        (row, ...); values and row chunks must be the same.
    """
    _note(_iterations, array.name, select, _MOST_ITERATIONS)
    return array


def select_iteration(array: da.Array, number: int) -> da.Array:
    """Return one iteration of a field, by a shortcut where one is known.

    Parameters
    ----------
    array
        Shape (row, iteration, ...).
    number
        Which iteration; negative ones count from the end.
    """
    count = array.shape[1]
    if not -count <= number < count:
        raise ValueError(f"iteration {number} of an array that has {count}")
    select = _iterations.get(array.name)
    return array[:, number] if select is None else select(number % count)


def _note(known: OrderedDict[str, Any], name: str, select: Any, most: int) -> None:
    known[name] = select
    while len(known) > most:
        known.popitem(last=False)
