"""Localizations of flat records, bit for bit as plain Python puts them together."""

from __future__ import annotations

import hashlib
import json
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import flat_record_dtype
from mfxarray.formats.npy.header import read_header
from mfxarray.formats.sources import FileSource, RecordSource
from mfxarray.formats.tables import leaf_dtype
from mfxarray.records.regroup import Regrouped
from mfxarray.records.regroup_index import build_index
from tests.records.flat_records import (
    MemoryTable,
    nested_by_hand,
    random_records,
    records_of,
    reference_groups,
)
from tests.records.test_regroup_index import KINDS, in_blocks


def regrouped(rows, *, view="valid", step=3, **settings) -> Regrouped:
    table = MemoryTable(rows, **settings)
    return Regrouped(table, build_index(table, view=view, step=step))


def leaves(dtype):
    for name in dtype["itr"].base.names:
        yield ("itr", name)
    for name in dtype.names[1:]:
        yield (name,)


def field(values, path):
    for name in path:
        values = values[name]
    return values


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 50),
    st.sampled_from(KINDS),
    st.sampled_from(["valid", "all"]),
    st.integers(1, 51),
    st.integers(1, 6),
    st.booleans(),
    st.data(),
)
def test_localizations_are_bit_equal_for_every_cut(seed, n, kind, view, size, step, columnar, data):
    rows = random_records(seed, n, kind)
    expected = nested_by_hand(rows, reference_groups(rows, view))
    table = regrouped(rows, view=view, step=step, columnar=columnar, grain=1 + seed % 4)
    assert table.dtype == expected.dtype
    assert table.n_rows == len(expected)
    with in_blocks(size, rows.dtype):
        whole = table.read(0, table.n_rows)
        assert whole.tobytes() == expected.tobytes()
        start = data.draw(st.integers(0, table.n_rows))
        stop = data.draw(st.integers(start, table.n_rows))
        assert table.read(start, stop).tobytes() == expected[start:stop].tobytes()
        for path in leaves(table.dtype):
            column = table.column(path, start, stop)
            assert column.dtype == leaf_dtype(table.dtype, path)[0]
            assert column.shape == field(expected, path)[start:stop].shape
            assert column.tobytes() == field(expected, path)[start:stop].tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_range_of_localizations(kind):
    rows = random_records(8, 40, kind)
    rows["vld"] |= np.arange(40) % 3 > 0
    expected = nested_by_hand(rows, reference_groups(rows, "valid"))
    table = regrouped(rows)
    assert table.n_rows > 10
    for start in range(table.n_rows + 1):
        for stop in range(start, table.n_rows + 1):
            assert table.read(start, stop).tobytes() == expected[start:stop].tobytes()


def test_tracking_repeats_a_single_iteration():
    # 32 traces; the first localization runs through, later ones repeat iteration 3
    itr = np.tile([0, 1, 2, *[3] * 88], 32)
    rows = records_of(tid=np.repeat(np.arange(32), 91), itr=itr)
    table = regrouped(rows, step=50)
    assert table.n_rows == 32 * 88
    loc = table.column(("itr", "loc"), 0, table.n_rows)
    assert np.isfinite(loc[:, 3]).all()
    assert np.isfinite(loc[:, 0, 0]).sum() == 32


def test_not_executed_iterations_are_blank():
    rows = records_of(tid=[1, 1], itr=[1, 3])
    found = regrouped(rows).read(0, 1)
    assert found["itr"]["itr"].tolist() == [[0, 1, 2, 3]]
    assert np.isnan(found["itr"]["tim"][0, [0, 2]]).all()
    assert np.isnan(found["itr"]["loc"][0, [0, 2]]).all()
    assert found["itr"]["eco"].tolist() == [[0, 3, 0, 4]]
    assert found["tim"].tolist() == [0.5]


def test_narrow_types_are_widened():
    rows = records_of(tid=[2**32 - 1] * 2, itr=[0, 1], eco=[2**32 - 1, 1])
    rows["dcr"] = 65504
    table = regrouped(rows)
    found = table.read(0, 1)
    assert found["tid"].tolist() == [2**32 - 1]
    assert found["itr"]["eco"].sum() == 2**32
    assert found["itr"]["dcr"].sum() == 2 * 65504
    assert found["itr"].dtype["cfr"] == np.float32
    assert found["gri"].dtype == np.uint32
    for name in ("eco", "ecc"):
        assert found["itr"][name].dtype == np.int64


