"""The shapes of MATLAB files in circulation: each gives the vendor's records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from mfxarray.formats.mat.mat import open_mat
from mfxarray.formats.tables import leaf_dtype
from tests.formats.mat.mat_samples import (
    assert_same,
    drain,
    flat,
    nested_variables,
    refuse,
    rows_of,
    save_nested,
)
from tests.formats.nested_records import records


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_small_v1", "3d_small_v1", "2d_small_v2", "3d_small_v2"])
def test_derived_files_equal_their_npy(data_dir: Path, tmp_path: Path, name: str) -> None:
    folder = data_dir / "minflux" / "derived"
    rows = np.load(folder / f"{name}.npy")
    assert_same(rows_of(folder / f"{name}.mat"), rows)
    content = scipy.io.loadmat(folder / f"{name}.mat")
    content = {key: value for key, value in content.items() if not key.startswith("_")}
    scipy.io.savemat(tmp_path / "c.mat", content, do_compression=True)
    (found,) = open_mat(tmp_path / "c.mat")
    assert_same(drain(found.rows), rows)


@pytest.mark.parametrize("orientation", ["row", "column"])
@pytest.mark.parametrize("compress", [False, True])
def test_flat(tmp_path: Path, orientation: str, compress: bool) -> None:
    rows = flat()
    # what MATLAB has: no float16, and as a rule double
    content = {name: rows[name].astype("f8") for name in ("tim", "loc", "lnc", "efo", "cfr", "dcr")}
    content |= {
        name: rows[name].astype("i4") for name in ("itr", "tid", "gri", "sta", "thi", "sqi")
    }
    content |= {name: rows[name] for name in ("vld", "fnl", "bot", "eot", "eco", "ecc")}
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, content, oned_as=orientation, do_compression=compress)
    (found,) = open_mat(path)
    assert found.attrs == {"container_version": "5", "layout": "v2 flat", "z_scaling": 1.0}
    expected = np.dtype([(n, rows.dtype[n]) for n in rows.dtype.names if n in content])
    wide = {"cfr": "f4", "dcr": "f4"}
    for name in expected.names:
        base, shape = leaf_dtype(found.rows.dtype, (name,))
        assert (base, shape) == (
            np.dtype(wide.get(name, expected[name].base)),
            expected[name].shape,
        )
    assert_same(rows_of(path), rows[list(expected.names)])


def test_flat_with_one_detector(tmp_path: Path) -> None:
    rows = flat()
    content = {name: rows[name] for name in ("tid", "tim", "itr", "loc")}
    content["dcr"] = rows["dcr"][:, :1].astype("f8")
    scipy.io.savemat(tmp_path / "a.mat", content)
    found = rows_of(tmp_path / "a.mat")
    assert found["dcr"].shape == (60, 1)
    np.testing.assert_array_equal(found["dcr"], rows["dcr"][:, :1].astype("f4"))


@pytest.mark.parametrize(("n", "k"), [(40, 5), (40, 1), (1, 5), (1, 1), (5, 5), (3, 1), (3, 3)])
def test_nested_of_any_size(tmp_path: Path, n: int, k: int) -> None:
    rows = save_nested(tmp_path / "a.mat", n, k)
    assert rows_of(tmp_path / "a.mat").dtype == rows.dtype
    assert_same(rows_of(tmp_path / "a.mat"), rows)


def test_aggregated_without_the_iteration_axis(tmp_path: Path) -> None:
    rows = records(40, 1)
    content = nested_variables(rows)
    content["itr"] = {name: values[:, 0] for name, values in content["itr"].items()}
    assert content["itr"]["loc"].shape == (40, 3)
    for orientation in ("row", "column"):
        scipy.io.savemat(tmp_path / "a.mat", content, oned_as=orientation)
        assert_same(rows_of(tmp_path / "a.mat"), rows)


def test_wrapped_in_structs(tmp_path: Path) -> None:
    rows, content = records(), nested_variables(records())
    for wrapped in ({"data": content}, {"a": {"b": content}, "note": "text"}):
        scipy.io.savemat(tmp_path / "a.mat", wrapped)
        assert open_mat(tmp_path / "a.mat")[0].label == "P1"
        assert_same(rows_of(tmp_path / "a.mat"), rows)
    other = nested_variables(records(20, 4, seed=1))
    scipy.io.savemat(tmp_path / "b.mat", {"one": content, "two": other})
    found = open_mat(tmp_path / "b.mat")
    assert [entry.label for entry in found] == ["one", "two"]
    assert_same(found[1].rows.read(0, 20), records(20, 4, seed=1))


def test_without_the_struct_itr(tmp_path: Path) -> None:
    rows = records()
    content = nested_variables(rows)
    inner = content.pop("itr")
    scipy.io.savemat(tmp_path / "a.mat", {**content, **inner})
    assert_same(rows_of(tmp_path / "a.mat"), rows)
    few = {name: inner[name] for name in ("loc", "efo", "cfr")}
    scipy.io.savemat(tmp_path / "a.mat", {"tid": content["tid"], "tim": content["tim"], **few})
    found = rows_of(tmp_path / "a.mat")
    assert found.dtype["itr"].base.names == ("loc", "efo", "cfr")
    np.testing.assert_array_equal(found["itr"]["loc"], rows["itr"]["loc"])


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("model", ["flat", "nested", "without itr"])
def test_a_cut_between_two_variables_is_said(tmp_path: Path, model: str, compress: bool) -> None:
    rows = flat() if model == "flat" else records()
    content = nested_variables(rows) if model != "flat" else {n: rows[n] for n in rows.dtype.names}
    for name in ("cfr", "dcr") if model == "flat" else ():  # MATLAB has no float16
        content[name] = content[name].astype("f4")
    if model != "flat":  # first, as in the records
        inner = content.pop("itr")
        content = {**({"itr": inner} if model == "nested" else inner), **content}
    whole, last = tmp_path / "whole.mat", list(content)[-1]
    scipy.io.savemat(whole, content, do_compression=compress)
    assert not open_mat(whole)[0].warnings
    del content[last]
    shorter = tmp_path / "shorter.mat"
    scipy.io.savemat(shorter, content, do_compression=compress)
    size = shorter.stat().st_size
    cut = shorter.read_bytes()[:116] + whole.read_bytes()[116:size]
    assert cut == shorter.read_bytes()
    (found,) = open_mat(shorter)
    assert found.warnings == (
        f"lacks {last}; a file that was cut between two variables looks the same",
    )
    scipy.io.savemat(whole, {"data": content}, do_compression=compress)
    assert not open_mat(whole)[0].warnings  # the end of a struct is known


@pytest.mark.parametrize("compress", [False, True])
def test_goettingen(tmp_path: Path, compress: bool) -> None:
    rng = np.random.default_rng(0)
    position, times = rng.normal(size=(30, 3)) * 1e3, np.arange(30) * 0.1
    content = {
        "meta": "a text",
        "t": times[:, None],
        "id": np.arange(30.0)[:, None] // 5,
        "pos": position,
        "rpos": position - 1,
        "dt": np.ones((30, 1)),
        "efo": np.full((30, 1), 5e4),
        "fbg": np.full((30, 1), 9e3),
        "efc": np.full((30, 1), 2e4),
    }
    scipy.io.savemat(tmp_path / "a.mat", {"minflux": content}, do_compression=compress)
    (found,) = open_mat(tmp_path / "a.mat")
    assert found.attrs["z_scaling"] == 0.7
    rows = rows_of(tmp_path / "a.mat")
    assert rows.dtype.names == ("itr", "tim", "tid", "vld", "rpos", "dt")
    assert rows.dtype["itr"].shape == (1,)
    np.testing.assert_allclose(rows["itr"]["loc"][:, 0], position * 1e-9, rtol=1e-15)
    np.testing.assert_array_equal(rows["tid"], np.arange(30) // 5)
    assert rows["vld"].all()
    np.testing.assert_array_equal(rows["rpos"], position - 1)
    assert rows["itr"]["efc"][0, 0] == 2e4


def test_two_components_say_so(tmp_path: Path) -> None:
    rows = records()
    content = {"tid": rows["tid"], "tim": rows["tim"], "loc": rows["itr"]["loc"][:, 4, :2]}
    for compress in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", content, do_compression=compress)
        (found,) = open_mat(tmp_path / "a.mat")
        assert "z is set to 0" in found.warnings[0]
        loc = rows_of(tmp_path / "a.mat")["itr"]["loc"]
        np.testing.assert_array_equal(loc[:, 0, :2], content["loc"])
        assert not loc[..., 2].any()
    table = open_mat(tmp_path / "a.mat")[0].rows
    scipy.io.savemat(tmp_path / "a.mat", content)
    table = open_mat(tmp_path / "a.mat")[0].rows
    assert not table.part(("itr", "loc"), (0, 2), 0, 40).any()


def test_unknown_variables_come_along(tmp_path: Path) -> None:
    rows = records()
    content = nested_variables(rows)
    content["itr"]["extra"] = np.arange(200.0).reshape(40, 5)
    content |= {"fluo": np.ones(40, "u1"), "wide": np.ones((40, 2)), "other": np.ones(7), "t": "x"}
    scipy.io.savemat(tmp_path / "a.mat", content)
    found = rows_of(tmp_path / "a.mat")
    assert found.dtype.names == (*rows.dtype.names, "fluo", "wide")
    assert found["fluo"].dtype == np.uint8
    np.testing.assert_array_equal(found["itr"]["extra"], content["itr"]["extra"])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"tid": np.arange(40) + 0.5}, r"tid holds 0.5.*row 0"),
        ({"tid": np.where(np.arange(40) == 7, 1e10, 1.0)}, r"tid holds 1e10|tid holds 10000000000"),
        ({"tid": np.where(np.arange(40) == 7, np.nan, 1.0)}, r"tid holds nan.*row 7"),
        ({"vld": np.full(40, 2, "u1")}, "vld holds 2"),
        ({"sqi": np.full(40, -1, "i4")}, "sqi holds -1"),
        ({"tim": np.ones(39)}, "tim has the size 1×39, expected 40"),
        ({"tid": np.ones((20, 20))}, "expected a vector"),
        ({"tim": "text"}, "tim is text"),
        ({"itr": {"loc": np.ones((40, 5, 3)), "eco": np.ones((40, 4))}}, "eco has the size"),
        ({"itr": {"loc": np.ones((41, 5, 3))}}, "does not fit"),
        ({"itr": {"eco": np.ones((40, 5))}}, "lacks the variables loc"),
    ],
)
def test_values_that_do_not_fit(tmp_path: Path, change: dict, match: str) -> None:
    content = nested_variables(records()) | change
    for compress in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", content, do_compression=compress)
        refuse(tmp_path / "a.mat", match)


def test_no_minflux_data(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"image": np.ones((3, 3))})
    refuse(tmp_path / "a.mat", "holds no MINFLUX data; its variables are: image")
