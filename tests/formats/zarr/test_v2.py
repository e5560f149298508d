"""Arrays of records in chunks, against the records they were made of."""

from __future__ import annotations

import base64
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfxarray.errors import DataError
from mfxarray.formats.tables import Table
from mfxarray.formats.zarr.v2 import open_table
from tests.formats.zarr.zarr_samples import FLAT, archive, flat_rows, store

ROWS = flat_rows()


def opened(strict=True, **settings):
    return open_table(store(archive(**settings)), "mfx", strict=strict)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 40), st.integers(1, 50), st.data())
def test_every_range_of_every_chunking(n, chunk, data):
    start = data.draw(st.integers(0, n))
    stop = data.draw(st.integers(start, n))
    codec = data.draw(st.sampled_from(["blosc", "zlib", "gzip", None]))
    table, missing = opened(rows=ROWS[:n], chunk=chunk, codec=codec)
    assert table.read(start, stop).tobytes() == ROWS[start:stop].tobytes()
    assert missing.rows == ()


def test_what_a_table_says():
    table, _ = opened(rows=ROWS, chunk=100)
    described: Table = table
    assert (described.dtype, described.n_rows) == (FLAT, 250)
    assert (described.grain, described.columnar) == (100, False)
    assert np.array_equal(table.column(("loc",), 90, 110), ROWS["loc"][90:110])
    assert pickle.loads(pickle.dumps(table)) == table
    other, _ = opened(rows=ROWS, chunk=99)
    assert table.identity() != other.identity()
    with pytest.raises(ValueError, match="251"):
        table.read(0, 251)


def test_grain_of_huge_chunks_is_a_part():
    table, _ = opened(rows=ROWS, chunk=250, chunks=[2**21], strict=False)
    assert table.grain * FLAT.itemsize <= 4 * 2**20
    for codec in ("zlib", None):
        table, _ = opened(rows=ROWS, chunk=250, codec=codec, chunks=[2**21], strict=False)
        assert table.grain == 2**21


def test_each_chunk_is_read_once():
    inner, asked = store(archive(rows=ROWS, chunk=50)), []

    class Counting:
        source, size, keys, identity = inner.source, inner.size, inner.keys, inner.identity

        def read(self, key, start=0, stop=None):
            asked.append(key)
            return inner.read(key, start, stop)

    table, _ = open_table(Counting(), "mfx")
    asked.clear()
    table.read(60, 210)
    assert asked == ["mfx/1", "mfx/2", "mfx/3", "mfx/4"]


def test_missing_chunks_are_an_error_or_named():
    entries = archive(rows=ROWS, chunk=50)
    fill = np.zeros(1, FLAT)
    fill["tid"] = 9
    entries |= {
        key: value
        for key, value in archive(
            rows=ROWS, chunk=50, fill_value=base64.b64encode(fill.tobytes()).decode()
        ).items()
        if key.endswith(".zarray")
    }
    for number in (1, 4):
        del entries[f"mfx/{number}"]
    with pytest.raises(DataError, match="mfx/1 is missing, and with it rows 50 to 100") as error:
        open_table(store(entries), "mfx")
    assert "strict=False" in str(error.value)
    table, missing = open_table(store(entries), "mfx", strict=False)
    assert missing.rows == ((50, 100), (200, 250))
    assert (missing.n_missing, missing.n_chunks) == (2, 5)
    found = table.read(40, 250)
    assert found[:10].tobytes() == ROWS[40:50].tobytes()
    assert np.array_equal(found[10:60], np.repeat(fill, 50))
    assert found[60:160].tobytes() == ROWS[100:200].tobytes()
    assert np.array_equal(found[160:], np.repeat(fill, 50))


def test_last_chunk_must_be_full_length():
    rows = flat_rows(50)
    entries = archive(rows=ROWS, chunk=100)
    entries["mfx/2"] = archive(rows=rows, chunk=50)["mfx/0"]
    table, _ = open_table(store(entries), "mfx")
    with pytest.raises(DataError, match="mfx/2"):
        table.read(200, 250)
    assert table.read(0, 200).tobytes() == ROWS[:200].tobytes()


def test_odd_keys_are_not_chunks():
    entries = archive(rows=ROWS, chunk=100)
    entries |= {f"mfx/{name}": b"" for name in ("01", "²", "-1", "1e1", "9" * 30, "7", "x/0")}
    table, missing = open_table(store(entries), "mfx")
    assert missing.rows == ()
    assert table.read(0, 250).tobytes() == ROWS.tobytes()
    entries["mfx/01"] = entries.pop("mfx/1")
    with pytest.raises(DataError, match="mfx/1 is missing"):
        open_table(store(entries), "mfx")


@pytest.mark.parametrize("strict", [True, False])
def test_claims_without_chunks_end_at_once(strict):
    with pytest.raises(DataError, match="missing"):
        opened(rows=ROWS, chunk=100, shape=[2**53], strict=strict)


def test_no_records():
    with pytest.raises(DataError, match="2 dimensions"):
        opened(rows=ROWS, chunk=100, shape=[250, 1], chunks=[100, 1])
    with pytest.raises(DataError, match="plain values"):
        opened(rows=ROWS, chunk=100, dtype="<f8", fill_value=0)
    with pytest.raises((DataError, KeyError)):
        open_table(store({}), "mfx")


def test_no_rows():
    table, missing = opened(rows=ROWS[:0], chunk=10)
    assert table.read(0, 0).shape == (0,)
    assert (missing.rows, missing.n_chunks) == ((), 0)