@pytest.mark.parametrize("n_detectors", [1, 2, 4])
def test_detectors(n_detectors):
    rows = records_of(flat_record_dtype(n_detectors), tid=[1, 1], itr=[0, 1], dcr=0.0)
    rows["dcr"] = np.arange(2 * n_detectors).reshape(2, -1)
    table = regrouped(rows)
    found = table.read(0, 1)["itr"]
    assert found["dcr"].tolist() == [[0.0, n_detectors]]
    assert ("dcr_per_detector" in found.dtype.names) == (n_detectors > 1)
    if n_detectors > 1:
        assert found["dcr_per_detector"].shape == (1, 2, n_detectors)
        np.testing.assert_array_equal(found["dcr_per_detector"][0], rows["dcr"])


def test_a_plain_dcr_and_a_taken_name():
    dtype = [("tid", "<u4"), ("itr", "<i4"), ("dcr", "<f2"), ("dcr_per_detector", "<f4")]
    names = regrouped(records_of(np.dtype(dtype), tid=[1], itr=[0], dcr=0.5)).dtype["itr"].base
    assert names.names == ("itr", "dcr", "dcr_per_detector")
    dtype[2] = ("dcr", "<f2", (2,))
    names = regrouped(records_of(np.dtype(dtype), tid=[1], itr=[0])).dtype["itr"].base
    assert names.names == ("itr", "dcr", "dcr_per_detector_", "dcr_per_detector")


def test_unknown_fields_are_carried_along():
    dtype = np.dtype(
        [
            ("new", ">f4"),
            ("tid", "<u4"),
            ("text", "S3"),
            ("itr", "<i4"),
            ("pair", [("a", "<f2"), ("b", ">i2")], (2,)),
            ("on", "?"),
        ]
    )
    rows = np.zeros(3, dtype)
    rows["tid"], rows["itr"], rows["on"] = [1, 1, 2], [0, 2, 2], True
    rows["new"], rows["text"] = [1.5, 2.5, 3.5], [b"a", b"bc", b"def"]
    rows["pair"]["a"], rows["pair"]["b"] = [[1, 2], [3, 4], [5, 6]], 7
    table = regrouped(rows)
    inner = table.dtype["itr"].base
    assert inner.names == ("new", "text", "itr", "pair", "on")
    assert inner["new"] == np.dtype("=f4")
    assert inner["pair"].base == np.dtype([("a", "=f4"), ("b", "=i2")])
    found = table.read(0, 2)
    np.testing.assert_array_equal(found["itr"]["new"], [[1.5, np.nan, 2.5], [np.nan, np.nan, 3.5]])
    assert found["itr"]["text"].tolist() == [[b"a", b"", b"bc"], [b"", b"", b"def"]]
    assert found["itr"]["on"].tolist() == [[True, False, True], [False, False, True]]
    assert np.isnan(found["itr"]["pair"]["a"][0, 1]).all()
    assert found["itr"]["pair"]["b"][0].tolist() == [[7, 7], [0, 0], [7, 7]]
    # a part of a compound is a column too
    np.testing.assert_array_equal(
        table.column(("itr", "pair", "a"), 0, 2), found["itr"]["pair"]["a"]
    )
    assert table.column(("itr",), 0, 2).tobytes() == found["itr"].tobytes()
    # no vld in the records: all are valid; nothing else is made up
    assert table.dtype.names == ("itr", "tid", "vld")
    assert found["vld"].tolist() == [True, True]


def test_big_endian_records_become_native():
    rows = random_records(11, 30, "contiguous")
    expected = regrouped(rows, columnar=True)
    swapped = regrouped(rows.astype(rows.dtype.newbyteorder(">")), columnar=True)
    assert swapped.dtype == expected.dtype
    assert swapped.read(0, swapped.n_rows).tobytes() == expected.read(0, expected.n_rows).tobytes()


