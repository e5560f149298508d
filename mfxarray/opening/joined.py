"""Several files of one field as one stack: long measurements are often saved in parts."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.shortcuts import remember_selection, select_detectors
from mfxarray.errors import DataError
from mfxarray.provenance import ATTRIBUTE, record
from mfxarray.schema import ION_IMAGES, by_name

__all__ = ["join_files"]

Array = np.ndarray[Any, Any]

_DIMS = by_name(ION_IMAGES)["counts"].dims
_SUMS = ("frames_planned", "frames_in_header", "frames_in_file", "duration_s")
_LISTS = ("yield_percent", "background_cps", "dead_time_ns")
_NOT_COMPARED = (ATTRIBUTE, "detectors", "missing_pixels", *_SUMS)
_MASS_TOLERANCE = 0.5  # u; peaks are centred anew for every file
_RELATIVE = 1e-6  # of positions of pixels


def join_files(
    stacks: Sequence[xr.DataArray], names: Sequence[str], *, match: str = "order"
) -> xr.DataArray:
    """Return stacks of the same field one after the other along ``frame``, lazily.

    Parameters
    ----------
    stacks
        Ion counts as `open_mims` gives them, in the order wanted.
    names
        Path or name of every file, for messages and the record.
    match
        "order": the files have the same detectors in the same order. "label": the same detectors
        in any order; those of the first file decide.

    Returns
    -------
    xarray.DataArray
        ``frame`` is numbered anew; the coordinate ``file`` tells the number of the file, whose
        names are in ``attrs["files"]``. Attributes that all files share are kept; what differs
        stands, one value a file, in ``attrs["per_file"]``. Counts of frames and durations are sums.

    Raises
    ------
    DataError
        If files differ in detectors, polarity, size, raster or dwell time.
    ValueError
        If there are no stacks, a file is there twice, or ``match`` is unknown.

    Warns
    -----
    UserWarning
        If the stage was moved by more than half a field, the dates are not in order, or detectors
        were set differently.

    Notes
    -----
    Chunks end where files end.
    """
    _check_call(stacks, names, match)
    ordered = [stack.transpose(*_DIMS) for stack in stacks]
    columns = [_columns(one, ordered[0], name, match) for one, name in _pairs(ordered, names)]
    aligned = [_take_detectors(one, numbers) for one, numbers in zip(ordered, columns, strict=True)]
    for one, name in _pairs(aligned, names):
        _check_alike(aligned[0], one, name)
    short = [os.path.basename(name) for name in names]
    attrs = _merged_attrs(aligned, short)
    _warn_of_doubts(aligned, names, attrs)
    others = {f"file_{i}": one.attrs for i, one in enumerate(aligned[1:], start=1)}
    recorded = record(attrs, "join_files", {"files": short, "match": match}, others=others)
    data = _joined_data(ordered, columns)
    return xr.DataArray(data, _merged_coords(aligned), _DIMS, stacks[0].name, recorded)


def _pairs(stacks: Sequence[xr.DataArray], names: Sequence[str]) -> list[tuple[xr.DataArray, str]]:
    return list(zip(stacks, names, strict=True))


def _check_call(stacks: Sequence[xr.DataArray], names: Sequence[str], match: str) -> None:
    if not stacks:
        raise ValueError("no files to join; give at least one")
    if len(stacks) != len(names):
        raise ValueError(f"{len(names)} names for {len(stacks)} stacks")
    if len(set(names)) < len(names):
        raise ValueError("a file is given twice; its frames would count double")
    if match not in ("order", "label"):
        raise ValueError(f'match must be "order" or "label", not {match!r}')


def _columns(one: xr.DataArray, first: xr.DataArray, name: str, match: str) -> list[int]:
    """Return the numbers of the detectors in the order of the first file."""
    wanted, found = (list(map(str, stack["detector"].values)) for stack in (first, one))
    if match == "order" and found != wanted:
        hint = (
            'Use match="label", which puts them into the order of the first file.'
            if sorted(found) == sorted(wanted)
            else "Join files of the same detectors only, or select them first."
        )
        raise DataError(f"has detectors {found}, the first file {wanted}", path=name, hint=hint)
    if sorted(found) != sorted(wanted):
        missing, more = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
        raise DataError(
            f"lacks the detectors {missing} of the first file and has {more}, which that has not",
            path=name,
            hint="Join files of the same detectors only, or select them first.",
        )
    return [found.index(label) for label in wanted]


def _take_detectors(stack: xr.DataArray, numbers: list[int]) -> xr.DataArray:
    """Return a stack with its detectors, and what belongs to them, in another order."""
    if numbers == list(range(stack.sizes["detector"])):
        return stack
    found = stack.isel(detector=numbers)
    owners = list(stack.attrs.get("detectors", stack["detector"].values))
    for name in _LISTS:
        values = stack.attrs.get(name)
        if isinstance(values, list) and len(values) == len(owners) == len(numbers):
            found.attrs[name] = [values[number] for number in numbers]
    if "detectors" in stack.attrs:
        found.attrs["detectors"] = [str(one) for one in found["detector"].values]
    if "missing_pixels" in stack.attrs:
        found.attrs["missing_pixels"] = [
            [frame, numbers.index(detector), *pixels]
            for frame, detector, *pixels in stack.attrs["missing_pixels"]
        ]
    return found


def _check_alike(first: xr.DataArray, one: xr.DataArray, name: str) -> None:
    hint = "Only files of one field and one set of settings can be joined."
    for dim, what in (("y", "rows"), ("x", "columns")):
        if one.sizes[dim] != first.sizes[dim]:
            text = f"has {one.sizes[dim]} {what}, the first file {first.sizes[dim]}"
            raise DataError(text, path=name, hint=hint)
    for dim in ("y", "x"):
        ours, theirs = first[dim].values, one[dim].values
        if not np.allclose(ours, theirs, rtol=_RELATIVE, atol=0, equal_nan=True):
            text = (
                f"has a raster of {one.attrs.get('raster_um')} µm, the first file "
                f"{first.attrs.get('raster_um')} µm, so their pixels lie at other places"
            )
            raise DataError(text, path=name, hint=hint)
    for key in ("polarity", "dwell_time_s"):
        ours, theirs = _setting(first, key), _setting(one, key)
        if ours != theirs:
            text = f"has {key} {theirs}, the first file {ours}"
            raise DataError(text, path=name, hint=hint)
    far = np.abs(first["mass"].values - one["mass"].values) > _MASS_TOLERANCE
    if far.any():
        label = str(first["detector"].values[far][0])
        text = (
            f"measures {label!r} at mass {one['mass'].values[far][0]:g} u, the first file at "
            f"{first['mass'].values[far][0]:g} u"
        )
        raise DataError(text, path=name, hint=hint)


def _setting(stack: xr.DataArray, key: str) -> Any:
    if key in stack.coords:
        # nan is not equal to itself
        return [None if value != value else value for value in stack[key].values.tolist()]
    return stack.attrs.get(key)


def _merged_attrs(stacks: Sequence[xr.DataArray], names: Sequence[str]) -> dict[str, Any]:
    every = [stack.attrs for stack in stacks]
    keys = [str(key) for key in dict.fromkeys(key for attrs in every for key in attrs)]
    shared: dict[str, Any] = {}
    differing: dict[str, list[Any]] = {}
    for key in keys:
        values = [attrs.get(key) for attrs in every]
        if key in _SUMS:
            differing[key] = values
            if None not in values:
                shared[key] = sum(values)
        elif key in _NOT_COMPARED:
            continue
        elif all(value == values[0] for value in values):
            shared[key] = values[0]
        else:
            differing[key] = values
    first = {key: every[0][key] for key in (ATTRIBUTE, "detectors", "date") if key in every[0]}
    sizes = [stack.sizes["frame"] for stack in stacks]
    merged = {**shared, **first, "files": list(names), "frames_per_file": sizes}
    missing = _missing_pixels(stacks)
    return merged | {"per_file": differing} | ({"missing_pixels": missing} if missing else {})


def _missing_pixels(stacks: Sequence[xr.DataArray]) -> list[list[int]]:
    found, start = [], 0
    for stack in stacks:
        for frame, *rest in stack.attrs.get("missing_pixels", ()):
            found.append([frame + start, *rest])
        start += stack.sizes["frame"]
    return found


def _warn_of_doubts(
    stacks: Sequence[xr.DataArray], names: Sequence[str], attrs: Mapping[str, Any]
) -> None:
    differing = attrs["per_file"]
    for key in _LISTS:
        if key in differing:
            text = f"{key} differs between the files and is only in attrs['per_file']"
            warnings.warn(f"{names[0]}: {text}", stacklevel=4)
    dates = [stack.attrs["date"] for stack in stacks if "date" in stack.attrs]
    if dates != sorted(dates):
        warnings.warn(f"{names[0]}: the files are not in the order of their dates", stacklevel=4)
    raster = stacks[0].attrs.get("raster_um")
    places = [stack.attrs.get("stage_position_um", [])[:2] for stack in stacks]
    if raster is None or [] in places:
        return
    for place, name in zip(places, names, strict=True):
        moved = max(abs(a - b) for a, b in zip(place, places[0], strict=True))
        if moved > raster / 2:
            text = f"the stage was {moved:g} µm away from that of the first file"
            warnings.warn(f"{name}: {text}; is it the same field?", stacklevel=4)


def _merged_coords(stacks: Sequence[xr.DataArray]) -> dict[str, Any]:
    known = by_name(ION_IMAGES)
    sizes = [stack.sizes["frame"] for stack in stacks]
    values: dict[str, tuple[tuple[str, ...], Array]] = {
        "frame": (("frame",), np.arange(sum(sizes))),
        "file": (("frame",), np.repeat(np.arange(len(stacks)), sizes)),
    }
    along = [name for stack in stacks for name, one in stack.coords.items() if "frame" in one.dims]
    for name in dict.fromkeys(map(str, along)):
        if name in values:
            continue
        parts = [_frame_labels(stack, name) for stack in stacks]
        if all(part is not None for part in parts):
            owner = next(stack for stack in stacks if name in stack.coords)
            joined = np.concatenate([part for part in parts if part is not None])
            values[name] = (tuple(map(str, owner[name].dims)), joined)
    coords: dict[str, Any] = {
        name: (dims, value, known[name].attrs() if name in known else {})
        for name, (dims, value) in values.items()
    }
    rest = {name: one for name, one in stacks[0].coords.items() if "frame" not in one.dims}
    return {**coords, **{str(name): one.variable for name, one in rest.items()}}


def _frame_labels(stack: xr.DataArray, name: str) -> Array | None:
    """Return a label of the frames, what its absence means where that is known, or None."""
    frames, detectors = stack.sizes["frame"], stack.sizes["detector"]
    if name in stack.coords:
        return np.asarray(stack[name].values)
    absent = {
        "recorded": np.ones((frames, detectors), bool),
        "plane": np.arange(frames),
        "series": np.zeros(frames, np.int64),
    }
    return absent.get(name)


def _joined_data(stacks: Sequence[xr.DataArray], columns: Sequence[list[int]]) -> da.Array:
    arrays = [
        stack.data if isinstance(stack.data, da.Array) else stack.chunk().data for stack in stacks
    ]
    dtype = np.result_type(*(array.dtype for array in arrays))

    def select(numbers: tuple[int, ...]) -> da.Array:
        parts = [
            select_detectors(array, [order[number] for number in numbers])
            for array, order in zip(arrays, columns, strict=True)
        ]
        return da.concatenate([part.astype(dtype) for part in parts])

    straight = list(range(stacks[0].sizes["detector"]))
    if all(order == straight for order in columns):
        whole = da.concatenate([array.astype(dtype) for array in arrays])
    else:
        whole = select(tuple(straight))
    return remember_selection(whole, select)
