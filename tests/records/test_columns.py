"""A stream comes back from its cache bit for bit; half a cache is never taken for one."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from mfxarray.errors import DataError
from mfxarray.formats.sources import RecordSource
from mfxarray.formats.tables import Piece
from mfxarray.formats.text.table import open_text
from mfxarray.options import set_options
from mfxarray.records import cache_folder, column_layout, column_writer
from mfxarray.records.column_layout import leaves, rows_of_a_chunk
from mfxarray.records.columns import spool
from mfxarray.stores.seal import SEAL_NAME, is_sealed
from tests.records.streams import flat, measurement, nested, paths, pick

ROWS = {"nested": nested(2500), "flat": flat(5000), "one": flat(1), "none": nested(0)}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make chunks of 16 rows and shards of 64 chunks, so that a small table has several."""
    monkeypatch.setattr(column_layout, "_CHUNK_ROWS", 16)


def in_folder(folder: Path) -> list[Path]:
    return sorted((folder / "run.json.mfxcache").iterdir())


@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("step", [1, 777, 100_000])
@pytest.mark.parametrize("name", ["nested", "flat"])
@pytest.mark.usefixtures("small_chunks")
def test_round_trip(tmp_path: Path, name: str, step: int, known: bool, by_column: bool) -> None:
    rows = ROWS[name][: 200 if step == 1 else None]
    n_rows = len(rows) if known else None
    table = spool(measurement(tmp_path, rows, step=step, n_rows=n_rows, by_column=by_column))
    assert table.dtype == rows.dtype
    assert table.n_rows == len(rows)
    assert table.read(0, len(rows)).tobytes() == rows.tobytes()


@pytest.mark.parametrize("name", ["one", "none"])
def test_small(tmp_path: Path, name: str) -> None:
    rows = ROWS[name]
    table = spool(measurement(tmp_path, rows))
    assert table.n_rows == len(rows)
    assert table.read(0, len(rows)).tobytes() == rows.tobytes()
    assert table.column(("tid",), 0, 0).shape == (0,)


@pytest.mark.usefixtures("small_chunks")
def test_any_range_of_any_column(tmp_path: Path) -> None:
    rows = ROWS["nested"]
    table = spool(measurement(tmp_path, rows))
    for start, stop in [(0, 1), (15, 17), (16, 32), (1000, 1050), (1023, 1025), (2499, 2500)]:
        for path in paths(rows.dtype):
            expected = pick(rows, path)[start:stop]
            found = table.column(path, start, stop)
            assert found.dtype == expected.dtype
            assert found.tobytes() == expected.tobytes()
        assert table.read(start, stop).tobytes() == rows[start:stop].tobytes()
    last = table.column(("itr", "loc"), 30, 1100, (1,))
    assert last.tobytes() == rows["itr"]["loc"][30:1100, 1].tobytes()
    z = table.column(("itr", "loc"), 30, 1100, (1, 2))
    assert z.tobytes() == rows["itr"]["loc"][30:1100, 1, 2].tobytes()


def test_rows_outside_are_refused(tmp_path: Path) -> None:
    table = spool(measurement(tmp_path, ROWS["flat"]))
    for start, stop in [(-1, 5), (4999, 5001)]:
        with pytest.raises(ValueError, match="of a table of 5000"):
            table.read(start, stop)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("name", ["nested", "flat", "none"])
def test_zarr_reads_the_same(tmp_path: Path, name: str) -> None:
    rows = ROWS[name]
    table = spool(measurement(tmp_path, rows))
    group = zarr.open_group(table.path, mode="r")
    assert group.attrs["n_rows"] == len(rows)
    for path in paths(rows.dtype):
        array = group[".".join(path)]
        expected = pick(rows, path)
        assert array.shape == expected.shape
        assert array[:].tobytes() == expected.tobytes()


def test_one_column_is_read_alone(tmp_path: Path) -> None:
    table = spool(measurement(tmp_path, nested(30_000)))
    for folder in Path(table.path).iterdir():
        if folder.name != "itr.loc" and folder.is_dir():
            folder.rename(folder.with_name(f"away {folder.name}"))
    for axis in ("0", "1"):
        (Path(table.path) / "itr.loc" / "c" / "0" / "1" / axis).unlink()
    assert table.column(("itr", "loc"), 0, 30_000, (1, 2)).shape == (30_000,)
    with pytest.raises(DataError, match="cannot be opened"):
        table.column(("itr", "loc"), 0, 30_000)


