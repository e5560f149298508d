"""What values tell is looked for once, and again after any damage."""

from __future__ import annotations

import os
from unittest.mock import patch

import numpy as np
import pytest

from mfxarray.formats.npy.fields import record_dtype
from mfxarray.formats.row_facts import RowFacts, look_at
from mfxarray.formats.sources import FileSource
from mfxarray.options import set_options
from mfxarray.records import facts_cache
from mfxarray.records.facts_cache import cached_facts
from mfxarray.records.sealed_file import write_sealed
from tests.records.flat_records import MemoryTable, records_of


@pytest.fixture(autouse=True)
def _store_small_ones_too(tmp_path):
    with patch.object(facts_cache, "WORTH_BYTES", 0), set_options(cache_folder=str(tmp_path / "c")):
        yield


@pytest.fixture
def source(tmp_path):
    (tmp_path / "run.json").write_bytes(b"the source")
    return FileSource.open(tmp_path / "run.json")


def nested(n=300):
    rows = np.zeros(n, record_dtype(3))
    rows["itr"]["itr"] = [0, 1, 2]
    rows["itr"]["cfr"][:, 1] = np.arange(n) % 16 / 16
    rows["itr"]["loc"] += np.arange(n)[:, None, None]
    return MemoryTable(rows)


def not_looked():
    return patch.object(facts_cache, "look_at", side_effect=AssertionError("looked again"))


@pytest.mark.parametrize("table", [nested(), MemoryTable(records_of(tid=np.arange(9), itr=0))])
def test_they_are_looked_for_once(table, source):
    facts = cached_facts(table, source)
    assert facts == look_at(table, source)
    with not_looked():
        assert cached_facts(table, source) == facts


def test_of_nested_records(source):
    facts = cached_facts(nested(), source)
    assert facts == RowFacts((0, 1, 2), 1, False, True)


def test_damage_and_lies(tmp_path, source):
    table = nested()
    facts = cached_facts(table, source)
    (path,) = (tmp_path / "c").iterdir()
    whole = path.read_bytes()
    for text in (b"", b"null", b"[]", b"{}", b"[" * 60_000, b'{"iterations": 1}', bytes(70_000)):
        write_sealed(path, b"MFXFACTS", text)
        assert cached_facts(table, source) == facts
        assert path.read_bytes() == whole
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert cached_facts(table, source) == facts


def test_another_table_has_its_own(source):
    assert cached_facts(nested(300), source).cfr_iteration == 1
    still = nested(299)
    still.rows["itr"]["cfr"] = 0
    assert cached_facts(still, source).cfr_iteration is None


def test_small_tables_are_not_stored(tmp_path, source):
    with patch.object(facts_cache, "WORTH_BYTES", 10**6):
        cached_facts(nested(), source)
    assert not (tmp_path / "c").exists()


def test_what_cannot_be_stored_is_no_error(tmp_path, source):
    with patch.object(os, "replace", side_effect=OSError("disk full")):
        assert cached_facts(nested(), source).cfr_iteration == 1
    (tmp_path / "c").rmdir()
    (tmp_path / "c").write_text("a file where the folder should be")
    assert cached_facts(nested(), source).cfr_iteration == 1