def test_flags_of_a_localization():
    rows = records_of(
        tid=[1, 1, 1, 1],
        itr=[0, 1, 0, 1],
        vld=[1, 1, 1, 0],
        fnl=[0, 1, 0, 1],
        bot=[1, 0, 0, 0],
        eot=[0, 0, 0, 1],
    )
    every = regrouped(rows, view="all").read(0, 2)
    assert every["vld"].tolist() == [True, False]
    assert every["fnl"].tolist() == [True, True]
    assert every["bot"].tolist() == [True, False]
    assert every["eot"].tolist() == [False, True]
    valid = regrouped(rows).read(0, 2)
    assert valid["fnl"].tolist() == [True, False]
    assert valid["eot"].tolist() == [False, False]


@pytest.mark.parametrize("view", ["valid", "all"])
@pytest.mark.parametrize("n", [0, 1])
def test_smallest_tables(view, n):
    rows = random_records(1, n, "contiguous")
    rows["vld"] = False
    table = regrouped(rows, view=view)
    assert table.n_rows == (n if view == "all" else 0)
    assert table.read(0, table.n_rows).shape == (table.n_rows,)
    assert table.read(0, 0).dtype == table.dtype


def test_a_column_reads_its_own_bytes_only():
    table = regrouped(random_records(4, 50, "contiguous"), columnar=True)
    keys = {"vld", "tid", "thi", "sqi", "itr", "fnl"}
    table.base.reads.clear()
    table.column(("itr", "loc"), 0, table.n_rows)
    assert {name for name, *_ in table.base.reads} == keys | {"loc"}
    table.base.reads.clear()
    table.column(("itr", "itr"), 0, table.n_rows)
    table.trace_bound(5)
    assert table.base.reads == []
    assert table.columnar
    assert table.grain == 1


