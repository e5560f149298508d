"""The index of localizations against the rule in plain Python."""

from __future__ import annotations

import json
import pickle
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError, PlanError
from mfxarray.formats.npy.fields import flat_record_dtype
from mfxarray.formats.npy.header import read_header
from mfxarray.formats.sources import FileSource, RecordSource
from mfxarray.records import record_keys, row_order
from mfxarray.records.record_keys import key_blocks, row_pieces
from mfxarray.records.regroup_index import build_index
from tests.records.flat_records import MemoryTable, random_records, records_of, reference_groups

KINDS = ("any", "contiguous", "falling", "threads", "unsorted threads")


def in_blocks(rows_each: int, dtype: np.dtype):
    return patch.object(record_keys, "BLOCK_BYTES", rows_each * dtype.itemsize)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 50),
    st.sampled_from(KINDS),
    st.sampled_from(["valid", "all"]),
    st.integers(1, 51),
    st.integers(1, 6),
    st.integers(1, 9),
)
def test_index_equals_the_rule(seed, n, kind, view, size, step, grain):
    rows = random_records(seed, n, kind)
    table = MemoryTable(rows, grain=grain, columnar=bool(seed % 2))
    groups = reference_groups(rows, view)
    with in_blocks(size, rows.dtype):
        index = build_index(table, view=view, step=step)
    assert index.n_rows == n
    assert index.n_localizations == len(groups)
    assert index.n_iterations == max(rows["itr"].tolist(), default=0) + 1
    last = index.n_iterations - 1
    ends = [group[-1] for group in groups]
    assert index.n_complete == sum(rows["itr"][row] == last and rows["vld"][row] for row in ends)
    # every mark is the first record of its localization
    for number, row, starts in zip(index.localization, index.row, index.trace_start, strict=True):
        found = row if index.order is None else index.order[row]
        assert groups[number][0] == found
        if starts and number:
            before, after = (rows[groups[at][0]] for at in (number - 1, number))
            assert (before["thi"], before["tid"]) != (after["thi"], after["tid"])
    assert index.localization.dtype == index.row.dtype == np.int64
    assert (np.diff(index.localization) > 0).all()
    if len(groups):
        assert index.localization[0] == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.integers(1, 61))
def test_index_is_the_same_for_every_block_size(seed, kind, size):
    table = MemoryTable(random_records(seed, 60, kind))
    whole = build_index(table, step=3)
    with in_blocks(size, table.dtype):
        parts = build_index(table, step=3)
    for name in whole.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


@pytest.mark.parametrize("tid", [[3, 3, 4, 7], [7, 7, 4, 3], [5, 6, 1, 2], [9, 1, 8, 2]])
def test_contiguous_traces_need_no_order(tid):
    rows = records_of(tid=np.repeat(tid, 5), itr=np.tile(np.arange(5), 4))
    index = build_index(MemoryTable(rows))
    assert index.order is None
    assert index.n_localizations == 4


def test_interleaved_traces_are_brought_in_order():
    rows = records_of(tid=[1, 2, 1, 2, 1], itr=[0, 0, 1, 1, 2])
    index = build_index(MemoryTable(rows))
    assert index.order.tolist() == [0, 2, 4, 1, 3]
    assert index.n_localizations == 2


def test_invalid_records_do_not_count_for_the_order():
    rows = records_of(tid=[1, 2, 1, 2, 3], itr=0, vld=[1, 1, 0, 0, 1])
    assert build_index(MemoryTable(rows)).order is None
    assert build_index(MemoryTable(rows), view="all").order is not None


def test_sorted_threads_need_no_order():
    rows = records_of(tid=[1, 1, 1, 2, 2, 9], thi=[0, 1, 0, 1, 0, 1], itr=[0, 0, 1, 1, 2, 3])
    index = build_index(MemoryTable(rows))
    assert index.order is None
    assert index.threads.tolist() == [0, 1]
    # tid 1 (itr 0, 1), tid 2 (itr 2) of thread 0; tids 1, 2, 9 of thread 1
    assert index.first.tolist() == [0, 2]
    assert index.ends.tolist() == [5, 6]
    assert index.n_localizations == 5


def test_largest_iteration_of_dropped_records_counts():
    rows = records_of(tid=[1, 1, 1], itr=[0, 1, 9], vld=[1, 1, 0])
    index = build_index(MemoryTable(rows))
    assert (index.n_iterations, index.n_localizations, index.n_complete) == (10, 1, 0)
    # in order of traces too
    rows = records_of(tid=[1, 2, 1, 2], itr=[0, 0, 0, 9], vld=[1, 1, 1, 0])
    assert build_index(MemoryTable(rows)).n_iterations == 10


