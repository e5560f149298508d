"""HDF5 files, as .pmx and as .mat, with links, foreign bytes and lies in place of a valid part."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.fuzz.corpus import sample_file
from tests.fuzz.traps import Maker, secret_file, zlib_bomb

__all__ = ["HDF5"]

# what replaces the dataset: file, name, the dataset's shape and type, folder
Replace = Callable[[h5py.File, str, tuple[int, ...], Any, Path], None]


def _external(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    size = int(np.prod(shape)) * dtype.itemsize
    file.create_dataset(name, shape, dtype, external=[(str(secret_file(place)), 0, size)])


def _external_relative(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    secret_file(place)
    size = int(np.prod(shape)) * dtype.itemsize
    file.create_dataset(name, shape, dtype, external=[("secret", 0, size)])


def _other_file(place: Path, shape: Any, dtype: Any) -> str:
    with h5py.File(place / "other.h5", "w") as other:
        content = np.frombuffer(secret_file(place).read_bytes(), "u1")
        size = int(np.prod(shape)) * dtype.itemsize
        other["x"] = np.resize(content, size).view(dtype).reshape(shape)
    return str(place / "other.h5")


def _external_link(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    file[name] = h5py.ExternalLink(_other_file(place, shape, dtype), "/x")


def _view(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(_other_file(place, shape, dtype), "x", shape)
    file.create_virtual_dataset(name, layout)


def _soft_circle(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    file[name] = h5py.SoftLink("/circle")
    file["circle"] = h5py.SoftLink(f"/{name}")


def _hard_circle(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    group = file.create_group(name)
    group["again"] = group


def _huge(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    wide = tuple(26 * 10**12 if extent == max(shape) else extent for extent in shape)
    file.create_dataset(name, wide, dtype, chunks=tuple(min(extent, 1000) for extent in wide))


def _huge_contiguous(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    wide = tuple(26 * 10**10 if extent == max(shape) else extent for extent in shape)
    file.create_dataset(name, wide, dtype)


def _bomb(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    data = file.create_dataset(name, shape, dtype, chunks=shape, compression="gzip")
    data.id.write_direct_chunk((0,) * len(shape), zlib_bomb())


def _strings(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    file.create_dataset(name, data=[b"x" * 100] * 4, dtype=h5py.string_dtype())


def _references(file: h5py.File, name: str, shape: Any, dtype: Any, place: Path) -> None:
    file.create_dataset(name, data=[file["/"].ref] * 4, dtype=h5py.ref_dtype)


_REPLACED: dict[str, Replace] = {
    "external storage": _external,
    "external storage beside it": _external_relative,
    "an external link": _external_link,
    "a view of another file": _view,
    "soft links in a circle": _soft_circle,
    "a group in itself": _hard_circle,
    "a claim of 26 TB": _huge,
    "a claim of 26 TB in one": _huge_contiguous,
    "a chunk that is a bomb": _bomb,
    "strings": _strings,
    "references": _references,
}


def _replacing(sample: str, name: str, replace: Replace) -> Maker:
    def make(place: Path) -> tuple[Path, dict[str, str]]:
        file_name, content = sample_file(sample)
        path = place / file_name
        path.write_bytes(content)
        with h5py.File(path, "r+") as file:
            shape, dtype, attrs = file[name].shape, file[name].dtype, dict(file[name].attrs)
            del file[name]
            replace(file, name, shape, dtype, place)
            if isinstance(file.get(name, getlink=True), h5py.HardLink):
                file[name].attrs.update(attrs)
        return path, {}

    return make


def _long_text(place: Path) -> tuple[Path, dict[str, str]]:
    """Write a file with a text of 4 GB, far away, which HDF5 would make room for."""
    name, content = sample_file("pmx flat")
    reference = content.index(struct.pack("<Q", content.index(b"GCOL"))) - 4
    lie = struct.pack("<IQ", 2**32 - 16, 2**62)
    (place / name).write_bytes(content[:reference] + lie + content[reference + len(lie) :])
    return place / name, {}


_PLACES = {"pmx nested": "raw/npy", "pmx flat": "raw/df", "mat73 v2": "tid", "mat73 v1": "tid"}
HDF5: dict[str, Maker] = {
    f"{sample} with {what}": _replacing(sample, name, replace)
    for sample, name in _PLACES.items()
    for what, replace in _REPLACED.items()
}
HDF5["pmx flat with a text of 4 GB"] = _long_text
