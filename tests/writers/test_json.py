"""Records written as JSON; the oracle is Python's json."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import flat_record_dtype
from mfxarray.writers.json import write_json
from mfxarray.writers.outgoing import Outgoing
from tests.formats.json.json_samples import as_objects, flat_records, nested_records, read_all, same


def outgoing(rows: np.ndarray, *borders: int) -> Outgoing:
    def blocks() -> Iterator[np.ndarray]:
        yield from np.split(rows, borders)

    return Outgoing(rows.dtype, len(rows), blocks)


@pytest.mark.parametrize("rows", [nested_records(30), nested_records(3, 1), flat_records(40)])
@pytest.mark.parametrize("borders", [(), (1,), (0, 2, 2, 3)])
@pytest.mark.parametrize("wrap", [None, "mfx", "data"])
def test_text_is_that_of_json_dump(tmp_path, rows, borders, wrap):
    path = tmp_path / "a.json"
    write_json(path, outgoing(rows, *borders), wrap=wrap)
    objects = as_objects(rows)
    assert path.read_text() == json.dumps(objects if wrap is None else {wrap: objects})
    same(read_all(path), rows)


def test_that_steps_within_a_block_do_not_matter(tmp_path, monkeypatch):
    rows = flat_records(50)
    monkeypatch.setattr("mfxarray.writers.json._BLOCK_BYTES", 7 * rows.dtype.itemsize)
    write_json(tmp_path / "a.json", outgoing(rows))
    assert (tmp_path / "a.json").read_text() == json.dumps(as_objects(rows))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["2d_small_v1", "3d_small_v1", "2d_small_v2", "3d_small_v2"])
def test_derived_files_are_written_byte_for_byte(data_dir, tmp_path, name):
    folder = data_dir / "minflux" / "derived"
    rows = np.load(folder / f"{name}.npy")
    write_json(tmp_path / "a.json", outgoing(rows, 100, 777))
    assert (tmp_path / "a.json").read_bytes() == (folder / f"{name}.json").read_bytes()


def test_extreme_numbers_come_back(tmp_path):
    rows = nested_records(6)
    extremes = [5e-324, -0.0, 1.7976931348623157e308, np.inf, -np.inf, np.nan]
    rows["tim"] = extremes
    rows["itr"]["tic"] = 2**64 - 1
    rows["tid"] = -(2**31)
    write_json(tmp_path / "a.json", outgoing(rows))
    found = read_all(tmp_path / "a.json")
    assert found["tim"].tobytes() == np.array(extremes).tobytes()
    same(found, rows)


def test_no_records(tmp_path):
    write_json(tmp_path / "a.json", outgoing(flat_records(1)[:0]))
    assert json.loads((tmp_path / "a.json").read_text()) == []
    write_json(tmp_path / "b.json", outgoing(flat_records(1)[:0]), wrap="mfx")
    assert json.loads((tmp_path / "b.json").read_text()) == {"mfx": []}


def test_overwriting(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, outgoing(flat_records(2)))
    with pytest.raises(DataError, match="exists already"):
        write_json(path, outgoing(flat_records(3)))
    write_json(path, outgoing(flat_records(3)), overwrite=True)
    assert len(json.loads(path.read_text())) == 3


def test_that_a_failure_leaves_nothing(tmp_path):
    def broken() -> Iterator[np.ndarray]:
        yield flat_records(2)
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        write_json(tmp_path / "a.json", Outgoing(flat_record_dtype(), 5, broken))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["S4", "c16", "M8[s]", "O", "U3"])
def test_fields_without_a_form(tmp_path, kind):
    rows = np.zeros(2, [("itr", [("odd", kind)], (2,)), ("tid", "i4")])
    with pytest.raises(ValueError, match="field odd"):
        write_json(tmp_path / "a.json", outgoing(rows))
    assert list(tmp_path.iterdir()) == []


def test_that_it_is_not_slow(tmp_path):
    rows = np.concatenate([flat_records(500)] * 40)
    begin = time.perf_counter()
    write_json(tmp_path / "a.json", outgoing(rows))
    # about 25 MB/s; far below only if something is wrong
    size = (tmp_path / "a.json").stat().st_size
    assert size / (time.perf_counter() - begin) > 3e6
