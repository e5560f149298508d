"""The stored index: used again while it holds, built again after any damage, never an error."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.npy.header import read_header
from mfxarray.formats.row_facts import RowFacts, look_at
from mfxarray.formats.sources import FileSource, RecordSource
from mfxarray.formats.tables import Measurement
from mfxarray.options import set_options
from mfxarray.records import index_cache
from mfxarray.records.index_cache import cached_localizations, index_path
from mfxarray.records.index_file import load_index, store_index
from mfxarray.records.regroup_index import build_index
from tests.records.flat_records import MemoryTable, random_records, records_of

FACTS = RowFacts((0,), None, False, None)


@pytest.fixture(autouse=True)
def _store_small_ones_too(tmp_path):
    with patch.object(index_cache, "WORTH_BYTES", 0), set_options(cache_folder=str(tmp_path / "c")):
        yield


@pytest.fixture
def table(tmp_path) -> RecordSource:
    return saved(tmp_path / "run.npy", random_records(6, 500, "contiguous"))


def saved(path: Path, rows) -> RecordSource:
    np.save(path, rows)
    source = FileSource.open(path)
    header = read_header(source)
    return RecordSource(source, header.offset, header.dtype, header.n_rows)


def cached_index(table, source, *rest):
    return cached_localizations(table, source, *rest)[0].index


def same(one, two) -> bool:
    names = one.__dataclass_fields__
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in names)


def not_built():
    return patch.object(index_cache, "build_index", side_effect=AssertionError("built again"))


def stored_file(tmp_path) -> Path:
    (found,) = (tmp_path / "c").iterdir()
    return found


@pytest.mark.parametrize("kind", ["contiguous", "threads", "any"])
@pytest.mark.parametrize("view", ["valid", "all"])
def test_it_is_built_once(tmp_path, kind, view):
    rows = random_records(6, 500, kind)
    rows["vld"] |= np.arange(500) % 2 == 0
    table = saved(tmp_path / "run.npy", rows)
    made = cached_index(table, table.file, view)
    assert made.n_localizations > 10
    assert same(made, build_index(table, view=view))
    with not_built():
        again = cached_index(table, table.file, view)
    assert same(again, made)
    assert (again.order is None) == (kind != "any")
    assert again.localization.flags.aligned


def test_a_measurement_is_taken(table):
    measurement = Measurement(table, table.file, "npy")
    assert same(cached_index(measurement, table.file), build_index(table))


def test_a_stream_is_refused(table):
    with pytest.raises(ValueError, match="stream"):
        cached_index(Measurement(object(), table.file, "json"), table.file)


def test_views_and_tables_have_their_own(tmp_path, table):
    valid, every = (cached_index(table, table.file, view) for view in ("valid", "all"))
    assert valid.view == "valid"
    assert every.view == "all"
    assert len(list((tmp_path / "c").iterdir())) == 2
    # another data set of the same file
    other = MemoryTable(records_of(tid=[1, 2], itr=0))
    assert cached_index(other, table.file).n_localizations == 2
    assert len(list((tmp_path / "c").iterdir())) == 3


def test_a_changed_source_is_read_again(tmp_path, table):
    before = cached_index(table, table.file)
    changed = saved(tmp_path / "run.npy", random_records(7, 510, "contiguous"))
    after = cached_index(changed, changed.file)
    assert after.n_rows == 510
    assert before.n_rows == 500
    # the old state is gone: an error of its records, not an old index under a new file
    with pytest.raises(DataError, match="changed"):
        cached_index(table, table.file, "all")


def test_progress_is_told_only_while_it_is_built(table):
    shares = []
    cached_index(table, table.file, "valid", shares.append)
    assert shares[-1] == 1.0
    shares.clear()
    cached_index(table, table.file, "valid", shares.append)
    assert shares == []
    with set_options(progress=lambda share, text: shares.append((share, text))):
        cached_index(table, table.file, "all")
    assert shares[-1][0] == 1.0
    assert "run.npy" in shares[-1][1]


def test_small_tables_are_not_stored(tmp_path, table):
    with patch.object(index_cache, "WORTH_BYTES", 10**6):
        assert same(cached_index(table, table.file), build_index(table))
    assert not (tmp_path / "c").exists()


def test_every_truncation_and_flipped_byte_is_found(tmp_path, table):
    made = cached_index(table, table.file)
    path = stored_file(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert load_index(path, table, "valid") is None
    for place in rng.integers(0, len(whole), 200).tolist():
        bad = bytearray(whole)
        bad[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bad)
        assert load_index(path, table, "valid") is None
    path.write_bytes(whole + b"\0")
    assert load_index(path, table, "valid") is None
    # built again and stored whole
    assert same(cached_index(table, table.file), made)
    assert path.read_bytes() == whole


def test_a_large_file_in_its_place_is_not_read(tmp_path, table):
    cached_index(table, table.file)
    path = stored_file(tmp_path)
    with open(path, "wb") as file:
        file.truncate(2**40)
    assert load_index(path, table, "valid") is None


def test_a_folder_or_dead_link_in_its_place_is_no_error(tmp_path, table):
    path = index_path(table, table.file, "valid")
    path.mkdir()
    assert cached_index(table, table.file).n_rows == 500
    path.rmdir()
    path.symlink_to(tmp_path / "nowhere")
    assert cached_index(table, table.file).n_rows == 500
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("view", ["valid", "all"])
def test_facts_are_kept_and_no_record_is_read(tmp_path, view):
    rows = random_records(6, 500, "contiguous")
    rows["cfr"] = np.arange(500) % 32 / 32
    rows["vld"] = True
    table = saved(tmp_path / "run.npy", rows)
    records, facts = cached_localizations(table, table.file, view)
    assert facts == look_at(records, table.file, 4)
    assert facts.cfr_iteration == records.index.n_iterations - 1
    with patch.object(RecordSource, "read", side_effect=AssertionError("read")), not_built():
        again, known = cached_localizations(table, table.file, view)
    assert known == facts
    assert again.identity() == records.identity()


def test_a_place_that_cannot_be_written_is_no_error(tmp_path, table):
    (tmp_path / "c").write_text("a file where the folder should be")
    assert index_path(table, table.file, "valid") is None
    assert same(cached_index(table, table.file), build_index(table))


def test_a_failed_write_leaves_nothing(tmp_path, table):
    with patch.object(os, "replace", side_effect=OSError("disk full")):
        assert same(cached_index(table, table.file), build_index(table))
    assert list((tmp_path / "c").iterdir()) == []
    path = index_path(table, table.file, "valid")
    with (
        patch.object(os, "fsync", side_effect=OSError("disk full")),
        pytest.raises(OSError, match="full"),
    ):
        store_index(path, table, build_index(table), FACTS)
    assert list((tmp_path / "c").iterdir()) == []


def test_it_is_small(tmp_path):
    n = 600_000
    rng = np.random.default_rng(0)
    dtype = np.dtype([("tid", "<u4"), ("itr", "<i4"), ("tim", "<f8"), ("loc", "<f8", (3,))])
    # localizations of 3 to 10 iterations: marks lie at steps that nobody knows
    itr = np.concatenate([np.arange(count) for count in rng.integers(3, 11, n // 5)])[:n]
    rows = records_of(dtype, tid=np.cumsum(itr == 0) // 30, itr=itr)
    rows["loc"] = 0.0
    table = saved(tmp_path / "run.npy", rows)
    index = cached_index(table, table.file)
    assert index.n_localizations == (itr == 0).sum()
    assert len(index.row) > 80
    # within a header of some 700 bytes; plain numbers would take 17 bytes a mark
    assert stored_file(tmp_path).stat().st_size < 900 + 5 * len(index.row)
