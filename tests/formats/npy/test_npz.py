"""Archives of columns and of records, stored and deflated, honest and hostile."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.npy.fields import flat_record_dtype, record_dtype
from mfxarray.formats.npy.npz import open_npz
from mfxarray.formats.sources import RecordSource
from mfxarray.formats.tables import Measurement
from mfxarray.options import set_options
from mfxarray.records.columns import spool


def zatyrus(n: int = 500, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    tic = np.sort(rng.integers(0, 2**40, n))
    return {
        "Z": rng.normal(0, 300, n),
        "Y": rng.normal(0, 3000, n),
        "X": rng.normal(0, 3000, n),
        "T": rng.random(n),
        "ECO": rng.integers(0, 500, n),
        "EFO": rng.random(n) * 1e5,
        "TID": np.sort(rng.integers(0, 60, n)),
        "TIC": tic,
        "ITR": np.full(n, 9),
        "ID": np.arange(n),
    }


def saved(folder: Path, packed: bool = False, **arrays: np.ndarray) -> Path:
    path = folder / "data.npz"
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def table_of(measurement: Measurement, folder: Path) -> np.ndarray:
    with set_options(cache_folder=folder / "cache"):
        table = spool(measurement)
    return table.read(0, table.n_rows)


def records(dtype: np.dtype, n: int = 700) -> np.ndarray:
    rng = np.random.default_rng(1)
    rows = np.frombuffer(rng.bytes(n * dtype.itemsize), dtype).copy()
    for name in ("vld", "act", "fnl", "bot", "eot"):
        if name in dtype.names:
            rows[name] = rng.random(n) < 0.5
    return rows


@pytest.mark.parametrize("packed", [False, True])
def test_columns(tmp_path: Path, packed: bool) -> None:
    arrays = zatyrus()
    (found,) = open_npz(saved(tmp_path, packed, **arrays), units="nm")
    assert hasattr(found.rows, "pieces") == packed
    rows = table_of(found, tmp_path)
    for axis, name in enumerate("XYZ"):
        np.testing.assert_array_equal(rows["itr"]["loc"][:, 0, axis], arrays[name] / 1e9)
    for name in ("ECO", "EFO", "TIC", "ITR"):
        np.testing.assert_array_equal(rows["itr"][name.lower()][:, 0], arrays[name])
    np.testing.assert_array_equal(rows["tim"], arrays["TIC"] * 25e-9)
    np.testing.assert_array_equal(rows["tid"], arrays["TID"])
    np.testing.assert_array_equal(rows["T"], arrays["T"])
    np.testing.assert_array_equal(rows["ID"], arrays["ID"])
    assert rows["vld"].all()
    assert rows["ID"].dtype == "<i8"
    assert (rows["itr"]["eco"].dtype, rows["itr"]["tic"].dtype) == ("<i4", "<u8")
    assert found.attrs == {"z_scaling": 1.0, "filled": ["vld"]}
    assert found.container == "npz"
    assert found.warnings == ()


def test_stored_and_packed_are_equal(tmp_path: Path) -> None:
    (one,) = open_npz(saved(tmp_path, False, **zatyrus(200_000)), units="um")
    rows = table_of(one, tmp_path)
    (two,) = open_npz(saved(tmp_path, True, **zatyrus(200_000)), units="um")
    assert table_of(two, tmp_path).tobytes() == rows.tobytes()


def test_columns_in_place(tmp_path: Path) -> None:
    (found,) = open_npz(saved(tmp_path, **zatyrus()), units="nm")
    table = found.rows
    assert (table.grain, table.columnar, table.n_rows) == (1, True, 500)
    rows = table.read(100, 130)
    assert rows.tobytes() == table.read(0, 500)[100:130].tobytes()
    assert table.column(("itr", "loc"), 100, 130).tobytes() == rows["itr"]["loc"].tobytes()
    for name in ("tim", "tid", "vld", "T"):
        assert table.column((name,), 100, 130).tobytes() == rows[name].tobytes()
    assert pickle.loads(pickle.dumps(table)) == table
    assert table.identity() == open_npz(found.source.path, units="nm")[0].rows.identity()
    assert table.identity() != open_npz(found.source.path, units="um")[0].rows.identity()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", [record_dtype(3), flat_record_dtype()], ids=["v1", "v2"])
def test_records(tmp_path: Path, dtype: np.dtype, packed: bool) -> None:
    rows = records(dtype)
    (found,) = open_npz(saved(tmp_path, packed, mfx=rows, other=np.zeros(3)))
    assert isinstance(found.rows, RecordSource) == (not packed)
    assert found.label == "mfx"
    assert found.rows.dtype == dtype
    assert found.rows.n_rows == 700
    assert table_of(found, tmp_path).tobytes() == rows.tobytes()
    with pytest.raises(DataError, match="unit is the metre"):
        open_npz(found.source.path, units="nm")


def test_two_arrays_of_records(tmp_path: Path) -> None:
    one, two = records(record_dtype(2), 5), records(flat_record_dtype(), 6)
    found = open_npz(saved(tmp_path, one=one, two=two))
    assert [(m.label, m.rows.n_rows) for m in found] == [("one", 5), ("two", 6)]


def test_large_packed_records_cross_the_steps(tmp_path: Path) -> None:
    rows = records(flat_record_dtype(), 60_000)
    (found,) = open_npz(saved(tmp_path, True, rows=rows))
    assert table_of(found, tmp_path).tobytes() == rows.tobytes()


def test_units_are_needed(tmp_path: Path) -> None:
    path = saved(tmp_path, **zatyrus())
    with pytest.raises(DataError, match=r'in which unit X and Y are.*units="nm"'):
        open_npz(path)
    with pytest.raises(ValueError, match="units='parsec' is not known"):
        open_npz(path, units="parsec")


def test_time_without_ticks(tmp_path: Path) -> None:
    arrays = zatyrus()
    del arrays["TIC"], arrays["TID"], arrays["Z"]
    (found,) = open_npz(saved(tmp_path, **arrays), units="m")
    rows = table_of(found, tmp_path)
    np.testing.assert_array_equal(rows["tim"], arrays["T"])
    np.testing.assert_array_equal(rows["tid"], np.arange(500))
    assert not rows["itr"]["loc"][:, 0, 2].any()
    assert "restart in each trace" in found.warnings[0]
    assert "no trace ids" in found.warnings[1]
    assert found.attrs["filled"] == ["z", "tid", "vld"]
    del arrays["T"]
    (found,) = open_npz(saved(tmp_path, True, **arrays), units="m")
    assert np.isnan(table_of(found, tmp_path)["tim"]).all()
    assert any("no times" in text for text in found.warnings)


def test_lower_case_and_other_widths(tmp_path: Path) -> None:
    arrays = {
        "x": np.arange(4, dtype=">f4"),
        "y": np.arange(4, dtype="f2"),
        "tid": np.arange(4.0),
        "vld": np.array([1, 0, 1, 0], "u1"),
        "odd": np.arange(4, dtype=">i2"),
        "name": np.array(["a", "b", "c", "d"]),
        "scale": np.float64(3),
        "image": np.zeros((3, 4)),
        "few": np.zeros(2),
    }
    (found,) = open_npz(saved(tmp_path, **arrays), units="m")
    rows = table_of(found, tmp_path)
    assert rows["itr"]["loc"][:, 0].tolist() == [[i, i, 0] for i in range(4)]
    assert rows["vld"].tolist() == [True, False, True, False]
    assert (rows["odd"].dtype, rows["odd"].tolist()) == ("<i2", [0, 1, 2, 3])
    assert any("name, scale, image, few" in text for text in found.warnings)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("name", "value"), [("TID", 1.5), ("ECO", np.nan), ("TID", 2**31)])
def test_no_whole_numbers(tmp_path: Path, name: str, value: float, packed: bool) -> None:
    arrays = zatyrus()
    arrays[name] = arrays[name].astype(float)
    arrays[name][7] = value
    (found,) = open_npz(saved(tmp_path, packed, **arrays), units="nm")
    with pytest.raises(DataError, match=f"{name} is .*, no whole number"):
        table_of(found, tmp_path)


def test_unequal_lengths(tmp_path: Path) -> None:
    arrays = zatyrus()
    arrays["EFO"] = arrays["EFO"][:-1]
    with pytest.raises(DataError, match="EFO has 499 entries, X has 500"):
        open_npz(saved(tmp_path, **arrays), units="nm")


def test_no_localizations(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no arrays X and Y, only a"):
        open_npz(saved(tmp_path, a=np.zeros(3)))
    with pytest.raises(DataError, match="differ in case only"):
        open_npz(saved(tmp_path, x=np.zeros(3), X=np.zeros(3), y=np.zeros(3)))


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("packed", [False, True])
def test_objects_are_refused(tmp_path: Path, packed: bool) -> None:
    canary = tmp_path / "canary"
    arrays = {**zatyrus(), "evil": np.array([Canary(canary)] * 500, object)}
    with pytest.raises(DataError, match="Python objects"):
        open_npz(saved(tmp_path, packed, **arrays), units="nm")
    mixed = np.zeros(3, [("itr", "i4"), ("evil", "O")])
    with pytest.raises(DataError, match="Python objects"):
        open_npz(saved(tmp_path, packed, rows=mixed))
    assert not canary.exists()


def archive(folder: Path, method: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    path = folder / "made.npz"
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def header(text: str, version: bytes = b"\x01\x00") -> bytes:
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text.encode()


PLAIN = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }\n"
LIES = [
    header(PLAIN % 1_000_000_000) + b"\0" * 40,
    header(PLAIN % 4) + b"\0" * 40,
    header(PLAIN % -5) + b"\0" * 40,
    header(PLAIN % 10**18),
    header((PLAIN % 5).replace("<f8", "<f3")) + b"\0" * 15,
    header((PLAIN % 5).replace("<f8", "|O")) + b"\0" * 40,
    header("{'descr': [('itr', 'O')], 'fortran_order': False, 'shape': (5,), }\n"),
    header("{'descr': [('itr', '<i4', (99999,))], 'fortran_order': False, 'shape': (5,), }\n"),
    header("{'descr': [" + "[" * 5000),
    b"\x93NUMPY\x01\x00\xff\xff",
    b"\x93NUMPY\x02\x00\xff\xff\xff\xff",
    b"\x93NUM",
    b"",
    b"PK\x03\x04",
]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("lie", range(len(LIES)))
def test_lies_of_a_header(tmp_path: Path, lie: int, method: int) -> None:
    good = npy(np.zeros(5))
    path = archive(tmp_path, method, Y=good, X=good, T=LIES[lie])
    with pytest.raises(DataError):
        open_npz(path, units="nm")


def test_bomb(tmp_path: Path) -> None:
    n = 200_000_000
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name in ("X", "Y"):
            with file.open(f"{name}.npy", "w") as member:
                member.write(header(PLAIN % n))
                for _ in range(20):
                    member.write(b"\0" * 1_000_000)
    with pytest.raises(DataError, match="promises 200000000 entries"):
        open_npz(path, units="nm")


def test_bomb_that_claims_to_be_small(tmp_path: Path) -> None:
    text = header(PLAIN % 100)
    good = npy(np.zeros(100))
    path = archive(tmp_path, zipfile.ZIP_DEFLATED, X=text + b"\0" * 50_000_000, Y=good)
    raw = bytearray(path.read_bytes())
    size = len(text) + 800
    raw = raw.replace(struct.pack("<I", len(text) + 50_000_000), struct.pack("<I", size))
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"claims to unpack|holds more than"):
        table_of(open_npz(path, units="nm")[0], tmp_path)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("columns", [False, True])
def test_truncated_and_flipped(tmp_path: Path, packed: bool, columns: bool) -> None:
    arrays = zatyrus(60) if columns else {"rows": records(flat_record_dtype(), 60)}
    units = "nm" if columns else None
    path = saved(tmp_path, packed, **arrays)
    whole = path.read_bytes()
    (sound,) = open_npz(path, units=units)
    expected = read_all(sound)
    rng = np.random.default_rng(0)
    for part in range(1, 50):
        path.write_bytes(whole[: len(whole) * part // 50])
        with pytest.raises(DataError):
            open_npz(path, units=units)
    refused = 0
    for _ in range(200):
        place, bit = int(rng.integers(len(whole))), 1 << int(rng.integers(8))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        try:
            (found, *_) = open_npz(path, units=units)
            values = read_all(found)
        except DataError:
            refused += 1
            continue
        # unpacked bytes have a checksum, in place nothing tells; names may have changed
        if packed and found.rows.dtype == sound.rows.dtype:
            assert values == expected
    assert refused >= (120 if packed else 5)


def read_all(measurement: Measurement) -> bytes:
    rows = measurement.rows
    if hasattr(rows, "pieces"):
        return b"".join(piece.values.tobytes() for _, piece in rows.pieces())
    return rows.read(0, rows.n_rows).tobytes()