@pytest.mark.parametrize("n", [0, 1])
def test_smallest_tables(n):
    rows = records_of(tid=np.zeros(n), itr=np.zeros(n)) if n else np.zeros(0, flat_record_dtype())
    index = build_index(MemoryTable(rows))
    assert (index.n_localizations, index.n_iterations, index.n_complete) == (n, 1, n)
    assert len(list(index.stretches(0, 5))) == n


def test_all_invalid():
    rows = records_of(tid=[1, 1, 2], itr=[0, 1, 2], vld=False)
    index = build_index(MemoryTable(rows))
    assert (index.n_localizations, index.n_iterations) == (0, 3)
    assert index.trace_bound(0) == index.trace_bound(7) == 0
    assert build_index(MemoryTable(rows), view="all").n_localizations == 2


def test_missing_fields_count_as_one_thread_all_valid():
    dtype = np.dtype([("itr", "<i4"), ("tid", "<u4"), ("loc", "<f8", (3,))])
    rows = records_of(dtype, tid=[1, 1, 1, 2], itr=[0, 1, 1, 2])
    for columnar in (False, True):
        index = build_index(MemoryTable(rows, columnar=columnar))
        assert index.n_localizations == 3
        assert index.threads.tolist() == [0]


def test_other_number_types_give_the_same_index():
    rows = random_records(3, 60, "threads")
    swaps = {"tid": ">i8", "itr": "<u2", "thi": "<i4", "sqi": ">u4", "vld": "u1", "fnl": "<i4"}
    dtype = [
        (name, swaps.get(name, base[0].str), base[0].shape)
        for name, base in rows.dtype.fields.items()
    ]
    other = np.zeros(len(rows), dtype)
    for name in rows.dtype.names:
        other[name] = rows[name]
    one, two = build_index(MemoryTable(rows), step=3), build_index(MemoryTable(other), step=3)
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_columnar_tables_are_asked_for_the_deciding_fields_only():
    table = MemoryTable(random_records(1, 40, "contiguous"), columnar=True)
    build_index(table)
    assert {read[0] for read in table.reads} == {"vld", "tid", "thi", "sqi", "itr", "fnl"}


def test_blocks_are_cut_where_the_table_is_stored_in_parts():
    table = MemoryTable(random_records(1, 100, "any"), grain=7)
    with in_blocks(20, table.dtype):
        assert list(row_pieces(table, 3, 40)) == [(3, 14), (14, 28), (28, 40)]
    with in_blocks(2, table.dtype):
        assert list(row_pieces(table, 0, 20)) == [(0, 7), (7, 14), (14, 20)]


def test_each_record_is_read_once():
    table = MemoryTable(random_records(1, 100, "contiguous"))
    with in_blocks(13, table.dtype):
        shares = []
        build_index(table, progress=shares.append)
    assert sum(stop - start for _, start, stop in table.reads) == 100
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) == len(table.reads) == 8


def test_a_large_table_keeps_a_small_index():
    n = 400_000
    rows = records_of(
        np.dtype([("tid", "<u4"), ("itr", "<i4")]), tid=np.arange(n) // 30, itr=np.arange(n) % 2
    )
    index = build_index(MemoryTable(rows))
    assert index.n_localizations == n // 2
    assert 150 <= len(index.localization) <= n // 2 // 1024 + 2
    assert index.trace_start.all()
    assert len(pickle.dumps(index)) < 10_000


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("itr", -1, ("iteration number -1", "row 41")),
        ("itr", 256, ("iteration number 256", "row 41")),
        ("itr", 2**31 - 1, ("iteration number", "row 41")),
        ("thi", 256, ("thread number 256", "row 41")),
        ("thi", -5, ("thread number -5", "row 41")),
    ],
)
def test_impossible_numbers_are_named(name, value, words):
    dtype = np.dtype([("tid", "<u4"), ("itr", "<i4"), ("thi", "<i4")])
    rows = records_of(dtype, tid=np.arange(60), itr=0)
    rows[name][41] = value
    with in_blocks(8, dtype), pytest.raises(DataError) as caught:
        build_index(MemoryTable(rows), path="run.npy")
    for word in (*words, "run.npy", name):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("dtype", "word"),
    [
        ([("tid", "<u4")], "itr"),
        ([("itr", "<i4")], "tid"),
        ([("tid", "<u4"), ("itr", [("itr", "<i4")], (5,))], "itr"),
        ([("tid", "<f8"), ("itr", "<i4")], "tid"),
        ([("tid", "<u4"), ("itr", "<i4"), ("vld", "S3")], "vld"),
        ([("tid", "<u4"), ("itr", "<i4"), ("sqi", "<u4", (2,))], "sqi"),
        ([("tid", "<u4"), ("itr", "<i4"), ("bot", "<f4")], "bot"),
    ],
)
def test_records_of_another_layout_are_refused(dtype, word):
    with pytest.raises(DataError, match=word):
        build_index(MemoryTable(np.zeros(3, dtype)))


