"""NetCDF 4 files: everything a Dataset holds, for programs that read NetCDF or HDF5."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from mfxarray.errors import DataError
from mfxarray.stores.plain import is_text, text_list
from mfxarray.stores.single_file import staged_file

__all__ = ["write_netcdf"]

_ENGINES = ("h5netcdf", "netcdf4")
# of the CF conventions, which every reader applies
_RESERVED = {
    "_FillValue",
    "missing_value",
    "scale_factor",
    "add_offset",
    "coordinates",
    "dtype",
    "grid_mapping",
    "bounds",
}
# what the library of NetCDF allows in names
_NAME = re.compile(r"\w[^\x00-\x1f/\x7f]*")
_JSON = "json_attributes"


def write_netcdf(
    data: xr.DataArray | xr.Dataset,
    path: str | os.PathLike[str],
    *,
    compress: bool = False,
    overwrite: bool = False,
) -> None:
    """Write a Dataset or DataArray as a NetCDF 4 file, complete or not at all.

    Parameters
    ----------
    data
        What to write.
    path
        The new file.
    compress
        Deflate the numbers, in the chunks of the data.
    overwrite
        Replace a file that is there, once the new one is complete.

    Raises
    ------
    DataError
        If the file exists and ``overwrite`` is off, the folder is missing, or neither h5netcdf nor
        netCDF4 is installed.
    ValueError
        If a name or a dtype has no place in NetCDF.

    Notes
    -----
    ``xarray.open_dataset`` gives back the same variables and coordinates. Attributes that NetCDF
    cannot hold (None, bools, dictionaries, nested or mixed lists) become JSON text; their names are
    in the attribute ``json_attributes``. Lazy arrays are written block by block; HDF5 lets one
    thread write at a time.
    """
    engine = _engine(path)
    plain = _plain(data)
    with staged_file(path, overwrite=overwrite) as temporary:
        encoding = {name: _encoding(v, compress) for name, v in plain.variables.items()}
        plain.to_netcdf(temporary, mode="w", format="NETCDF4", engine=engine, encoding=encoding)


def _engine(path: object) -> Any:
    modules = {"h5netcdf": "h5netcdf", "netcdf4": "netCDF4"}
    for name in _ENGINES:
        if importlib.util.find_spec(modules[name]) is not None:
            return name
    raise DataError(
        "is to be a NetCDF file, for which h5netcdf is needed",
        path=path,
        hint='Install it: pip install "mfxarray[netcdf]"',
    )


def _plain(data: xr.DataArray | xr.Dataset) -> xr.Dataset:
    """Return a Dataset without encodings, with attributes and text as NetCDF has them."""
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=data.name if data.name is not None else "data")
    _check_names((*data.variables, *data.dims), "variable")
    found = {name: _plain_variable(name, v) for name, v in data.variables.items()}
    coords = {name: found.pop(name) for name in data.coords}
    bare = xr.Coordinates(coords, indexes={})
    return xr.Dataset(found, bare, _plain_attrs(data.attrs, "Dataset"))


def _plain_variable(name: Hashable, variable: xr.Variable) -> xr.Variable:
    attrs = _plain_attrs(variable.attrs, str(name))
    if not _RESERVED.isdisjoint(attrs):
        clash = sorted(_RESERVED.intersection(attrs))
        raise ValueError(f"{name}.attrs holds {clash}, which NetCDF readers interpret; rename them")
    values = variable.data
    if is_text(variable.dtype):
        texts = text_list(np.asarray(values), str(name))
        values = np.array(_checked(texts, str(name)), object).reshape(variable.shape)
    elif variable.dtype.kind not in "biuf" or variable.dtype == np.float16:
        raise ValueError(f"{name} has dtype {variable.dtype}, which NetCDF has not; convert it")
    return xr.Variable(variable.dims, values, attrs)


def _encoding(variable: xr.Variable, compress: bool) -> dict[str, Any]:
    if is_text(variable.dtype):
        return {}
    found: dict[str, Any] = {}
    if variable.dtype.kind == "f":
        # else xarray calls NaN a missing value
        found["_FillValue"] = None
    if compress and variable.ndim and variable.size:
        sizes = variable.chunks or tuple((n,) for n in variable.shape)
        chunks = tuple(max(1, max(blocks)) for blocks in sizes)
        found |= {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": chunks}
    return found


def _plain_attrs(attrs: Mapping[Any, Any], where: str) -> dict[str, Any]:
    _check_names(attrs, f"{where}: attribute")
    found: dict[str, Any] = {}
    texts = []
    for name, value in attrs.items():
        place = f"{where}.attrs[{name!r}]"
        plain = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        if not _is_held(plain):
            plain = _json(plain, place)
            texts.append(name)
        found[name] = _checked(plain, place)
    return found | ({_JSON: " ".join(texts)} if texts else {})


def _is_held(value: Any) -> bool:
    """Tell whether NetCDF holds an attribute: text or numbers, or a list of one kind of these."""
    entries = value if isinstance(value, list | tuple) else [value]
    kinds = {type(entry) for entry in entries}
    if kinds == {int}:
        return all(-(2**63) <= entry < 2**63 for entry in entries)
    return kinds in ({str}, {float})


def _json(value: Any, where: str) -> str:
    try:
        return json.dumps(value, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{where} has no place in NetCDF: {error}; drop it") from error


def _checked(value: Any, where: str) -> Any:
    """Return text that HDF5 can hold, or refuse it."""
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str) and ("\0" in text or not _is_unicode(text)):
            raise ValueError(f"{where} holds {text!r}, which NetCDF cannot; replace it")
    return list(value) if isinstance(value, tuple) else value


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_names(names: Iterable[Hashable], what: str) -> None:
    for name in names:
        known = isinstance(name, str) and _NAME.fullmatch(name) and not name.endswith(" ")
        if not known or not _is_unicode(str(name)):
            raise ValueError(f"{what} name {name!r} is no name in NetCDF; rename it")
