"""Several washes as one lazy Dataset, rows one after the other, each with its wash's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.minflux.rows import ROW
from mfxarray.provenance import record

__all__ = ["concatenate_washes", "washes_of"]


def washes_of(
    data: xr.DataTree | Sequence[xr.DataTree],
) -> tuple[list[xr.Dataset], list[xr.Dataset]]:
    """Return localizations and beads of all data sets of one tree or of several, in order.

    Raises
    ------
    ValueError
        If a data set has no beads, or there is no data set.
    """
    trees = [data] if isinstance(data, xr.DataTree) else list(data)
    washes, beads = [], []
    for tree in trees:
        for node in tree.subtree:
            if "localizations" not in node.children:
                continue
            if "beads" not in node.children:
                raise ValueError(f"the data set {node.path!r} has no beads to register by")
            attrs = {"data_set": str(node.name), **node.attrs}
            own = node.children["localizations"].to_dataset(inherit=False)
            washes.append(own.assign_attrs({**attrs, **own.attrs}))
            beads.append(node.children["beads"].to_dataset(inherit=False))
    if not washes:
        raise ValueError("the tree holds no data sets; open_minflux_tree gives such trees")
    return washes, beads


def concatenate_washes(
    washes: Sequence[xr.Dataset], time_offset: Sequence[float] | None = None
) -> xr.Dataset:
    """Return all washes as one Dataset with a coordinate ``wash``; nothing is read.

    Parameters
    ----------
    washes
        Localizations of every wash, in order.
    time_offset
        Seconds added to ``tim`` of every wash; 0 for the first. If not given, times stay those of
        each wash.

    Returns
    -------
    xarray.Dataset
        Rows of the first wash, then those of the second, and so on. ``wash`` (int32, from 0)
        stands along the rows, ``tid`` is that of the file: wash and tid together name a trace.
        ``attrs["time_offset"]`` and ``attrs["washes"]`` (labels) have one entry a wash.

    Raises
    ------
    ValueError
        If the washes do not hold the same fields, iterations or scaling of z, or have a
        coordinate ``wash`` already.
    """
    _check_alike(washes)
    offsets = [0.0] * len(washes) if time_offset is None else [float(at) for at in time_offset]
    if len(offsets) != len(washes):
        raise ValueError(f"{len(washes)} washes need as many time offsets, not {len(offsets)}")
    numbered = [
        _numbered(ds, number, offset)
        for number, (ds, offset) in enumerate(zip(washes, offsets, strict=True))
    ]
    joined = xr.concat(
        numbered,
        ROW,
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="override",
        combine_attrs="override",
    )
    others = {f"wash {number}": ds.attrs for number, ds in enumerate(washes) if number}
    told: dict[str, Any] = {"washes": len(washes), "time_offset": offsets}
    attrs = record(_common_attrs(washes), "concatenate_washes", told, others=others)
    labels = [str(ds.attrs.get("data_set", f"wash {i}")) for i, ds in enumerate(washes)]
    return joined.drop_attrs(deep=False).assign_attrs(
        {**attrs, "washes": labels, "time_offset": offsets}
    )


def _common_attrs(washes: Sequence[xr.Dataset]) -> dict[Any, Any]:
    """Return the attributes of the first wash that all share, and its record of steps."""

    def shared(key: Any, value: Any) -> bool:
        return all(key in ds.attrs and str(ds.attrs[key]) == str(value) for ds in washes)

    first = washes[0].attrs
    return {key: value for key, value in first.items() if key == "provenance" or shared(key, value)}


def _numbered(ds: xr.Dataset, number: int, offset: float) -> xr.Dataset:
    rows = ds["tid"]
    chunks = rows.chunks[0] if rows.chunks is not None else -1
    wash = da.full(rows.shape, number, dtype=np.int32, chunks=(chunks,))
    found = ds.assign_coords(wash=(ROW, wash, {"long_name": "number of the wash"}))
    if offset == 0.0:
        return found
    tim = ds["tim"].variable
    later = xr.Variable(tim.dims, tim.data + offset, tim.attrs, tim.encoding)
    if "tim" in ds.coords:
        return found.assign_coords(tim=later)
    return found.assign(tim=later)


def _check_alike(washes: Sequence[xr.Dataset]) -> None:
    if not washes:
        raise ValueError("give at least one wash")
    first = washes[0]
    for number, ds in enumerate(washes):
        if "wash" in ds.variables:
            raise ValueError(f"wash {number} is numbered already; give each wash once, by itself")
        for name in ("tid", "tim"):
            if name not in ds.variables:
                raise ValueError(f"wash {number} has no field {name!r}")
        odd = sorted({str(name) for name in set(ds.variables) ^ set(first.variables)})
        if odd:
            raise ValueError(
                f"wash {number} and wash 0 do not both have {', '.join(odd)}; drop it, or take "
                f"ds.mfx.last_iteration() of each"
            )
        if ds.sizes.get("iteration") != first.sizes.get("iteration"):
            raise ValueError(
                f"wash {number} has {ds.sizes.get('iteration')} iterations, wash 0 has "
                f"{first.sizes.get('iteration')}; take ds.mfx.last_iteration() of each"
            )
        if ds.attrs.get("z_scaling", 1.0) != first.attrs.get("z_scaling", 1.0):
            raise ValueError(
                f"z of wash {number} is scaled by {ds.attrs.get('z_scaling', 1.0)}, that of "
                f"wash 0 by {first.attrs.get('z_scaling', 1.0)}; scale all alike"
            )