def test_wrong_parameters():
    table = MemoryTable(random_records(1, 4, "any"))
    with pytest.raises(ValueError, match="view"):
        build_index(table, view="some")
    with pytest.raises(ValueError, match="step"):
        build_index(table, step=0)


def test_too_many_interleaved_records_are_refused():
    rows = records_of(tid=np.arange(100) % 2, itr=0)
    with patch.object(row_order, "ORDER_CAP", 99), pytest.raises(PlanError, match="records=True"):
        build_index(MemoryTable(rows), path="run.npy")
    with patch.object(row_order, "RUNS_CAP", 99), pytest.raises(PlanError, match=r"run\.npy"):
        build_index(MemoryTable(rows), path="run.npy")
    with patch.object(row_order, "ORDER_CAP", 100), patch.object(row_order, "RUNS_CAP", 100):
        assert build_index(MemoryTable(rows)).n_localizations == 100


def test_flags_that_are_neither_0_nor_1_count_as_true():
    rows = records_of(tid=[1, 1, 1], itr=[0, 1, 2])
    rows.view(np.uint8).reshape(3, -1)[:, :2] = [[2, 0], [254, 2], [128, 0]]  # vld, fnl
    (_, keys), *_ = key_blocks(MemoryTable(rows), "valid")
    assert keys.keep.tolist() == [True] * 3
    assert build_index(MemoryTable(rows)).n_localizations == 2


def test_trace_bound_finds_the_next_marked_start():
    rows = records_of(tid=np.arange(100) // 10, itr=0)
    index = build_index(MemoryTable(rows), step=10)
    assert index.localization.tolist() == list(range(0, 100, 10))
    assert [index.trace_bound(at) for at in (-3, 0, 1, 10, 11, 89, 90)] == [
        0,
        0,
        10,
        10,
        20,
        90,
        90,
    ]
    # no start of a trace follows
    assert [index.trace_bound(at) for at in (91, 99, 100, 200)] == [91, 99, 100, 100]
    assert index.trace_bound(11, window=9) == 20
    assert index.trace_bound(11, window=8) == 11


def test_random_bytes_give_an_index_or_a_data_error():
    rng = np.random.default_rng(5)
    dtype = flat_record_dtype()
    clean = random_records(2, 50, "contiguous")
    for _ in range(200):
        raw = clean.copy()
        raw.view(np.uint8)[rng.integers(0, raw.nbytes, 3)] ^= rng.integers(1, 256, 3, np.uint8)
        for view in ("valid", "all"):
            try:
                index = build_index(MemoryTable(raw), view=view)
            except DataError:
                assert ((raw["itr"] < 0) | (raw["itr"] > 255)).any()
            else:
                assert index.n_localizations == len(reference_groups(as_stored(raw), view))
    noise = rng.integers(0, 256, 100 * dtype.itemsize, np.uint8).view(dtype)
    with pytest.raises(DataError):
        build_index(MemoryTable(noise))


def as_stored(rows):
    """Flags as 0 and 1: what numpy makes of other bytes depends on the operation."""
    out = rows.copy()
    for name in ("vld", "fnl", "bot", "eot"):
        out[name] = rows[name].view(np.uint8) != 0
    return out


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_v2", "3d_v2", "2d_small_v2", "3d_small_v2"])
def test_real_files(data_dir, name):
    folder = data_dir / "minflux"
    facts = json.loads((folder / "facts.json").read_text())[f"derived/{name}.npy"]
    source = FileSource.open(folder / "derived" / f"{name}.npy")
    header = read_header(source)
    table = RecordSource(source, header.offset, header.dtype, header.n_rows)
    for view in ("valid", "all"):
        index = build_index(table, view=view)
        assert index.n_localizations == facts["n_localizations"]
        assert index.n_complete == facts["n_final_valid"]
        assert index.n_iterations == facts["n_iterations"]
        assert index.n_rows == facts["n_rows"]
        assert index.order is None
