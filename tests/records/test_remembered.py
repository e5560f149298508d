"""What opening found is known again, while the file is unchanged, and never believed blindly."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.openers import open_measurements
from mfxarray.formats.tables import is_stream
from mfxarray.options import set_options
from mfxarray.records import remembered as module
from mfxarray.records.columns import spool
from mfxarray.records.remembered import RememberedStream, remember, remembered
from mfxarray.records.sealed_file import write_sealed

MAGIC = b"MFXFOUND"


@pytest.fixture(autouse=True)
def _small_ones_too(tmp_path):
    with patch.object(module, "WORTH_BYTES", 0), set_options(cache_folder=str(tmp_path / "c")):
        yield


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("remembered")
    mfx.simulate_minflux(folder / "run.npy", localizations=200, seed=3)
    run = mfx.open_minflux(folder / "run.npy")
    for name, options in (("packed.mat", {"compress": True}), ("run.json", {})):
        for model in ("v1", "v2"):
            mfx.write_minflux(run, folder / f"{model}-{name}", model=model, **options)
    mfx.write_minflux(run, folder / "plain.mat", compress=False)
    return folder


NAMES = ["v1-packed.mat", "v2-packed.mat", "v1-run.json", "v2-run.json"]


def opened(path, strict=True):
    found = open_measurements(path, strict=strict)
    remember(found, strict)
    return found


def stored(tmp_path) -> Path:
    (path,) = (tmp_path / "c").glob("*.layout")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_the_same_is_known_again(tmp_path, files, name):
    assert remembered(files / name, True) is None
    (made,) = opened(files / name)
    (known,) = remembered(files / name, True)
    assert isinstance(known.rows, RememberedStream)
    assert is_stream(known.rows)
    for fact in ("source", "container", "label", "attrs", "sequence", "beads", "warnings", "name"):
        assert getattr(known, fact) == getattr(made, fact), fact
    assert known.missing_rows == ()
    assert known.rows.n_rows == made.rows.n_rows
    assert known.rows.identity() == made.rows.identity()
    # caches of columns are found by it
    assert repr(known.rows.dtype) == repr(made.rows.dtype)


@pytest.mark.parametrize("name", NAMES)
def test_columns_made_by_one_are_found_by_the_other(tmp_path, files, name):
    (made,) = opened(files / name)
    (known,) = remembered(files / name, True)
    table = spool(known)
    rows = table.read(0, table.n_rows)
    assert table.n_rows >= 200
    with patch("mfxarray.records.columns.make_sealed", side_effect=AssertionError("copied again")):
        assert spool(made).path == table.path
    for folder in (tmp_path / "c").glob("*.columns"):
        folder.rename(folder.with_suffix(".away"))
    again = spool(made)
    assert again.read(0, again.n_rows).tobytes() == rows.tobytes()


def test_a_changed_file_is_opened_again(tmp_path, files):
    path = tmp_path / "run.mat"
    path.write_bytes((files / "v1-packed.mat").read_bytes())
    opened(path)
    (known,) = remembered(path, True)
    os.utime(path, ns=(1, 1))
    assert remembered(path, True) is None
    with pytest.raises(DataError, match="not what is known"):
        list(known.rows.pieces())
    path.write_bytes((files / "v2-packed.mat").read_bytes())
    assert remembered(path, True) is None
    path.unlink()
    with pytest.raises(DataError, match="cannot be opened"):
        remembered(path, True)


def test_strict_and_not_are_kept_apart(files):
    opened(files / NAMES[0], strict=False)
    assert remembered(files / NAMES[0], True) is None
    assert remembered(files / NAMES[0], False)[0].rows.strict is False


def test_another_version_looks_for_itself(files):
    opened(files / NAMES[0])
    with patch.object(module, "__version__", "99"):
        assert remembered(files / NAMES[0], True) is None


def test_what_is_read_in_place_is_not_kept(tmp_path, files):
    opened(files / "plain.mat")
    assert not (tmp_path / "c").exists()


def test_small_files_are_not_kept(tmp_path, files):
    with patch.object(module, "WORTH_BYTES", 10**8):
        for name in NAMES:
            opened(files / name)
    assert not (tmp_path / "c").exists()


def test_what_cannot_be_written_is_no_error(tmp_path, files):
    with patch.object(os, "replace", side_effect=OSError("disk full")):
        opened(files / NAMES[0])
    assert os.listdir(tmp_path / "c") == []
    (tmp_path / "c").rmdir()
    (tmp_path / "c").write_text("in the way")
    opened(files / NAMES[0])
    assert remembered(files / NAMES[0], True) is None


def test_truncations_and_flipped_bytes_are_found(tmp_path, files):
    opened(files / NAMES[0])
    path = stored(tmp_path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in range(0, len(whole), 13):
        path.write_bytes(whole[:length])
        assert remembered(files / NAMES[0], True) is None
    for place in rng.integers(0, len(whole), 200).tolist():
        bad = bytearray(whole)
        bad[place] ^= int(rng.integers(1, 256))
        path.write_bytes(bad)
        assert remembered(files / NAMES[0], True) is None


def setting(name, value):
    return lambda entry: entry.__setitem__(name, value)


def layout(name, value):
    return lambda entry: entry["layout"].__setitem__(name, value)


LIES = [
    layout("dtype", [["tid", "|O"]]),
    layout("dtype", [["tid", "<i4", [2**40]]]),
    layout("dtype", "<i4"),
    layout("dtype", []),
    layout("dtype", 3),
    layout("shape", [-1]),
    layout("shape", [2**70]),
    layout("shape", [1, 1]),
    layout("shape", "many"),
    layout("chunks", [1, 1]),
    setting("layout", []),
    setting("label", 3),
    setting("container", None),
    setting("identity", 7),
    setting("attrs", []),
    setting("sequence", "text"),
    setting("warnings", [1]),
    setting("warnings", 1),
    lambda entry: entry.pop("label"),
    lambda entry: entry.pop("counted"),
]


@pytest.mark.parametrize("lie", range(len(LIES)))
def test_a_forged_layout_is_not_believed(tmp_path, files, lie):
    opened(files / NAMES[0])
    path = stored(tmp_path)
    entries = json.loads(path.read_bytes()[40:])
    write_sealed(path, MAGIC, json.dumps(entries).encode())
    assert remembered(files / NAMES[0], True) is not None
    LIES[lie](entries[0])
    write_sealed(path, MAGIC, json.dumps(entries).encode())
    assert remembered(files / NAMES[0], True) is None


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"1", b"[1]", b"[" * 10**5, b'{"a": 1}'])
def test_what_is_no_layout(tmp_path, files, text):
    opened(files / NAMES[0])
    write_sealed(stored(tmp_path), MAGIC, text)
    assert remembered(files / NAMES[0], True) is None


def test_wrong_number_of_rows_is_told_by_the_stream(tmp_path, files):
    opened(files / NAMES[0])
    path = stored(tmp_path)
    entries = json.loads(path.read_bytes()[40:])
    entries[0]["layout"]["shape"] = [10**9]
    write_sealed(path, MAGIC, json.dumps(entries).encode())
    (known,) = remembered(files / NAMES[0], True)
    with pytest.raises(DataError, match="were promised"):
        spool(known)


def test_several_data_sets(tmp_path, files):
    rng = np.random.default_rng(0)
    scipy = pytest.importorskip("scipy.io")
    path = tmp_path / "two.mat"
    names = ("first", "second")
    sets = {
        name: {
            "tid": np.arange(n),
            "tim": np.arange(n) * 0.1,
            "vld": np.ones(n, bool),
            "itr": np.tile(np.arange(3), (n, 1)),
            "loc": rng.random((n, 3, 3)),
        }
        for name, n in zip(names, (40, 70), strict=True)
    }
    scipy.savemat(path, sets, do_compression=True)
    made = opened(path)
    known = remembered(path, True)
    assert [one.label for one in known] == [one.label for one in made] == list(names)
    for one, other in zip(known, made, strict=True):
        table = spool(one)
        assert table.n_rows == other.rows.n_rows
        np.testing.assert_array_equal(
            table.column(("tid",), 0, table.n_rows), sets[one.label]["tid"]
        )


@pytest.mark.realdata
@pytest.mark.parametrize("suffix", ["mat", "json"])
def test_real_files(data_dir, suffix):
    folder = data_dir / "minflux"
    for path in sorted([*folder.glob(f"*.{suffix}"), *folder.glob(f"derived/*.{suffix}")]):
        if path.name == "facts.json" or path.stat().st_size > 60e6:
            continue
        made = opened(path)
        known = remembered(path, True)
        if known is None:
            assert not all(is_stream(one.rows) for one in made), path
            continue
        for one, other in zip(known, made, strict=True):
            assert repr(one.rows.dtype) == repr(other.rows.dtype)
            assert (one.label, one.attrs, one.warnings) == (
                other.label,
                other.attrs,
                other.warnings,
            )
