"""What a few rows tell, and its way through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.formats.row_facts import RowFacts, look_at
from mfxarray.formats.sources import FileSource
from tests.records.flat_records import MemoryTable


@pytest.fixture
def source(tmp_path):
    (tmp_path / "run.npy").write_bytes(b"any")
    return FileSource.open(tmp_path / "run.npy")


def rows(n=50, k=4):
    made = np.zeros(n, record_dtype(k))
    made["itr"]["itr"] = np.arange(k)
    made["itr"]["cfr"] = -1 / 32768
    made["itr"]["tic"] = 5
    made["itr"]["loc"] = np.nan
    return made


def test_numbers_of_iterations(source):
    made = rows()
    made["itr"]["itr"] = [3, 5, 7, 9]
    assert look_at(MemoryTable(made), source).iterations == (3, 5, 7, 9)
    made["itr"]["itr"] = [3, 3, 7, 9]
    assert look_at(MemoryTable(made), source).iterations == (0, 1, 2, 3)
    assert look_at(MemoryTable(made[:0]), source).iterations == (0, 1, 2, 3)


def test_cfr_is_that_of_the_last_iteration_with_values(source):
    made = rows()
    assert look_at(MemoryTable(made), source).cfr_iteration is None
    made["itr"]["cfr"][7, 1] = 0.5
    assert look_at(MemoryTable(made), source).cfr_iteration == 1
    made["itr"]["cfr"][:, 3] = np.nan
    made["itr"]["cfr"][9, 2] = 0.25
    assert look_at(MemoryTable(made), source).cfr_iteration == 2


def test_beads(source):
    made = rows()
    assert look_at(MemoryTable(made), source).bead_corrected is None
    made["itr"]["loc"][4] = made["itr"]["lnc"][4] = 1.5
    assert look_at(MemoryTable(made), source).bead_corrected is False
    made["itr"]["loc"][4, 2] = 1.25
    assert look_at(MemoryTable(made), source).bead_corrected is True


def test_aggregates_tell_nothing_about_beads(source):
    made = rows(k=1)
    made["itr"]["loc"] = 1.0
    assert look_at(MemoryTable(made), source) == RowFacts((0,), None, False, True)
    made["itr"]["tic"] = 0
    assert look_at(MemoryTable(made), source) == RowFacts((0,), None, True, None)


def test_flat_records(source):
    facts = look_at(MemoryTable(np.zeros(5, flat_record_dtype())), source)
    assert facts.iterations == ()
    assert facts.cfr_iteration is None
    assert not facts.aggregated


def test_what_is_no_record(source):
    with pytest.raises(DataError, match="no field itr"):
        look_at(MemoryTable(np.zeros(5, [("tid", "i4")])), source)


@pytest.mark.parametrize("bead_corrected", [None, True, False])
@pytest.mark.parametrize("place", [None, 0, 2])
def test_through_json(bead_corrected, place):
    facts = RowFacts((0, 4, 5), place, False, bead_corrected)
    assert RowFacts.from_json(json.loads(json.dumps(facts.to_json())), 3) == facts
    with pytest.raises(ValueError, match="facts"):
        RowFacts.from_json(facts.to_json(), 4)


@pytest.mark.parametrize("stored", [None, 1, [], {}, {"iterations": [0]}, "facts"])
def test_what_is_no_facts(stored):
    with pytest.raises(ValueError, match="facts"):
        RowFacts.from_json(stored, 1)
