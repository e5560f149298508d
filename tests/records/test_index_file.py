"""The file of the index: what it holds comes back, and what another hand wrote does no harm."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import numpy as np
import pytest

from mfxarray.formats.row_facts import RowFacts
from mfxarray.records.index_file import load_index, store_index
from mfxarray.records.regroup_index import build_index
from mfxarray.records.sealed_file import read_sealed, write_sealed
from tests.records.flat_records import MemoryTable, random_records, records_of

MAGIC = b"MFXINDEX"
FACTS = RowFacts((0,), 0, False, None)
TABLE = MemoryTable(records_of(tid=np.arange(500), itr=0))
INDEX = build_index(TABLE, step=50)
MIXED = MemoryTable(records_of(tid=np.arange(50) % 2, itr=0))


def same(one, two) -> bool:
    names = one.__dataclass_fields__
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


def types(index):
    return [getattr(getattr(index, name), "dtype", None) for name in index.__dataclass_fields__]


@pytest.mark.parametrize("kind", ["contiguous", "falling", "threads", "unsorted threads", "any"])
@pytest.mark.parametrize("seed", range(4))
def test_what_is_stored_comes_back(tmp_path, kind, seed):
    table = MemoryTable(random_records(seed, 400, kind))
    index = build_index(table, step=7)
    k = index.n_iterations
    facts = RowFacts(tuple(range(k)), k - 1, True, [None, True, False][seed % 3])
    store_index(tmp_path / "index", table, index, facts)
    found, known = load_index(tmp_path / "index", table, "valid")
    assert same(found, index)
    assert types(found) == types(index)
    assert known == facts


def test_of_no_localizations(tmp_path):
    table = MemoryTable(records_of(tid=np.arange(5), itr=0, vld=False))
    index = build_index(table)
    store_index(tmp_path / "index", table, index, FACTS)
    assert same(load_index(tmp_path / "index", table, "valid")[0], index)


def test_of_another_table_or_view(tmp_path):
    store_index(tmp_path / "index", TABLE, INDEX, FACTS)
    assert load_index(tmp_path / "index", TABLE, "valid") is not None
    assert load_index(tmp_path / "index", TABLE, "all") is None
    assert load_index(tmp_path / "index", MIXED, "valid") is None
    assert load_index(tmp_path / "nothing", TABLE, "valid") is None


def header_lie(path, change):
    """Change the header of a stored index, and seal it again."""
    body = read_sealed(path, MAGIC, 10**6)
    length = int.from_bytes(body[:8], "little")
    header = json.loads(body[8 : 8 + length])
    header = change(header) or header
    text = json.dumps(header).encode() if isinstance(header, (dict, list)) else header
    write_sealed(path, MAGIC, len(text).to_bytes(8, "little") + text + body[8 + length :])


def setting(name, value):
    return lambda header: header.__setitem__(name, value)


def fact(name, value):
    return lambda header: header["facts"].__setitem__(name, value)


HEADERS = [
    setting("n_rows", 499),
    setting("n_rows", "500"),
    setting("n_rows", True),
    setting("n_localizations", 10**15),
    setting("n_localizations", -1),
    setting("n_iterations", 0),
    setting("n_iterations", 10**9),
    setting("n_complete", 10**9),
    setting("identity", "another"),
    setting("lengths", []),
    setting("lengths", [10**15] * 7),
    setting("lengths", [2**21] * 7),
    setting("lengths", [-1] * 7),
    setting("lengths", [None] * 7),
    setting("lengths", ["1"] * 7),
    setting("lengths", 7),
    setting("facts", None),
    setting("facts", {}),
    setting("facts", [1]),
    fact("iterations", []),
    fact("iterations", [-1]),
    fact("iterations", ["0"]),
    fact("iterations", 0),
    fact("cfr_iteration", 1),
    fact("cfr_iteration", -1),
    fact("cfr_iteration", True),
    fact("aggregated", 1),
    fact("bead_corrected", "yes"),
    fact("more", 1),
    lambda header: header.pop("n_rows") and None,
    lambda header: header.pop("facts") and None,
    lambda header: ["a list"],
    lambda header: b"no json",
    lambda header: b"[" * 50_000,
    lambda header: b" " * 70_000,
]


@pytest.mark.parametrize("lie", range(len(HEADERS)))
def test_a_forged_header_is_not_believed(tmp_path, lie):
    path = tmp_path / "index"
    store_index(path, TABLE, INDEX, FACTS)
    header_lie(path, lambda header: None)
    assert load_index(path, TABLE, "valid") is not None
    header_lie(path, HEADERS[lie])
    assert load_index(path, TABLE, "valid") is None


def numbers(values, place, value):
    changed = values.astype(np.int64)
    changed[place] = value
    return changed


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("threads", 0, 256),
        ("threads", 0, -1),
        ("first", 0, 1),
        ("first", 0, 500),
        ("ends", 0, 502),
        ("ends", 0, -1),
        ("localization", 0, 5),
        ("localization", 1, 0),
        ("localization", 1, 10**12),
        ("row", 3, 500),
        ("row", 3, -(2**62)),
        ("trace_start", 2, 2),
        ("trace_start", 2, -1),
    ],
)
def test_a_forged_index_is_not_believed(tmp_path, name, place, value):
    forged = replace(INDEX, **{name: numbers(getattr(INDEX, name), place, value)})
    store_index(tmp_path / "index", TABLE, forged, FACTS)
    assert load_index(tmp_path / "index", TABLE, "valid") is None


@pytest.mark.parametrize("value", [50, -1, 2**62])
def test_rows_of_a_forged_order_stay_within_the_table(tmp_path, value):
    index = build_index(MIXED)
    assert index.order is not None
    store_index(tmp_path / "index", MIXED, index, FACTS)
    assert load_index(tmp_path / "index", MIXED, "valid") is not None
    forged = replace(index, order=numbers(index.order, -1, value))
    store_index(tmp_path / "index", MIXED, forged, FACTS)
    assert load_index(tmp_path / "index", MIXED, "valid") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda packed: b"",
        lambda packed: packed[:-1],
        lambda packed: packed + b"0",
        lambda packed: b"no zlib",
        lambda packed: zlib.compress(bytes(2**24)),
        lambda packed: zlib.compress(zlib.decompress(packed)[:-1]),
    ],
)
def test_forged_arrays_are_not_believed(tmp_path, change):
    path = tmp_path / "index"
    store_index(path, TABLE, INDEX, FACTS)
    body = read_sealed(path, MAGIC, 10**6)
    end = 8 + int.from_bytes(body[:8], "little")
    write_sealed(path, MAGIC, body[:end] + change(body[end:]))
    assert load_index(path, TABLE, "valid") is None
