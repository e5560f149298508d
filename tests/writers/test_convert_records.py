"""One model to the other: against a loop over single records, and against the derived files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.writers.casting import cast
from mfxarray.writers.convert_records import flat_dtype, flatten, flatten_blocks, same_trace
from mfxarray.writers.nest_records import group_starts, nest, nest_blocks, nested_dtype
from tests.writers.record_files import SENTINEL, flat, flat_by_hand, nested

BOTH = ("itr", "loc", "lnc", "cfr", "eco", "ecc", "sta")


def cuts_of(n: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, n), max_size=6).map(sorted)


def test_one_record_an_executed_iteration():
    rows = nested(repeat=2)
    found = flatten(rows)
    keys = ["tid", "itr", "fnl", "bot", "eot", "sta"]
    assert found[keys].tolist() == flat_by_hand(rows)
    assert found.dtype == flat_record_dtype()
    executed = ~np.isnan(rows["itr"]["loc"][..., 0])
    np.testing.assert_array_equal(found["loc"], rows["itr"]["loc"][executed])
    np.testing.assert_array_equal(found["tim"], rows["itr"]["tic"][executed] * 25e-9)
    ratio = rows["itr"]["dcr"][executed]
    np.testing.assert_array_equal(found["dcr"], np.stack([ratio, 1 - ratio], 1).astype("f2"))
    np.testing.assert_array_equal(found["gri"], found["tid"] + 1)
    assert not found["thi"].any()


@given(cuts_of(14))
@settings(max_examples=50, deadline=None)
def test_cuts_change_no_flat_record(cuts: list[int]):
    rows = nested(repeat=2)
    blocks = np.split(rows, cuts)
    assert b"".join(b.tobytes() for b in flatten_blocks(blocks)) == flatten(rows).tobytes()


@given(cuts_of(34))
@settings(max_examples=50, deadline=None)
def test_cuts_change_no_localization(cuts: list[int]):
    records = flatten(nested(repeat=2))
    assert len(records) == 34
    found = b"".join(rows.tobytes() for rows in nest_blocks(np.split(records, cuts), 5))
    assert found == nest(records, 5).tobytes()


def test_there_and_back():
    rows = nested(repeat=3)
    back = nest(flatten(rows), 5)
    assert back.dtype == rows.dtype
    for name in BOTH:
        np.testing.assert_array_equal(back["itr"][name], rows["itr"][name], err_msg=name)
    for name in ("efo", "efc"):
        np.testing.assert_array_equal(back["itr"][name], rows["itr"][name].astype("f4"))
    executed = ~np.isnan(rows["itr"]["loc"][..., 0])
    np.testing.assert_array_equal(back["itr"]["tic"][executed], rows["itr"]["tic"][executed])
    for name in ("tid", "gri", "sqi", "vld"):
        np.testing.assert_array_equal(back[name], rows[name], err_msg=name)
    valid = rows["vld"]
    np.testing.assert_array_equal(back["tim"][valid], rows["tim"][valid])
    # and the other way round: what both models have comes back bit for bit
    again = flatten(back)
    first = flatten(rows)
    for name in first.dtype.names:
        if name == "dcr":  # the complement is made from the rounded ratio
            np.testing.assert_array_equal(again[name][:, 0], first[name][:, 0])
            np.testing.assert_allclose(again[name], first[name], atol=1e-3)
        else:
            np.testing.assert_array_equal(again[name], first[name], err_msg=name)


def test_ticks_of_what_did_not_run():
    found = nest(flatten(nested()), 5)
    ticks = found["itr"]["tic"].astype(np.int64)
    assert (ticks > 0).all()
    assert (np.diff(ticks, axis=1) >= 0).all()
    np.testing.assert_allclose(ticks[:, -1] * 25e-9, found["tim"], atol=1e-12)
    assert (ticks[1, :3] == ticks[1, 3]).all()  # the head of a localization that was headstarted


def test_what_flat_records_do_not_have():
    found = nest(flatten(nested()), 5)
    for name in ("ext", "gvx", "gvy", "eox", "eoy", "dmz", "lcx", "lcy", "lcz"):
        assert not found["itr"][name].any(), name
    assert not found["act"].any()
    assert not found["dos"].any()
    np.testing.assert_array_equal(found["itr"]["cfr"][1, :3], SENTINEL)
    assert found["itr"]["eco"][1, :3].tolist() == [0, 0, 0]
    assert not found["vld"][2]


def test_negative_photons_become_none():
    rows = nested()
    rows["itr"]["ecc"][0] = [-5, 3, -1, 0, 7]
    assert flatten(rows)["ecc"][:5].tolist() == [0, 3, 0, 0, 7]


def test_stored_status_and_times_are_kept():
    rows = nested()
    rows["itr"]["sta"][0] = [0, 4, 0, 0, 6]
    rows["itr"]["tic"] = 0
    found = flatten(rows)
    assert found["sta"][:5].tolist() == [2, 4, 2, 2, 6]
    np.testing.assert_array_equal(found["tim"][:5], rows["tim"][0])


def test_aggregated_records_keep_their_number():
    rows = np.zeros(3, record_dtype(1))
    rows["itr"]["itr"], rows["tid"], rows["vld"], rows["tim"] = 4, [1, 1, 2], True, [1, 2, 3]
    found = flatten(rows)
    assert found["itr"].tolist() == [4, 4, 4]
    assert found["fnl"].all()
    assert found["bot"].tolist() == [True, False, True]
    assert found["tim"].tolist() == [1, 2, 3]


def test_unknown_fields_go_along():
    extended = [*record_dtype(5).descr, ("fluo", "u1")]
    extended[0] = ("itr", [*extended[0][1], ("abc", "<i2")], (5,))
    rows = np.zeros(7, extended)
    plain = nested()
    for name in plain.dtype.names[1:]:
        rows[name] = plain[name]
    for name in plain.dtype["itr"].base.names:
        rows["itr"][name] = plain["itr"][name]
    rows["itr"]["abc"] = np.arange(35).reshape(7, 5)
    rows["fluo"] = np.arange(7)
    found = flatten(rows)
    assert found.dtype.names[-2:] == ("abc", "fluo")
    assert found["abc"][:7].tolist() == [0, 1, 2, 3, 4, 8, 9]
    assert found["fluo"][:7].tolist() == [0] * 5 + [1] * 2
    back = nest(found, 5)
    assert back["fluo"].tolist() == list(range(7))
    assert back["itr"]["abc"][1].tolist() == [0, 0, 0, 8, 9]


def test_missing_fields_are_nan_and_never_valid_numbers():
    dtype = np.dtype([("itr", [("loc", "<f8", (3,))], (1,)), ("tim", "<f8"), ("tid", "<i4")])
    rows = np.zeros(2, dtype)
    found = flatten(rows)
    for name in ("lnc", "efo", "efc", "fbg", "dcr"):
        assert np.isnan(found[name]).all(), name
    assert (found["cfr"] == SENTINEL).all()
    assert found["vld"].all()


def test_tracking_repeats_one_iteration():
    records = np.zeros(6, flat_record_dtype())
    records["itr"], records["tid"], records["vld"] = [0, 1, 3, 3, 3, 3], 1, True
    assert group_starts(records).tolist() == [True, False, False, True, True, True]
    records["fnl"][1] = True
    assert group_starts(records)[2]
    records["tid"][2] = 2
    assert group_starts(records[2:3], records[1:2]).all()
    assert len(nest(records, 4)) == 5


def test_refused_numbers():
    records = flatten(nested())
    with pytest.raises(ValueError, match="0 to 4 are no part of a sequence of 3"):
        nest(records, 3)
    rows = nested()
    rows["sqi"] = 300
    with pytest.raises(ValueError, match="field sqi"):
        flatten(rows)
    with pytest.raises(ValueError, match="fractions or NaN"):
        cast(np.array([0.5]), np.dtype("i4"), "eco")
    with pytest.raises(ValueError, match="fractions or NaN"):
        cast(np.array([np.nan]), np.dtype("i4"), "eco")
    assert cast(np.array([np.nan, 2]), np.dtype("i4"), "eco", empty=True).tolist() == [0, 2]


@pytest.mark.parametrize("n", [0, 1])
def test_few_rows(n: int):
    rows = nested()[:n]
    found = flatten(rows)
    assert len(nest(found, 5)) == n
    assert list(flatten_blocks([])) == []
    assert list(nest_blocks([], 5)) == []
    assert nested_dtype(flat_dtype(rows.dtype), 5) == rows.dtype


def test_same_trace_looks_at_threads():
    records = flat(4)
    other = records.copy()
    other["thi"][2] += 1
    other["tid"][0] += 1
    assert same_trace(records, other).tolist() == [False, True, False, True]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_small", "3d_small"])
def test_derived_files_agree(data_dir: Path, name: str):
    folder = data_dir / "minflux" / "derived"
    rows = np.load(folder / f"{name}_v1.npy")
    expected = np.load(folder / f"{name}_v2.npy")
    found = flatten(rows)
    assert found.dtype == expected.dtype
    for field in expected.dtype.names:
        if field != "efc":
            np.testing.assert_array_equal(found[field], expected[field], err_msg=field)
    # the derivation of the samples wrote 0 where efc is NaN or infinite; it is kept here
    finite = np.isfinite(found["efc"])
    np.testing.assert_array_equal(found["efc"][finite], expected["efc"][finite])
    assert not expected["efc"][~finite].any()
    back = nest(expected, rows["itr"].shape[1])
    np.testing.assert_array_equal(back["itr"]["loc"], rows["itr"]["loc"])
    np.testing.assert_array_equal(back["itr"]["eco"], rows["itr"]["eco"])
    np.testing.assert_array_equal(back["itr"]["tic"][:, -1], rows["itr"]["tic"][:, -1])
    np.testing.assert_array_equal(back["itr"]["sta"], rows["itr"]["sta"])
    assert back["vld"].all()