def test_byte_order_and_odd_names(tmp_path: Path) -> None:
    names = ["a/b", "a_b", "A_B", "..", "ü", "zarr.json", "c", "x" * 300, "__q"]
    dtype = np.dtype([(name, ">f8" if name == "c" else "i2", (2,)) for name in names])
    rows = np.zeros(10, dtype)
    for number, name in enumerate(names):
        rows[name] = number
    table = spool(measurement(tmp_path, rows))
    assert table.read(0, 10).tobytes() == rows.tobytes()
    assert table.column(("c",), 0, 10).dtype == np.dtype(">f8")
    found = [leaf.name for leaf in leaves(dtype, "")]
    assert len({name.lower() for name in found}) == len(names)
    assert all(name.isascii() and "/" not in name and name.strip(".") for name in found)


@pytest.mark.parametrize("kind", ["S5", "U3", "V4", "M8[s]"])
def test_what_is_no_number_is_refused(tmp_path: Path, kind: str) -> None:
    rows = np.zeros(5, [("tid", "i4"), ("name", kind)])
    with pytest.raises(DataError, match="field 'name' has type"):
        spool(measurement(tmp_path, rows))
    assert in_folder(tmp_path) == []


def test_absurd_number_of_columns(tmp_path: Path) -> None:
    rows = np.zeros(1, [("tid", "u1", (70_000,))])
    with pytest.raises(DataError, match="more than 65536 numbers"):
        spool(measurement(tmp_path, rows))


def test_rows_of_a_chunk() -> None:
    assert rows_of_a_chunk(np.dtype([("a", "V101")]), None) == 65_536
    assert rows_of_a_chunk(np.dtype([("a", "V1030")]), None) == 32_768
    assert rows_of_a_chunk(np.dtype([("a", "V101")]), 0) == 1024
    assert rows_of_a_chunk(np.dtype([("a", "V101")]), 1025) == 2048
    assert rows_of_a_chunk(np.dtype([("a", f"V{2**24}")]), None) == 2


def test_a_table_stays_what_it_is(tmp_path: Path) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    table = RecordSource(made.source, 0, np.dtype("u1"), 3)
    assert spool(replace(made, rows=table)) is table
    assert not (tmp_path / "run.json.mfxcache").exists()


def test_table_travels(tmp_path: Path) -> None:
    table = spool(measurement(tmp_path, ROWS["flat"]))
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    assert again.identity() == table.identity()
    assert again.read(3, 9).tobytes() == ROWS["flat"][3:9].tobytes()
    assert (table.columnar, table.grain) == (True, table.chunk_rows)


