"""Cheaper ways to get some detectors of a stack than to make all of them first.

Dask cannot push a selection of detectors through a cleaning step or into a read, so whoever makes a
stack may say here how to make only a part of it. Drift is found in one species of seven: without
this, finding it costs as much reading and cleaning as the result itself (measured: a quarter of
the whole job).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import dask.array as da

__all__ = ["remember_selection", "select_detectors"]

Select = Callable[[tuple[int, ...]], da.Array]

# keyed by the name of the array, which tells its content
_known: OrderedDict[str, Select] = OrderedDict()
_MOST_KNOWN = 32


def remember_selection(array: da.Array, select: Select) -> da.Array:
    """Return ``array``, after noting how to make only some of its detectors.

    Parameters
    ----------
    array
        Shape (frame, detector, y, x).
    select
        Takes numbers of detectors to the array of just these; the values must be the same.
    """
    _known[array.name] = select
    while len(_known) > _MOST_KNOWN:
        _known.popitem(last=False)
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