def test_a_range_reads_near_its_records_only():
    n = 30_000
    rows = records_of(tid=np.arange(n) // 10, itr=np.arange(n) % 2)
    table = regrouped(rows, step=100)
    table.base.reads.clear()
    table.read(10_000, 10_010)
    assert sum(stop - start for _, start, stop in table.base.reads) <= 2 * 105 * 2
    with in_blocks(1000, rows.dtype):
        table.base.reads.clear()
        table.read(0, table.n_rows)
        assert max(stop - start for _, start, stop in table.base.reads) <= 1000
        assert sum(stop - start for _, start, stop in table.base.reads) == n


def test_the_end_of_a_thread_is_not_searched_in_the_rest_of_the_file():
    rows = records_of(tid=np.arange(2000), thi=np.repeat([0, 1], [10, 1990]), itr=0)
    table = regrouped(rows, step=2000)
    table.base.reads.clear()
    table.read(9, 10)
    assert table.base.reads == [("*", 0, 10)]


def test_far_rows_of_interleaved_traces_are_read_apart():
    rows = records_of(tid=np.arange(5000) % 2, itr=0)
    rows["vld"] = False
    rows["vld"][[0, 1, 2, 4990, 4991, 4993]] = True
    table = regrouped(rows, step=1)
    expected = nested_by_hand(rows, reference_groups(rows, "valid"))
    table.base.reads.clear()
    assert table.read(0, 6).tobytes() == expected.tobytes()
    assert table.index.order is not None
    assert sum(stop - start for _, start, stop in table.base.reads) < 50


def test_unknown_columns_are_refused():
    table = regrouped(random_records(4, 20, "contiguous"))
    for path in (("nothing",), ("itr", "tid"), ("loc",), ("tid", "itr")):
        with pytest.raises((ValueError, KeyError)):
            table.column(path, 0, 1)


def test_it_travels():
    table = regrouped(random_records(4, 50, "contiguous"))
    other = pickle.loads(pickle.dumps(table))
    assert other.identity() == table.identity()
    assert other.read(0, other.n_rows).tobytes() == table.read(0, table.n_rows).tobytes()
    assert "array" not in repr(table.index)


def test_identity_tells_views_and_sources_apart():
    rows = random_records(4, 50, "contiguous")
    one = regrouped(rows)
    assert one.identity() == regrouped(rows).identity()
    assert one.identity() != regrouped(rows, view="all").identity()
    assert one.identity() != regrouped(rows, name="other").identity()


def test_an_index_of_other_records_is_found_out():
    rows = random_records(4, 50, "contiguous")
    rows["vld"], rows["itr"] = True, 1
    index = build_index(MemoryTable(rows))
    rows["itr"][20] = 77
    table = Regrouped(MemoryTable(rows), index)
    with pytest.raises(DataError, match="index"):
        table.read(0, table.n_rows)
    rows["itr"][20] = -1
    with pytest.raises(DataError, match="index"):
        table.column(("itr", "loc"), 0, table.n_rows)


def open_table(path) -> RecordSource:
    source = FileSource.open(path)
    header = read_header(source)
    return RecordSource(source, header.offset, header.dtype, header.n_rows)


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_v2", "3d_v2", "2d_small_v2", "3d_small_v2"])
def test_real_files_reproduce_their_facts(data_dir, name):
    folder = data_dir / "minflux"
    facts = json.loads((folder / "facts.json").read_text())[f"derived/{name}.npy"]
    base = open_table(folder / "derived" / f"{name}.npy")
    table = Regrouped(base, build_index(base))
    found = table.read(0, table.n_rows)
    executed = np.isfinite(found["itr"]["tim"])
    assert executed.sum(axis=0).tolist() == facts["rows_per_iteration"]
    assert found["itr"]["eco"].sum(axis=0).tolist() == facts["eco_sum_per_iteration"]
    assert len(np.unique(found["tid"])) == facts["n_traces"]
    assert found["bot"].sum() == facts["n_bot"]
    loc = np.ascontiguousarray(found["itr"]["loc"][:, -1])
    assert hashlib.sha256(loc.tobytes()).hexdigest() == facts["sha256_loc_last_valid"]


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("flat", "nested"),
    [
        ("derived/2d_v2.npy", "2D_ValidOnly.npy"),
        ("derived/3d_v2.npy", "3D_ValidOnly.npy"),
        ("derived/2d_small_v2.npy", "derived/2d_small_v1.npy"),
        ("derived/3d_small_v2.npy", "derived/3d_small_v1.npy"),
    ],
)
def test_real_files_equal_the_nested_export_of_the_same_data(data_dir, flat, nested):
    base = open_table(data_dir / "minflux" / flat)
    table = Regrouped(base, build_index(base))
    found = table.read(0, table.n_rows)
    old = open_table(data_dir / "minflux" / nested)
    expected = old.read(0, old.n_rows)
    for name in ("tid", "vld", "gri", "sqi"):
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    # the flat files were made from the ticks
    np.testing.assert_array_equal(found["tim"], expected["itr"]["tic"][:, -1] * 25e-9)
    np.testing.assert_allclose(found["tim"], expected["tim"], rtol=0, atol=2e-12)
    new, given = found["itr"], expected["itr"]
    executed = np.isfinite(given["loc"]).all(axis=2)
    np.testing.assert_array_equal(np.isfinite(new["tim"]), executed)
    for name in ("itr", "loc", "lnc", "eco"):
        np.testing.assert_array_equal(new[name], given[name], err_msg=name)
    # stored as f4 and f2 in the flat file; only iterations that ran are there
    for name, narrow in (("efo", "f4"), ("fbg", "f4"), ("cfr", "f2"), ("dcr", "f2")):
        stored = given[name][executed].astype(narrow)
        np.testing.assert_array_equal(new[name][executed], stored.astype("f4"), err_msg=name)
    assert np.isnan(new["cfr"][~executed]).all()


@pytest.mark.realdata
def test_real_files_are_the_same_in_pieces(data_dir):
    base = open_table(data_dir / "minflux/derived/2d_v2.npy")
    table = Regrouped(base, build_index(base))
    whole = table.read(0, table.n_rows)
    cuts = [0, 1, 1023, 1024, 5000, 5001, table.n_rows]
    parts = [table.read(start, stop) for start, stop in pairwise(cuts)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    starts = {table.trace_bound(at) for at in range(0, table.n_rows, 997)}
    tid = table.column(("tid",), 0, table.n_rows)
    inner = [at for at in starts if 0 < at < table.n_rows]
    assert len(inner) > 5
    assert all(tid[at] != tid[at - 1] for at in inner if at < table.index.localization[-1])