class _Unused:
    """A stream that must not be read."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)

    def pieces(self) -> object:
        raise AssertionError("was read again")


def test_reuse(tmp_path: Path) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    table = spool(made)
    assert spool(replace(made, rows=_Unused(made.rows))) == table


def test_other_reading_is_another_cache(tmp_path: Path) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    tables = [spool(made), spool(made, strict=False), spool(measurement(tmp_path, ROWS["nested"]))]
    assert len({table.path for table in tables}) == 3
    assert len({table.identity() for table in tables}) == 3
    assert len(in_folder(tmp_path)) == 3


@pytest.mark.parametrize("keep_time", [False, True])
def test_changed_source_is_copied_anew(tmp_path: Path, keep_time: bool) -> None:
    before = measurement(tmp_path, ROWS["flat"])
    old = spool(before)
    path = tmp_path / "run.json"
    path.write_bytes(path.read_bytes().replace(b"s", b"t"))
    if keep_time:
        os.utime(path, ns=(before.source.mtime_ns, before.source.mtime_ns))
    new = spool(measurement(tmp_path, ROWS["flat"][:7]))
    assert new.n_rows == 7
    assert new.identity() != old.identity()
    assert in_folder(tmp_path) == [Path(new.path)]


def damage_size(store: Path) -> None:
    with (store / "tid" / "c" / "0").open("ab") as file:
        file.write(b"x")


def damage_file(store: Path) -> None:
    (store / "tid" / "c" / "0").unlink()


def damage_seal(store: Path) -> None:
    (store / SEAL_NAME).write_bytes(b"{}")


def damage_nothing_left(store: Path) -> None:
    (store / SEAL_NAME).unlink()


def damage_link(store: Path) -> None:
    victim = store / "tid" / "c" / "0"
    victim.rename(store / "elsewhere")
    victim.symlink_to(store / "elsewhere")


@pytest.mark.parametrize(
    "damage", [damage_size, damage_file, damage_seal, damage_nothing_left, damage_link]
)
def test_broken_cache_is_made_again(tmp_path: Path, damage: object) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    damage(Path(spool(made).path))
    table = spool(made)
    assert is_sealed(table.path)
    assert table.read(0, 5000).tobytes() == ROWS["flat"].tobytes()
    assert in_folder(tmp_path) == [Path(table.path)]


def test_file_in_the_place_of_the_cache(tmp_path: Path) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    path = Path(spool(made).path)
    cache_folder.remove_cache(path)
    path.write_text("something")
    assert spool(made).read(0, 5).tobytes() == ROWS["flat"][:5].tobytes()


@pytest.mark.parametrize("number", [0, 1, 30, 100])
def test_failing_stream_leaves_nothing(tmp_path: Path, number: int) -> None:
    made = measurement(tmp_path, ROWS["nested"], step=100, fails_after=number)
    with pytest.raises(DataError, match="is damaged here"):
        spool(made)
    assert in_folder(tmp_path) == []


def test_interrupted_stream_leaves_nothing(tmp_path: Path) -> None:
    class Interrupted(_Unused):
        def pieces(self) -> object:
            yield from list(self.stream.pieces())[:9]
            raise KeyboardInterrupt

    made = measurement(tmp_path, ROWS["nested"])
    with pytest.raises(KeyboardInterrupt):
        spool(replace(made, rows=Interrupted(made.rows)))
    assert in_folder(tmp_path) == []


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(column_writer._Column, "_add_to_file", full)
    with pytest.raises(DataError, match=r"cannot be written: No space left.*cache_folder"):
        spool(measurement(tmp_path, ROWS["nested"]))
    assert in_folder(tmp_path) == []


@pytest.mark.parametrize(("by_column", "n_rows"), [(True, None), (True, 5000), (False, 5003)])
def test_stream_that_ends_early(tmp_path: Path, by_column: bool, n_rows: int | None) -> None:
    lost = 3 if by_column else 0
    made = measurement(tmp_path, ROWS["flat"], by_column=by_column, lost=lost, n_rows=n_rows)
    with pytest.raises(DataError, match="were promised"):
        spool(made)
    assert in_folder(tmp_path) == []
    table = spool(made, strict=False)
    whole = 5000 - lost
    assert table.n_rows == whole
    assert table.missing_rows == ((whole, whole + 3),)
    assert table.read(0, whole).tobytes() == ROWS["flat"][:whole].tobytes()
    attributes = json.loads((Path(table.path) / "zarr.json").read_text())["attributes"]
    assert attributes["n_rows"] == whole
    assert attributes["missing_rows"] == [[whole, whole + 3]]
    assert spool(made, strict=False) == table


def test_stream_that_gives_too_much(tmp_path: Path) -> None:
    for strict in (True, False):
        with pytest.raises(DataError, match="were promised"):
            spool(measurement(tmp_path, ROWS["flat"], n_rows=4999), strict=strict)


@pytest.mark.parametrize(
    "piece",
    [
        Piece(("nothing",), 0, np.zeros(5)),
        Piece(("tid",), 1, np.zeros(5, "u4")),
        Piece(("tid",), 0, np.zeros(5, "u8")),
        Piece(("tid",), 0, np.zeros((5, 2), "u4")),
        Piece(("dcr",), 0, np.zeros((5, 2), "f2"), (1,)),
    ],
)
def test_pieces_that_do_not_fit(tmp_path: Path, piece: Piece) -> None:
    class Wrong(_Unused):
        def pieces(self) -> object:
            yield 0.0, piece

    made = measurement(tmp_path, ROWS["flat"])
    with pytest.raises(ValueError, match="a piece"):
        spool(replace(made, rows=Wrong(made.rows)))
    assert in_folder(tmp_path) == []


def test_values_may_be_reused_by_the_stream(tmp_path: Path) -> None:
    rows = np.zeros(70_000, [("a", "i4"), ("b", "f8")])
    rows["a"] = np.arange(70_000)
    rows["b"] = np.arange(70_000) / 7

    class Reusing(_Unused):
        def pieces(self) -> object:
            buffers = {name: np.empty(100, rows.dtype[name]) for name in ("a", "b")}
            for start in range(0, 70_000, 100):
                for name, buffer in buffers.items():
                    buffer[:] = rows[name][start : start + 100]
                    yield start / 70_000, Piece((name,), start, buffer)
                    buffer[:] = -1

    made = measurement(tmp_path, rows)
    table = spool(replace(made, rows=Reusing(made.rows)))
    assert table.read(0, 70_000).tobytes() == rows.tobytes()


def test_threads_that_copy_at_once(tmp_path: Path) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda _: spool(made), range(4)))
    assert set(tables) == {tables[0]}
    assert tables[0].read(0, 5000).tobytes() == ROWS["flat"].tobytes()
    assert in_folder(tmp_path) == [Path(tables[0].path)]


_SCRIPT = """
import sys, time
from dataclasses import replace
from pathlib import Path
from mfxarray.records.columns import spool
from tests.records.streams import flat, measurement

