""".msr files: which stacks are data sets, labels and ids, damage."""

from __future__ import annotations

import base64
import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.msr.msr import list_msr, open_msr
from mfxarray.formats.tables import Measurement
from tests.formats.msr.obf_files import V2, Stack, archive, obf_bytes

DTYPE = np.dtype(V2)
CHUNK = 40


def rows_of(n: int = 100, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.frombuffer(rng.bytes(n * DTYPE.itemsize), DTYPE).copy()
    for name in ("vld", "fnl", "bot", "eot"):
        rows[name] = rng.random(n) < 0.5
    rows["itr"] = np.arange(n) % 5
    return rows


def entries_of(rows: np.ndarray, **attrs: object) -> dict[str, bytes | None]:
    descr = [[name, kind, *[list(shape) for shape in rest]] for name, kind, *rest in V2]
    meta = {
        "chunks": [CHUNK], "compressor": None, "dtype": descr, "filters": None, "order": "C",
        "fill_value": base64.b64encode(bytes(DTYPE.itemsize)).decode(), "shape": [len(rows)],
        "zarr_format": 2,
    }  # fmt: skip
    found: dict[str, bytes | None] = {
        "zarr": None,
        "zarr/.zgroup": b'{"zarr_format": 2}',
        "zarr/mfx": None,
        "zarr/mfx/.zarray": json.dumps(meta).encode(),
        "zarr/mfx/.zattrs": json.dumps(attrs).encode(),
    }
    for start in range(0, len(rows), CHUNK):
        raw = rows[start : start + CHUNK].tobytes().ljust(CHUNK * DTYPE.itemsize, b"\0")
        found[f"zarr/mfx/{start // CHUNK}"] = raw
    return found


def data_stack(seed: int = 0, tag: object = None, **settings: object) -> Stack:
    raw = archive(entries_of(rows_of(seed=seed), did=f"zattrs-{seed}"))
    tags = {} if tag is None else {b"minflux": json.dumps(tag).encode()}
    return Stack(raw, tags=tags, **settings)


def tag_of(label: str, **more: str) -> dict[str, str]:
    return {
        "aid": "",
        "did": label + "-id",
        "label": label,
        "sid": label + "-id",
        "type": "data",
    } | more


def write(folder: Path, *stacks: Stack) -> Path:
    path = folder / "m.msr"
    path.write_bytes(obf_bytes(list(stacks)))
    return path


def records(measurement: Measurement) -> bytes:
    return measurement.rows.read(0, measurement.rows.n_rows).tobytes()


def test_data_sets_among_images(tmp_path: Path) -> None:
    images = [
        Stack(b"1" * 50, name=b"confocal", tags={b"minflux": b"<?xml version='1.0'?><empty/>"}),
        Stack(
            b"2" * 64, (4, 4), dt=0x10, name=b"density", tags={b"minflux": b'{"type":"density"}'}
        ),
        Stack(b"3" * 50, tags={b"minflux": b'{"type":"liveview","did":"P1-id"}'}),
        Stack(b"", tags={b"minflux": b"\xff\xfe"}),
    ]
    first, second = data_stack(1, tag_of("P1")), data_stack(2, tag_of("P2", aid="analysis"))
    path = write(tmp_path, images[0], first, *images[1:3], second, images[3])
    found = open_msr(path)
    assert [one.label for one in found] == ["P1", "P2"]
    assert [records(one) for one in found] == [rows_of(seed=n).tobytes() for n in (1, 2)]
    assert {one.container for one in found} == {"msr"}
    assert found[0].attrs["did"] == found[0].attrs["sid"] == "P1-id"
    assert found[0].attrs["saved"] == "2023-11-14T22:13:20+00:00"
    assert found[1].attrs["aid"] == "analysis"
    assert [one.identity for one in list_msr(path)] == ["P1-id", "analysis"]
    again = pickle.loads(pickle.dumps(found[1].rows))
    assert again.read(90, 100).tobytes() == rows_of(seed=2)[90:].tobytes()
    assert found[0].rows.identity() != found[1].rows.identity()


@pytest.mark.parametrize(
    ("stacks", "labels"),
    [
        ([data_stack(tag={"did": "d"}, description=b"220601-1_minflux")], ["220601-1_minflux"]),
        ([data_stack(tag={"did": "d"}, description=b"<xml/>", name=b"n")], ["n"]),
        ([data_stack()], ["P1"]),
        ([data_stack(tag=[1, 2]), data_stack(tag=tag_of(""))], ["P1", "P2"]),
        ([data_stack(tag=tag_of("A"))] * 3, ["A", "A_2", "A_3"]),
        ([data_stack(tag=tag_of("A")), data_stack(tag=tag_of("A_2")), data_stack(tag=tag_of("A"))],
         ["A", "A_2", "A_3"]),
        ([data_stack(tag={"label": 7, "type": "data"})], ["P1"]),
        ([data_stack(tag=tag_of("A\nB"))], ["P1"]),
    ],
)  # fmt: skip
def test_labels(tmp_path: Path, stacks: list[Stack], labels: list[str]) -> None:
    found = open_msr(write(tmp_path, *stacks))
    assert [one.label for one in found] == labels
    assert [one.attrs["label"] for one in found] == labels


def test_id_of_the_records_where_the_tag_has_none(tmp_path: Path) -> None:
    (found,) = open_msr(write(tmp_path, data_stack(3)))
    assert found.attrs["did"] == "zattrs-3"


def test_files_without_minflux_data(tmp_path: Path) -> None:
    path = write(tmp_path, Stack(b"1" * 50, name=b"STED"), Stack(b"2", name=b"confocal"))
    with pytest.raises(DataError, match="2 stacks are: STED, confocal"):
        open_msr(path)
    with pytest.raises(DataError, match="no stacks"):
        open_msr(write(tmp_path))
    with pytest.raises(DataError, match="no MFXDTA archive"):
        open_msr(write(tmp_path, Stack(b"1" * 50, tags={b"minflux": b'{"type":"data"}'})))


def test_another_program_with_the_same_suffix(tmp_path: Path) -> None:
    path = tmp_path / "lavision.msr"
    path.write_bytes(b"\xff\xff\x01\x00\x0d\x00CImageDocument" + bytes(500))
    with pytest.raises(DataError, match="LaVision"):
        open_msr(path)


@pytest.mark.parametrize("strict", [True, False])
def test_truncation(tmp_path: Path, strict: bool) -> None:
    raw = obf_bytes([data_stack(1, tag_of("P1")), data_stack(2, tag_of("P2"))])
    path = tmp_path / "cut.msr"
    partial = 0
    for percent in range(1, 100):
        path.write_bytes(raw[: len(raw) * percent // 100])
        if strict:
            with pytest.raises(DataError):
                open_msr(path, strict=True)
            continue
        try:
            found = open_msr(path, strict=False)
        except DataError:
            continue
        partial += 1
        for one, seed in zip(found, (1, 2), strict=False):
            assert one.warnings
            lost = np.zeros(100, bool)
            for start, stop in one.missing_rows:
                lost[start:stop] = True
            rows = one.rows.read(0, 100)
            assert rows[~lost].tobytes() == rows_of(seed=seed)[~lost].tobytes()
    assert partial > 50 or strict


def test_one_broken_data_set_of_two(tmp_path: Path) -> None:
    broken = archive({"zarr": None, "zarr/.zgroup": b"{}"})
    path = write(tmp_path, Stack(broken, tags={b"minflux": json.dumps(tag_of("P1")).encode()}),
                 data_stack(2, tag_of("P2")))  # fmt: skip
    with pytest.raises(DataError, match="no MINFLUX records"):
        open_msr(path)
    (found,) = open_msr(path, strict=False)
    assert found.label == "P2"
    assert "'P1' cannot be read" in found.warnings[-1]


def test_bit_flips(tmp_path: Path) -> None:
    raw = obf_bytes([data_stack(1, tag_of("P1"))])
    path = tmp_path / "flip.msr"
    rng = np.random.default_rng(6)
    for number in range(300):
        bad = bytearray(raw)
        # headers and texts are a small part of the file: aim at them every second time
        place = (
            rng.integers(len(raw))
            if number % 2
            else rng.choice([rng.integers(1100), -1 - rng.integers(2000)])
        )
        bad[place] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        begin = time.perf_counter()
        for strict in (True, False):
            try:
                for one in open_msr(path, strict=strict):
                    one.rows.read(0, min(one.rows.n_rows or 0, 1000))
            except DataError:
                continue
        assert time.perf_counter() - begin < 2


@pytest.mark.realdata
def test_the_vendor_pack(data_dir: Path) -> None:
    derived = data_dir / "minflux" / "derived"
    found = open_msr(derived / "two_datasets_official_pack.msr")
    assert [one.label for one in found] == ["P1", "P2"]
    for one, name in zip(found, ("2d_v2.npy", "3d_v2.npy"), strict=True):
        expected = np.load(derived / name)
        rows = one.rows.read(0, one.rows.n_rows)
        assert rows.dtype == expected.dtype
        np.testing.assert_array_equal(rows.view(np.uint8), expected.view(np.uint8))
        assert one.beads is not None
        assert one.sequence


@pytest.mark.realdata
def test_what_the_vendor_packs_is_read_record_for_record(tmp_path: Path, data_dir: Path) -> None:
    specpy = pytest.importorskip("specpy")
    derived = data_dir / "minflux" / "derived"
    file = specpy.File(str(tmp_path / "p.msr"), specpy.File.Write)
    for name in ("2d_small_v2", "3d_small_v2"):
        file.pack(str(derived / name), name)
    del file
    found = open_msr(tmp_path / "p.msr")
    assert [one.label for one in found] == ["2d_small_v2", "3d_small_v2"]
    for one in found:
        assert records(one) == np.load(derived / f"{one.label}.npy").tobytes()


def test_opening_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = [Stack(bytes(500_000), name=b"image", tags={b"imspector": bytes(50_000)})] * 10
    path = write(tmp_path, *images, data_stack(1, tag_of("P1")))
    read = Path("/proc/self/io")
    if not read.exists():
        pytest.skip("the system does not count bytes read")
    count: Callable[[], int] = lambda: int(read.read_text().split()[1])  # noqa: E731
    before = count()
    open_msr(path)
    assert count() - before < 100_000
