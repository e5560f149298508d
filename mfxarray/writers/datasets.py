"""Datasets and trees of localizations back to the vendor's records, a few blocks at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from mfxarray.formats.npy.fields import ITERATION, flat_record_dtype, record_dtype
from mfxarray.formats.tables import BeadTrack
from mfxarray.writers.convert_records import executed, flat_dtype, flatten, flatten_blocks
from mfxarray.writers.data_attrs import regions, stored_record, vendor_attrs
from mfxarray.writers.nest_records import group_starts, nest_blocks, nested_dtype, scatter
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.packing import Packed, packed_records

__all__ = ["Data", "bead_tracks_of", "outgoing", "outgoing_all"]

Array = np.ndarray[Any, Any]
Data: TypeAlias = xr.Dataset | xr.DataTree

_ROWS = ("localization", "record")
_MODELS = ("v1", "v2")
# fields that `flatten` makes where they are not there
_MADE = frozenset({"vld", "fnl", "bot", "eot", "sta", "tim", ITERATION})


def outgoing(
    ds: xr.Dataset,
    *,
    model: str | None = None,
    label: str | None = None,
    beads: xr.Dataset | None = None,
    allow_scaled: bool = False,
) -> Outgoing:
    """Return a data set whose records are made from a Dataset while they are written.

    Parameters
    ----------
    ds
        Localizations, dims ``localization``, ``iteration``, ``axis``, or flat records, dim
        ``record``, as `open_minflux` gives them. Variables without ``attrs["source_name"]`` are
        derived ones and are left out.
    model
        "v1" for nested records, "v2" for flat ones; that of the source if not given.
    label
        Name of the data set; ``attrs["data_set"]``, else "P1", if not given.
    beads
        The beads, dims ``bead``, ``sample``; NaN times at the end of a bead are padding.
    allow_scaled
        Write z even where it is scaled.

    Raises
    ------
    ValueError
        If z is scaled, fields that every record needs are missing, the chunks have unknown sizes,
        or attributes are not what they should be; while the blocks are made, if a number does not
        fit its field.

    Warns
    -----
    UserWarning
        If there is a mask ``selected``: it has no place in a record, so all rows are written.

    Notes
    -----
    Lazy within one model: nothing is computed before ``blocks()`` is iterated, then at most 64 MB
    of records at once, under the active scheduler. A change of the model has to count its records
    first, which is one more pass over the positions, or over the ids of flat records.

    Fields keep the order and the types that they had in the file, so an untouched Dataset gives
    its very records. See `convert_records.flatten` and `nest_records.nest` for a change of model.
    """
    _check(ds, model, allow_scaled)
    if "selected" in ds.variables:
        warnings.warn(
            "the mask `selected` is not written, all rows are; call ds.mfx.compact() before, or "
            "drop the variable",
            UserWarning,
            stacklevel=2,
        )
    reference = stored_record(ds.attrs)
    row = _row_dim(ds)
    if row == "record":
        found = _from_flat(ds, reference, model)
    elif _is_regrouped(ds):
        found = _from_regrouped(ds, reference, model)
    else:
        found = _from_nested(ds, reference, model)
    return replace(
        found,
        label=label or str(ds.attrs.get("data_set", "P1")),
        attrs=vendor_attrs(ds.attrs),
        rois=regions(ds.attrs),
        beads=() if beads is None else bead_tracks_of(beads),
    )


def outgoing_all(
    data: Data, *, model: str | None = None, allow_scaled: bool = False
) -> tuple[Outgoing, ...]:
    """Return every data set of a Dataset or of a tree, in its order; see `outgoing`.

    Raises
    ------
    ValueError
        Also if a tree holds no localizations.

    Notes
    -----
    In a tree the localizations of a data set are its node or the node's child ``localizations``,
    and the beads are the child ``beads``.
    """
    if isinstance(data, xr.Dataset):
        return (outgoing(data, model=model, allow_scaled=allow_scaled),)
    found = []
    for node in _walk(data):
        ds = node.to_dataset(inherit=False)
        if not any(dim in ds.dims for dim in _ROWS):
            continue
        home = node.parent if node.name == "localizations" and node.parent is not None else node
        beads = home.children.get("beads")
        found.append(
            outgoing(
                ds.assign_attrs({**home.attrs, **ds.attrs}),
                model=model,
                label=home.name,
                beads=None if beads is None else beads.to_dataset(inherit=False),
                allow_scaled=allow_scaled,
            )
        )
    if not found:
        raise ValueError("the tree holds no localizations (nodes with that dimension)")
    return tuple(found)


def _walk(node: xr.DataTree) -> Iterator[xr.DataTree]:
    """Yield nodes in their order; xarray gives all nodes of a level before the next level."""
    yield node
    for child in node.children.values():
        yield from _walk(child)


def bead_tracks_of(beads: xr.Dataset) -> tuple[BeadTrack, ...]:
    """Return the beads of a Dataset, dims ``bead``, ``sample``, without the padding.

    Raises
    ------
    ValueError
        If a variable of the beads is missing.
    """
    needed = ("bead", "gri", "used", "tim", "position", "str")
    missing = [name for name in needed if name not in beads.variables]
    if missing:
        raise ValueError(f"the beads lack {', '.join(missing)}")
    names = [str(name) for name in beads["bead"].values.tolist()]
    time = beads["tim"].transpose("bead", "sample").values
    place = beads["position"].transpose("bead", "sample", "axis").values
    strength = beads["str"].transpose("bead", "sample").values
    number, used = beads["gri"].values, beads["used"].values
    found = []
    for i, name in enumerate(names):
        there = ~np.isnan(time[i])
        track = (time[i][there], place[i][there], strength[i][there])
        found.append(BeadTrack(name, int(number[i]), bool(used[i]), *track))
    return tuple(found)


def _check(ds: xr.Dataset, model: str | None, allow_scaled: bool) -> None:
    if model is not None and model not in _MODELS:
        raise ValueError(f'model must be "v1" or "v2", not {model!r}')
    scaling = ds.attrs.get("z_scaling", 1.0)
    if scaling != 1.0 and not allow_scaled:
        raise ValueError(
            f"z is scaled by {scaling}, files of the vendor hold raw z; divide it out, or write it "
            "as it is with allow_scaled=True"
        )


def _row_dim(ds: xr.Dataset) -> str:
    found = [dim for dim in _ROWS if dim in ds.dims]
    if len(found) != 1:
        raise ValueError(
            f"a Dataset of localizations or of records is needed, this one has the dimensions "
            f"{', '.join(map(str, ds.dims)) or 'none'}"
        )
    return found[0]


def _is_regrouped(ds: xr.Dataset) -> bool:
    """Tell whether localizations were regrouped from flat records."""
    if str(ds.attrs.get("format_version", "")).startswith("v2"):
        return True
    names = {variable.attrs.get("source_name") for variable in ds.variables.values()}
    return not names.isdisjoint({"fnl", "bot", "eot", "itr.tim"})


def _from_nested(ds: xr.Dataset, reference: np.dtype[Any] | None, model: str | None) -> Outgoing:
    order = reference if reference is not None and _is_nested(reference) else None
    zeros = model != "v2"
    packed = packed_records(ds, "localization", order, order or record_dtype(1), zeros=zeros)
    if model != "v2":
        return Outgoing(packed.dtype, packed.n_rows, packed.blocks)
    return _flattened(packed, flat_dtype(packed.dtype))


def _from_regrouped(ds: xr.Dataset, reference: np.dtype[Any] | None, model: str | None) -> Outgoing:
    packed = packed_records(ds, "localization", None, None)
    if model == "v1":
        n_iterations = packed.dtype[ITERATION].shape[0]
        target = nested_dtype(flat_dtype(packed.dtype), n_iterations)
        complete = partial(_completed, dtype=target)
        return Outgoing(target, packed.n_rows, lambda: map(complete, packed.blocks()))
    target = flat_dtype(packed.dtype)
    if reference is not None and not _is_nested(reference):
        target = _present(reference, target, packed.dtype)
    return _flattened(packed, target)


def _from_flat(ds: xr.Dataset, reference: np.dtype[Any] | None, model: str | None) -> Outgoing:
    order = None if reference is None or _is_nested(reference) else reference
    packed = packed_records(ds, "record", order, order or flat_record_dtype())
    if model != "v1":
        return Outgoing(packed.dtype, packed.n_rows, packed.blocks)
    n_rows, n_iterations = _count_localizations(packed)
    target = nested_dtype(packed.dtype, n_iterations)

    def blocks() -> Iterator[Array]:
        return nest_blocks(packed.blocks(), n_iterations, target)

    return Outgoing(target, n_rows, blocks)


def _is_nested(dtype: np.dtype[Any]) -> bool:
    return ITERATION in (dtype.names or ()) and dtype[ITERATION].base.names is not None


def _present(reference: np.dtype[Any], known: np.dtype[Any], dense: np.dtype[Any]) -> np.dtype[Any]:
    """Return the flat record of the file, without fields that are no longer there."""
    there = {*(dense[ITERATION].base.names or ()), *(dense.names or ()), *_MADE}
    fields = [(name, reference[name]) for name in reference.names or () if name in there]
    taken = {name for name, _ in fields}
    unknown = (known.names or ())[len(flat_record_dtype().names or ()) :]
    return np.dtype(fields + [(name, known[name]) for name in unknown if name not in taken])


def _flattened(packed: Packed, target: np.dtype[Any]) -> Outgoing:
    counts = packed.only(("loc", "tim")).each(_count_executed)

    def blocks() -> Iterator[Array]:
        return flatten_blocks(packed.blocks(), target)

    return Outgoing(target, sum(counts), blocks)


def _count_executed(rows: Array) -> int:
    return int(np.count_nonzero(executed(rows)))


def _count_localizations(packed: Packed) -> tuple[int, int]:
    """Return how many localizations flat records make, and of how many iterations."""
    before: Array | None = None
    threads: set[int] = set()
    n_rows = highest = 0
    for records in packed.only((ITERATION, "tid", "thi", "sqi", "fnl")).blocks():
        if not records.size:
            continue
        n_rows += int(np.count_nonzero(group_starts(records, before)))
        highest = max(highest, int(records[ITERATION].max()))
        if "thi" in (records.dtype.names or ()):
            threads |= set(np.unique(records["thi"]).tolist())
        before = records[-1:].copy()
    if len(threads) > 1:
        raise ValueError(
            "the records of several threads are interleaved; open the file regrouped (without "
            "records=True) to write nested records"
        )
    return n_rows, highest + 1


def _completed(rows: Array, dtype: np.dtype[Any]) -> Array:
    """Return the vendor's nested records of localizations regrouped from flat ones."""
    row, step = np.nonzero(executed(rows))
    if len(np.unique(row)) != len(rows):
        raise ValueError("a localization has no executed iteration; drop such rows first")
    found = scatter(flatten(rows), row, step, len(rows), rows[ITERATION].shape[1], dtype)
    if ITERATION in (rows[ITERATION].dtype.names or ()):
        found[ITERATION][ITERATION] = rows[ITERATION][ITERATION]
    return found
