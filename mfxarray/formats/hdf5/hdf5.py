"""HDF5 files opened without what makes HDF5 unsafe: links, foreign storage, odd filters, lies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from mfxarray.errors import DataError
from mfxarray.formats.hdf5.heaps import heap_texts
from mfxarray.formats.sources import FileSource

__all__ = ["check_dataset", "children", "guarded", "h5py_module", "member", "opened", "text_attr"]

# gzip, shuffle, fletcher32, lzf; each also by the number that HDF5 gives it
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_CHUNK_CAP = 128 * 2**20
_CHILDREN_CAP, _RANK_CAP, _DEPTH_CAP, _ATTR_CAP = 2000, 8, 4, 1000
_ATTR_BYTES_CAP = 2**20
_HINT = "The file is damaged, or not made by MATLAB, pyMINFLUX or mfxarray; it is not read."


def h5py_module(path: object) -> Any:
    """Return h5py.

    Raises
    ------
    DataError
        If it is not installed; the hint says how to install it.
    """
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            "is an HDF5 file, for which h5py is needed",
            path=path,
            hint='Install it: pip install "mfxarray[hdf5]"',
        ) from error
    return h5py


@contextmanager
def guarded(source: FileSource, place: str | None = None) -> Iterator[None]:
    """Turn every exception that h5py has for damaged files into a DataError."""
    try:
        yield
    except DataError:
        raise
    except (
        OSError,
        LookupError,
        RuntimeError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as error:
        text = f"cannot be read as HDF5: {error}"
        raise DataError(text, path=source.path, place=place, hint=_HINT) from error


@contextmanager
def opened(source: FileSource) -> Iterator[Any]:
    """Give an open ``h5py.File``; any error of h5py within the block becomes a DataError.

    Raises
    ------
    DataError
        If h5py is missing, the file changed since it was pinned, or is damaged.
    """
    module = h5py_module(source.path)
    source.read(0, 1)  # refuses a file that changed
    with guarded(source), module.File(source.path, "r") as file:
        yield file


def children(group: Any, source: FileSource) -> Iterator[tuple[str, Any]]:
    """Yield names and objects of a group; links that leave the group are refused.

    Raises
    ------
    DataError
        If a link is soft or external, or there are too many.
    """
    for number, name in enumerate(group):
        if number >= _CHILDREN_CAP:
            message = f"group {group.name} has more than {_CHILDREN_CAP} members"
            raise DataError(message, path=source.path, hint=_HINT)
        yield name, _follow(group, name, source)


def member(group: Any, name: str, source: FileSource) -> Any:
    """Return an object under a path such as "raw/npy", None where there is none.

    Raises
    ------
    DataError
        If a link on the way is soft or external.
    """
    here = group
    for part in name.split("/"):
        # `in` would follow the link
        if not hasattr(here, "keys") or here.get(part, getlink=True) is None:
            return None
        here = _follow(here, part, source)
    return here


def _follow(group: Any, name: str, source: FileSource) -> Any:
    module = h5py_module(source.path)
    link = group.get(name, getlink=True)
    if not isinstance(link, module.HardLink):
        kind = "external" if isinstance(link, module.ExternalLink) else "soft"
        message = f"{name!r} is a {kind} link, which is not followed"
        raise DataError(message, path=source.path, place=str(group.name), hint=_HINT)
    return group[name]


def check_dataset(dataset: Any, source: FileSource) -> None:
    """Raise DataError unless the values of a dataset are plain numbers, in this file, and there.

    Parameters
    ----------
    dataset
        An ``h5py.Dataset``.
    source
        The file.

    Notes
    -----
    Counts the stored chunks; reads no values. A chunk that was never written, which HDF5 would
    fill with zeros, is an error.
    """
    problem = _kind_problem(dataset) or _layout_problem(dataset, source)
    if problem:
        place = f"dataset {dataset.name}"
        raise DataError(f"a dataset {problem}", path=source.path, place=place, hint=_HINT)


def _kind_problem(dataset: Any) -> str | None:
    if dataset.external:
        return "keeps its values in another file"
    if dataset.is_virtual:
        return "is a view of other datasets"
    if dataset.shape is None or len(dataset.shape) > _RANK_CAP:
        return f"has the shape {dataset.shape}"
    if not _plain(dataset.dtype, 0):
        return f"holds values of the type {dataset.dtype}, only numbers are read"
    if dataset.id.get_type().get_size() != dataset.dtype.itemsize:
        return "holds numbers of an unusual size"
    return None


def _plain(dtype: np.dtype[Any], depth: int) -> bool:
    if dtype.names is not None:
        fields = (dtype[name].base for name in dtype.names)
        return depth < _DEPTH_CAP and all(_plain(field, depth + 1) for field in fields)
    return dtype.base.kind in "iufb" and dtype.base.itemsize <= 8


def _layout_problem(dataset: Any, source: FileSource) -> str | None:
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    if dataset.chunks is None:
        offset = dataset.id.get_offset()
        if claimed and dataset.id.get_storage_size() < claimed:
            return f"claims {claimed} bytes, {dataset.id.get_storage_size()} are stored"
        if claimed and (offset or 0) + claimed > source.size:
            return f"claims {claimed} bytes, the file has {source.size}"
        return None
    n_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if n_bytes > _CHUNK_CAP:
        return f"has chunks of {n_bytes} bytes, at most {_CHUNK_CAP} are read"
    pairs = zip(dataset.shape, dataset.chunks, strict=True)
    expected = math.prod(-(-size // chunk) for size, chunk in pairs)
    # from the claims alone first: counting is quick only for what is there
    if expected > source.size or expected != dataset.id.get_num_chunks():
        return f"needs {expected} chunks, {dataset.id.get_num_chunks()} are stored"
    plist = dataset.id.get_create_plist()
    codes = [int(plist.get_filter(i)[0]) for i in range(plist.get_nfilters())]
    odd = [str(code) for code in codes if code not in _FILTERS]
    if odd:
        known = ", ".join(_FILTERS.values())
        return f"is stored with the filter {', '.join(odd)}; known are {known}"
    return None


def text_attr(thing: Any, name: str, *, source: FileSource | None = None) -> str | list[str] | None:
    """Return an attribute of text as text, one of a list of texts as a list, else None.

    Parameters
    ----------
    thing
        A group, a dataset, or the file.
    name
        Name of the attribute.
    source
        The file, to read texts of any length too, see `hdf5_heaps.heap_texts` for the errors;
        without it, such an attribute is None.
    """
    if name not in thing.attrs:
        return None
    attribute = thing.attrs.get_id(name)
    kind, count = attribute.dtype, math.prod(attribute.shape or ())
    if count > _ATTR_CAP or count * kind.itemsize > _ATTR_BYTES_CAP:
        return None
    in_heap = kind.metadata is not None and kind.metadata.get("vlen") in (str, bytes)
    if in_heap and source is not None:
        header = h5py_module(source.path).h5o.get_info(thing.id).addr
        texts = heap_texts(source, header, name, count, thing.file.userblock_size)
        return [_text(text) for text in texts] if attribute.shape else _text(texts[0])
    if kind.kind != "S":
        return None
    value = thing.attrs[name]
    if isinstance(value, np.ndarray):
        return [_text(entry) for entry in value.ravel().tolist()]
    return _text(value)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
