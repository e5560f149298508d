"""MAT files of version 5 that we write are what scipy loads and would have saved."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from mfxarray.errors import DataError
from mfxarray.writers.mat5 import write_mat5
from mfxarray.writers.outgoing import Outgoing
from tests.formats.mat.mat_samples import assert_same, flat, nested_variables, outgoing, rows_of
from tests.formats.nested_records import records


def equal(found: Any, expected: Any) -> None:
    """Compare what scipy loaded from two files, structs included."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    if expected.dtype.names is None:
        np.testing.assert_array_equal(found, expected)
        return
    for name in expected.dtype.names:
        equal(found[name][0, 0], expected[name][0, 0])


def variables_of(rows: np.ndarray) -> dict[str, Any]:
    """Return what savemat needs; it can neither write float16 nor leave out an iteration axis."""
    if rows.dtype["itr"].names or rows.dtype["itr"].base.names:
        content = nested_variables(rows)
        if rows.dtype["itr"].shape == (1,):
            content["itr"] = {name: values[:, 0] for name, values in content["itr"].items()}
        return content
    return {
        name: rows[name].astype("f8") if rows[name].dtype == np.float16 else rows[name]
        for name in rows.dtype.names
    }


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("wrap", [None, "data"])
@pytest.mark.parametrize(
    "rows", [records(40, 5), records(40, 1), records(1, 3), flat()], ids=["k5", "k1", "n1", "flat"]
)
def test_loads_as_what_savemat_saves(
    tmp_path: Path, rows: np.ndarray, compress: bool, wrap: str | None
) -> None:
    write_mat5(tmp_path / "a.mat", outgoing(rows), compress=compress, wrap=wrap)
    content = variables_of(rows)
    scipy.io.savemat(tmp_path / "b.mat", {wrap: content} if wrap else content)
    found, expected = scipy.io.loadmat(tmp_path / "a.mat"), scipy.io.loadmat(tmp_path / "b.mat")
    names = {name for name in expected if not name.startswith("_")}
    assert {name for name in found if not name.startswith("_")} == names
    for name in names:
        equal(found[name], expected[name])
    kinds = {name: kind for name, _, kind in scipy.io.whosmat(tmp_path / "a.mat")}
    assert kinds == {name: kind for name, _, kind in scipy.io.whosmat(tmp_path / "b.mat")}
    assert_same(rows_of(tmp_path / "a.mat"), rows)


def test_unknown_fields_and_empty(tmp_path: Path) -> None:
    rows = flat()
    more = np.zeros(60, [*((n, rows.dtype[n]) for n in rows.dtype.names), ("extra", "i2", (4,))])
    for name in rows.dtype.names:
        more[name] = rows[name]
    more["extra"] = np.arange(240).reshape(60, 4)
    write_mat5(tmp_path / "a.mat", outgoing(more))
    assert_same(rows_of(tmp_path / "a.mat"), more)
    write_mat5(tmp_path / "b.mat", outgoing(records(0)))
    assert len(rows_of(tmp_path / "b.mat")) == 0
    assert scipy.io.loadmat(tmp_path / "b.mat")["itr"]["loc"][0, 0].shape == (0, 5, 3)


def test_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    rows = records()
    write_mat5(path, outgoing(rows))
    before = path.read_bytes()
    with pytest.raises(DataError, match="exists already"):
        write_mat5(path, outgoing(rows))
    for dtype, match in (
        ([("tid", "i4"), ("itr", "i4"), ("a b", "f8")], "'a b' is no name"),
        ([("tid", "i4"), ("itr", "i4"), ("text", "U3")], "no MATLAB class"),
        ([("tid", "i4"), ("itr", "i4"), ("a", [("b", "f8")])], "compound"),
    ):
        with pytest.raises(ValueError, match=match):
            write_mat5(path, outgoing(np.zeros(3, dtype)), overwrite=True)
    for claimed in (39, 41):
        lying = Outgoing(rows.dtype, claimed, outgoing(rows).blocks)
        with pytest.raises(ValueError, match="rows"):
            write_mat5(path, lying, overwrite=True)
    with pytest.raises(ValueError, match=r"version 7\.3"):
        write_mat5(path, Outgoing(rows.dtype, 3_000_000, lambda: iter([])), overwrite=True)
    with pytest.raises(ValueError, match="is no name"):
        write_mat5(path, outgoing(rows), wrap="1x", overwrite=True)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mat"]


@pytest.mark.parametrize("compress", [False, True])
def test_memory_is_bounded(tmp_path: Path, compress: bool) -> None:
    block = records(1000)

    def blocks() -> Iterator[np.ndarray]:
        for _ in range(60):
            yield block

    tracemalloc.start()
    try:
        target = Outgoing(block.dtype, 60_000, blocks)
        write_mat5(tmp_path / "a.mat", target, compress=compress)
        assert tracemalloc.get_traced_memory()[1] < 24 * 2**20
    finally:
        tracemalloc.stop()
    if not compress:
        assert (tmp_path / "a.mat").stat().st_size > 60_000 * 1000


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    write_mat5(tmp_path / "a.mat", outgoing(flat(), 7))
    write_mat5(tmp_path / "b.mat", outgoing(flat(), 60))
    assert (tmp_path / "a.mat").read_bytes() == (tmp_path / "b.mat").read_bytes()
