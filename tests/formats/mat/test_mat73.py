"""MAT files of version 7.3: h5py writes them as MATLAB would."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.mat.mat import open_mat
from tests.formats.mat.mat_samples import (
    assert_same,
    damage,
    flat,
    nested_variables,
    refuse,
    rows_of,
)
from tests.formats.nested_records import records

CLASSES = {"f8": "double", "f4": "single", "b1": "logical", "i4": "int32", "u4": "uint32"}
CLASSES |= {"u8": "uint64", "u1": "uint8"}


def put(where: Any, name: str, values: Any, **settings: Any) -> None:
    """Write one variable with its axes in reverse; vectors are 1×N."""
    if isinstance(values, dict):
        group = where.create_group(name)
        group.attrs["MATLAB_class"] = np.bytes_("struct")
        for field, inner in values.items():
            put(group, field, inner, **settings)
        return
    if isinstance(values, str):
        data = where.create_dataset(name, data=np.frombuffer(values.encode("utf-16le"), "u2"))
        data.attrs["MATLAB_class"] = np.bytes_("char")
        return
    values = values.astype("f8") if values.dtype == np.float16 else values
    matlab_class = CLASSES[values.dtype.str[1:]]
    values = values.astype("u1") if matlab_class == "logical" else values
    values = np.atleast_2d(values).T
    data = where.create_dataset(name, data=values, **settings)
    data.attrs["MATLAB_class"] = np.bytes_(matlab_class)


def save(path: Path, content: dict, **settings: Any) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, values in content.items():
            put(file, name, values, **settings)
        refs = file.create_group("#refs#")
        refs["a"] = np.arange(3)
    head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    with open(path, "r+b") as file:
        file.write(head)
    return path


def flat_variables(rows: np.ndarray) -> dict:
    return {name: rows[name] for name in rows.dtype.names}


SETTINGS = [{}, {"chunks": True}, {"chunks": True, "compression": "gzip", "shuffle": True}]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize(("n", "k"), [(300, 5), (40, 1), (1, 5), (1, 1), (5, 5)])
def test_nested(tmp_path: Path, settings: dict, n: int, k: int) -> None:
    rows = records(n, k)
    path = save(tmp_path / "a.mat", nested_variables(rows), **settings)
    (found,) = open_mat(path)
    assert (found.container, found.attrs["layout"]) == ("mat v7.3", "v1 nested")
    assert found.rows.dtype == rows.dtype
    assert_same(rows_of(path), rows)
    table = pickle.loads(pickle.dumps(found.rows))
    assert table.identity() == found.rows.identity()
    low, high = n // 3, n - n // 5
    assert_same(table.read(low, high), rows[low:high])
    np.testing.assert_array_equal(
        table.column(("itr", "ext"), low, high), rows["itr"]["ext"][low:high]
    )
    for index in np.ndindex(k, 3):
        part = table.part(("itr", "loc"), index, low, high)
        np.testing.assert_array_equal(part, rows["itr"]["loc"][(slice(low, high), *index)])


@pytest.mark.parametrize("settings", SETTINGS)
def test_flat_and_columns_as_vectors(tmp_path: Path, settings: dict) -> None:
    rows = flat()
    path = save(tmp_path / "a.mat", flat_variables(rows), **settings)
    assert open_mat(path)[0].attrs["layout"] == "v2 flat"
    assert_same(rows_of(path), rows)
    column = flat_variables(rows) | {"tid": rows["tid"][:, None], "tim": rows["tim"][:, None]}
    assert_same(rows_of(save(path, column, **settings)), rows)


def test_grain_is_a_chunk(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mat", flat_variables(flat(600)))
    assert open_mat(path)[0].rows.grain == 1
    with h5py.File(path, "a") as file:
        values = file["tim"][:]
        del file["tim"]
        data = file.create_dataset("tim", data=values, chunks=(200, 1), compression="gzip")
        data.attrs["MATLAB_class"] = np.bytes_("double")
    assert open_mat(path)[0].rows.grain == 200
    assert_same(rows_of(path), flat(600))


def test_wrapped_and_goettingen(tmp_path: Path) -> None:
    rows = records()
    path = save(tmp_path / "a.mat", {"data": nested_variables(rows), "note": "text"})
    assert_same(rows_of(path), rows)
    position = np.random.default_rng(0).normal(size=(30, 3)) * 1e3
    content = {"meta": "x", "t": np.arange(30.0), "id": np.zeros(30), "pos": position}
    path = save(tmp_path / "b.mat", {"minflux": content})
    assert open_mat(path)[0].attrs["z_scaling"] == 0.7
    np.testing.assert_allclose(rows_of(path)["itr"]["loc"][:, 0], position * 1e-9)


def test_cycles(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mat", nested_variables(records()))
    with h5py.File(path, "a") as file:
        file["itr/back"] = file["/"]
    refuse(path, "reached twice")
    path = save(tmp_path / "b.mat", nested_variables(records()))
    with h5py.File(path, "a") as file:
        file["itr/twice"] = file["itr/loc"]
    assert "twice" in rows_of(path).dtype["itr"].base.names


def test_links_and_foreign_storage(tmp_path: Path) -> None:
    (tmp_path / "canary").write_bytes(bytes(range(160)) * 3)
    rows = records()
    for number, change in enumerate(("soft", "external", "storage")):
        path = save(tmp_path / f"{number}.mat", nested_variables(rows))
        with h5py.File(path, "a") as file:
            del file["tid"]
            if change == "soft":
                file["tid"] = h5py.SoftLink("/sqi")
            elif change == "external":
                file["tid"] = h5py.ExternalLink(str(tmp_path / "0.mat"), "/sqi")
            else:
                place = [(str(tmp_path / "canary"), 0, 160)]
                file.create_dataset("tid", (40, 1), "i4", external=place)
        refuse(path, "link|another file")


def test_26_terabytes(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        for name, shape in (("tid", (2**40, 1)), ("tim", (2**40, 1)), ("loc", (3, 2**40))):
            chunks = (2**16, 1) if shape[1] == 1 else (1, 2**16)
            file.create_dataset(name, shape, "f8", chunks=chunks, compression="gzip")
    assert path.stat().st_size < 10_000
    refuse(path, "chunks")


def test_sum_of_claims(tmp_path: Path) -> None:
    # every chunk is there and deflates well, so that only the sum is not believable
    n = 4 * 2**20
    with h5py.File(tmp_path / "a.mat", "w") as file:
        for name, shape in (("tid", (n, 1)), ("tim", (n, 1)), ("loc", (3, n))):
            file.create_dataset(
                name, shape, "f8", chunks=(n, 1) if shape[1] == 1 else (1, n), compression="gzip"
            )
            file[name][...] = 0
    refuse(tmp_path / "a.mat", "not believable")


def test_logical_that_is_none(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mat", nested_variables(records()))
    with h5py.File(path, "a") as file:
        file["vld"][7] = 3
    refuse(path, r"vld holds 3.*row 7")


def test_damage(tmp_path: Path) -> None:
    rows = flat(30)
    keep = ("tid", "tim", "itr", "loc", "vld")
    content = {name: rows[name] for name in keep}
    whole = save(tmp_path / "a.mat", content, chunks=True, compression="gzip").read_bytes()
    assert damage(whole, tmp_path / "b.mat", rows_of, 200) > 40


def test_no_hdf5_inside(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match="cannot be read as HDF5"):
        open_mat(tmp_path / "a.mat")
