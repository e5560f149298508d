"""Fields of records: names, dimensions, and what a record must have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.localizations import extract
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from tests.formats.nested_records import open_file, records, save

GOOD = [("itr", [("loc", "<f8", (3,))], (2,)), ("tid", "<i4"), ("tim", "<f8")]


def test_names_and_dims(tmp_path: Path) -> None:
    opened = open_file(save(tmp_path / "a.npy", records(5, 4)))
    fields = {field.variable.name: field for field in opened.fields}
    assert fields["position"].dims == ("localization", "iteration", "axis")
    assert fields["position"].shape_tail == (4, 3)
    assert fields["position"].path == ("itr", "loc")
    assert fields["eco"].dims == ("localization", "iteration")
    assert fields["tim"].dims == ("localization",)
    assert fields["tim"].shape_tail == ()


def test_extra_fields_are_carried(tmp_path: Path) -> None:
    inner = [
        ("loc", "<f4", (3,)),
        ("dcr", "<f2", (2,)),
        ("odd", [("a", "<i2"), ("b", "<f8", (2, 2))]),
    ]
    dtype = np.dtype(
        [
            ("fluo", "u1"),
            ("itr", inner, (3,)),
            ("tid", "<i8"),
            ("tim", "<f4"),
            ("more", [("p", "<i4")], (7,)),
            ("loc", "<i2"),
            ("axis", "<i2"),
            ("position", "S3"),
            ("strange/name", "<u2"),
        ]
    )
    rows = np.zeros(6, dtype)
    rows["more"]["p"] = np.arange(42).reshape(6, 7)
    opened = open_file(save(tmp_path / "a.npy", rows))
    fields = {field.path: field for field in opened.fields}
    names = [field.variable.name for field in opened.fields]
    assert len(set(names)) == len(names) == 12
    assert not set(names) & {"axis", "localization", "iteration", "loc"}
    assert fields[("itr", "loc")].variable.name == "position"
    assert fields[("itr", "dcr")].dims == ("localization", "iteration", "detector")
    assert fields[("itr", "odd", "b")].dims == (
        "localization",
        "iteration",
        "odd_b_0",
        "odd_b_1",
    )
    assert fields[("itr", "odd", "b")].shape_tail == (3, 2, 2)
    assert fields[("more", "p")].dims == ("localization", "more_0")
    assert fields[("strange/name",)].variable.name == "strange_name"
    assert all(np.dtype(field.dtype).isnative for field in opened.fields)
    more = extract(opened.records.read(2, 4), ("more", "p"), np.dtype("i8"))
    np.testing.assert_array_equal(more, np.arange(14, 28).reshape(2, 7))


def test_only_the_required_fields(tmp_path: Path) -> None:
    dtype = np.dtype([("itr", [("loc", "<f8", (3,))], (2,)), ("tid", "<i4"), ("tim", "<f8")])
    opened = open_file(save(tmp_path / "a.npy", np.zeros(3, dtype)))
    assert [field.variable.name for field in opened.fields] == ["position", "tid", "tim"]
    assert opened.cfr_iteration is None
    assert not opened.attrs["aggregated"]


def test_aligned_records_with_gaps(tmp_path: Path) -> None:
    inner = np.dtype([("sta", "i1"), ("loc", "<f8", (3,))], align=True)
    dtype = np.dtype([("itr", inner, (2,)), ("tid", "<i2"), ("tim", "<f8")], align=True)
    rows = np.zeros(4, dtype)
    rows["itr"]["loc"] = np.arange(24).reshape(4, 2, 3)
    opened = open_file(save(tmp_path / "a.npy", rows))
    assert opened.records.dtype.itemsize == dtype.itemsize
    found = extract(opened.records.read(0, 4), ("itr", "loc"), np.dtype("f8"))
    np.testing.assert_array_equal(found, np.arange(24).reshape(4, 2, 3))


def test_flat_record_dtype() -> None:
    assert [flat_record_dtype(n).itemsize for n in (1, 2)] == [99, 101]
    offsets = {name: flat_record_dtype().fields[name][1] for name in ("itr", "loc", "dcr")}
    assert offsets == {"itr": 23, "loc": 27, "dcr": 97}
    with pytest.raises(ValueError, match="at least 1"):
        flat_record_dtype(0)


def test_record_dtype() -> None:
    assert [record_dtype(k).itemsize for k in (1, 4, 5, 10)] == [230, 830, 1030, 2030]
    offsets = {name: record_dtype(5)["itr"].base.fields[name][1] for name in ("lnc", "cfr", "fbg")}
    assert offsets == {"lnc": 36, "cfr": 88, "fbg": 192}
    with pytest.raises(ValueError, match="at least 1"):
        record_dtype(0)


@pytest.mark.parametrize(
    ("descr", "match"),
    [
        (GOOD[1:], "no field itr"),
        (GOOD[:1] + GOOD[2:], "no field tid"),
        (GOOD[:2], "no field tim"),
        ([("itr", [("eco", "<i4")], (2,)), *GOOD[1:]], "no field loc"),
        ([("itr", [("loc", "<f8", (2,))], (2,)), *GOOD[1:]], "loc has the unexpected type"),
        ([("itr", [("loc", "<i8", (3,))], (2,)), *GOOD[1:]], "loc has the unexpected type"),
        ([*GOOD[:1], ("tid", "<f8"), ("tim", "<f8")], "tid has the unexpected type"),
        ([*GOOD[:1], ("tid", "<i4"), ("tim", "<f8", (2,))], "tim has the unexpected type"),
        ([("itr", [("loc", "<f8", (3,))]), *GOOD[1:]], "itr has the shape"),
        ([("itr", GOOD[0][1], (2, 2)), *GOOD[1:]], "itr has the shape"),
        ([("itr", "<i4"), ("fnl", "?"), *GOOD[1:]], "no field loc"),
        ([("itr", "<f4"), *GOOD[0][1], *GOOD[1:]], "itr has the unexpected type"),
    ],
)
def test_bad_layout(tmp_path: Path, descr: list[Any], match: str) -> None:
    with pytest.raises(DataError, match=match):
        open_file(save(tmp_path / "a.npy", np.zeros(3, np.dtype(descr))))
