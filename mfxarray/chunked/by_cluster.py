"""Tables with rows for each cluster of labelled points, in bounded memory.

Points are cut into strips along their labels, as others are along x: all points of a cluster are in
one strip, in the order of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from dask.base import tokenize

from mfxarray.chunked.blocks import graph_array
from mfxarray.chunked.strips import Strip, cut_strips

__all__ = ["cluster_table"]

Array = np.ndarray[Any, Any]
# takes labels of the clusters, the first point of each, and columns, whose rows lie cluster by
# cluster; gives a table with as many rows as it likes
Work = Callable[[Array, Array, list[Array]], Array]


def cluster_table(
    work: Work,
    used: da.Array,
    labels: da.Array,
    columns: Sequence[da.Array],
    *,
    width: int,
    strips: int | None = None,
) -> da.Array:
    """Return the rows that a function makes of the points of clusters, by rising label.

    Parameters
    ----------
    work
        Takes the labels of some clusters, the first point of each, and the columns; gives an array
        (row, width) of float64.
    used
        Which points count, shape (point,).
    labels
        Cluster of each point, integers, -1 for none, shape (point,).
    columns
        What the function needs, shape (point,) each.
    width
        Of the result.
    strips
        How many; by default one for half a million points.

    Returns
    -------
    dask.array.Array
        Shape (row, width), with chunks of unknown length: how many clusters there are is known
        when it is computed.

    Notes
    -----
    Labels and columns are read twice. Memory is that of a strip: half a million points, or those of
    the largest cluster.
    """
    member = used & (labels >= 0)
    # half of these strips hold one label: integers up to 2^53 stay exact
    place = labels[:, None].astype(float)
    cut = cut_strips(member, place, columns, halo=0.0, strips=strips)
    name = f"by-cluster-{tokenize(work, cut.name, width)}"
    tasks: dict[Any, Any] = dict(cut.tasks)
    make = partial(_of_strip, work=work, width=width)
    for number, key in enumerate(cut.keys):
        tasks[(name, number, 0)] = (make, cut.tasks[key])
    chunks: Any = ((np.nan,) * len(cut.keys), (width,))
    return graph_array(name, tasks, cut.inputs, chunks, float)


def _of_strip(strip: Strip, *, work: Work, width: int) -> Array:
    labels = strip.points[strip.own, 0].astype(np.int64)
    if not len(labels):
        return np.empty((0, width))
    order = np.argsort(labels, kind="stable")
    names, starts = np.unique(labels[order], return_index=True)
    return work(names, starts, [column[strip.own][order] for column in strip.columns])