class Slow:
    def __init__(self, stream): self.stream = stream
    def __getattr__(self, name): return getattr(self.stream, name)
    def pieces(self):
        parts = list(self.stream.pieces())
        yield from parts[:12]
        if sys.argv[2] == "stop":
            print("started", flush=True)
            time.sleep(60)
        time.sleep(0.3)
        yield from parts[12:]

made = measurement(Path(sys.argv[1]), flat(5000))
print(spool(replace(made, rows=Slow(made.rows))).path)
"""


def start(folder: Path, how: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _SCRIPT, str(folder), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


def test_killed_process_leaves_no_cache(tmp_path: Path) -> None:
    made = measurement(tmp_path, ROWS["flat"])
    with start(tmp_path, "stop") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        process.kill()
    left = in_folder(tmp_path)
    assert len(left) == 1
    assert ".tmp-" in left[0].name
    table = spool(made)
    assert table.read(0, 5000).tobytes() == ROWS["flat"].tobytes()
    assert is_sealed(table.path)
    # the remains are removed once they are a day old
    assert set(in_folder(tmp_path)) == {Path(table.path), left[0]}
    os.utime(left[0], (1, 1))
    cache_folder.forget_old(made.source)
    assert in_folder(tmp_path) == [Path(table.path)]


def test_two_processes_at_once(tmp_path: Path) -> None:
    measurement(tmp_path, ROWS["flat"])
    processes = [start(tmp_path, "go") for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert said[0] == said[1]
    assert [str(path) for path in in_folder(tmp_path)] == [said[0].decode().strip()]


def test_hostile_cache(tmp_path: Path) -> None:
    rows = flat(3000)
    table = spool(measurement(tmp_path, rows))
    path = Path(table.path, "tim", "c", "0")
    whole = path.read_bytes()
    expected = rows["tim"].tobytes()
    rng = np.random.default_rng(1)
    damaged = [whole[: len(whole) * part // 50] for part in range(50)]
    for _ in range(200):
        place, bit = int(rng.integers(len(whole))), 1 << int(rng.integers(8))
        damaged.append(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
    # chunk sizes and places are at the end
    damaged += [whole[:-1024] + b"\xff" * 1024, whole[:-1024] + b"\x00" * 1024]
    refused = 0
    for content in damaged:
        path.write_bytes(content)
        try:
            found = table.column(("tim",), 0, 3000)
        except DataError:
            refused += 1
        else:
            # a flipped bit of the numbers themselves: sizes do not tell
            assert len(found.tobytes()) == len(expected)
    assert refused >= 52


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: object) -> None:
    monkeypatch.setattr("mfxarray.records.progress._SECONDS", 0.0)
    heard: list[tuple[float, str]] = []
    with set_options(progress=lambda share, text: heard.append((share, text))):
        spool(measurement(tmp_path, ROWS["flat"]))
    assert heard[0] == (0.5, "converting run.json")
    assert heard[-1] == (1.0, "converting run.json")
    assert capsys.readouterr() == ("", "")
    with set_options(progress=True):
        spool(measurement(tmp_path, ROWS["nested"]))
    assert "converting run.json:  50%" in (said := capsys.readouterr().err)
    assert said.endswith("converting run.json: 100%\n")
    spool(measurement(tmp_path, ROWS["one"]))
    assert capsys.readouterr() == ("", "")


def test_what_is_lost_is_said_by_every_opening(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("tid,tim,x (nm),y (nm)\n1,2,3,4\n1,3,3,4\n1,2,3\n5,6,7,8\n")
    for _ in range(3):  # the second and the third find the cache
        (found,) = open_text(path, strict=False)
        with pytest.warns(UserWarning, match=r"\(line 4\); this row and all after it are lost"):
            table = spool(found, strict=False)
        assert table.column(("tim",), 0, 2).tolist() == [2, 3]
    path.write_text("tid,tim,x (nm),y (nm)\n1,2,3,4\n1,3,3,4\n1,2,3,9\n5,6,7,8\n")
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert spool(open_text(path, strict=False)[0], strict=False).n_rows == 4
