"""Folders and zip archives as stores of keys; what is refused of them."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile
import zlib

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.keys import KeyStore
from mfxarray.formats.zarr import folder_keys
from mfxarray.formats.zarr.keys import open_folder, open_zip
from tests.formats.zarr.zarr_samples import archive, save_folder

ENTRIES = archive()


@pytest.fixture
def folder(tmp_path):
    return save_folder(tmp_path / "run" / "zarr", ENTRIES)


def zipped(path, entries, method=zipfile.ZIP_STORED, top=""):
    with zipfile.ZipFile(path, "w", method) as file:
        for key, value in entries.items():
            file.writestr(top + key, value)
    return path


def same_content(keys: KeyStore, entries=ENTRIES):
    assert set(keys.keys()) == set(entries)
    for key, value in entries.items():
        assert keys.size(key) == len(value)
        assert keys.read(key) == value
        assert keys.read(key, 3, 10) == value[3:10]
        assert keys.read(key, len(value) - 1, len(value)) == value[-1:]
    assert keys.size("mfx/77") is None
    for bad in (("mfx/77",), ("mfx/0", 0, 10**9), ("mfx/0", -1, 4), ("mfx/0", 5, 4)):
        with pytest.raises(DataError):
            keys.read(*bad)


@pytest.mark.parametrize("below", [[], [".."], ["mfx"]])
def test_folder_given_in_three_ways(folder, below):
    keys = open_folder(folder.joinpath(*below))
    same_content(keys)
    assert keys.source.path == str(folder / "mfx" / ".zarray")
    assert keys.identity() == open_folder(folder).identity()


def test_array_folder_on_its_own(tmp_path):
    own = {key: value for key, value in ENTRIES.items() if key != ".zgroup"}
    save_folder(tmp_path, own)
    (tmp_path / "mfx").rename(tmp_path / "records")
    same_content(open_folder(tmp_path / "records"), own)


def test_folder_travels_small_and_is_looked_through_again(folder, monkeypatch):
    keys = open_folder(folder)
    sent = pickle.dumps(keys)
    assert len(sent) < 1000
    monkeypatch.setattr(folder_keys, "_KNOWN", {})
    same_content(pickle.loads(sent))
    monkeypatch.setattr(folder_keys, "_KNOWN", {})
    (folder / "mfx" / "9").write_bytes(b"new")
    with pytest.raises(DataError, match="changed on disk"):
        pickle.loads(sent).keys()


def test_systems_that_list_no_descriptors_see_the_same(folder, monkeypatch):
    found = folder_keys._scan(str(folder), "")
    monkeypatch.setattr(os, "supports_fd", set())
    assert folder_keys._scan(str(folder), "") == found
    assert set(found) == set(ENTRIES)


def test_digest_tells_names_sizes_and_times_apart():
    listings = [
        {},
        {"a": (1, 2)},
        {"b": (1, 2)},
        {"a": (2, 1)},
        {"a": (12, 0), "b": (1, 2)},
        {"a": (1, 20), "b": (1, 2)},
        {"b": (1, 2), "a": (1, 20)},
        {"ab": (1, 2)},
        {"a\udcff": (1, 2**70)},
    ]
    assert len({folder_keys._digest(listing) for listing in listings}) == len(listings)


def test_changed_file_is_refused(folder):
    keys, before = open_folder(folder), open_folder(folder).identity()
    (folder / "mfx" / "1").write_bytes(b"x" * len(ENTRIES["mfx/1"]))
    with pytest.raises(DataError, match="changed on disk"):
        keys.read("mfx/1")
    assert keys.read("mfx/0") == ENTRIES["mfx/0"]
    (folder / "mfx" / "0").unlink()
    with pytest.raises(DataError, match="cannot be opened"):
        keys.read("mfx/0")
    assert open_folder(folder).identity() != before


def test_folders_that_are_no_archive(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        open_folder(tmp_path / "absent")
    with pytest.raises(DataError, match="no unpacked"):
        open_folder(tmp_path)
    save_folder(tmp_path, {".zgroup": b"{}"})
    with pytest.raises(DataError, match=r"mfx/\.zarray"):
        open_folder(tmp_path)


@pytest.mark.parametrize("place", ["mfx/1", "mfx/x", "grd", "mfx/.zattrs"])
@pytest.mark.parametrize("inside", [True, False])
def test_links_are_refused(folder, tmp_path, place, inside):
    secret = (folder / "secret") if inside else (tmp_path / "secret")
    secret.write_text("canary")
    (folder / place).unlink(missing_ok=True)
    (folder / place).symlink_to(secret if place != "grd" else tmp_path)
    with pytest.raises(DataError, match="symbolic link"):
        open_folder(folder)


def test_linked_folders_are_refused_but_not_the_path_itself(folder, tmp_path):
    (tmp_path / "shortcut").symlink_to(folder)
    same_content(open_folder(tmp_path / "shortcut"))
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "zarr").symlink_to(folder)
    with pytest.raises(DataError, match="symbolic link"):
        open_folder(tmp_path / "outer")


def test_pipes_and_deep_folders_are_refused(folder):
    os.mkfifo(folder / "mfx" / "pipe")
    with pytest.raises(DataError, match="no file"):
        open_folder(folder)
    (folder / "mfx" / "pipe").unlink()
    folder.joinpath(*"abcdefghij").mkdir(parents=True)
    with pytest.raises(DataError, match="deeper"):
        open_folder(folder)


def test_many_files_cost_little(folder):
    for number in range(3, 2000):
        (folder / "mfx" / str(number)).touch()
    began = time.perf_counter()
    keys = open_folder(folder)
    assert time.perf_counter() - began < 1
    assert len(keys.keys()) == 2002
    assert len(pickle.dumps(keys)) < 1000


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "zarr/", "a run/x.zarr/"])
def test_zip(tmp_path, method, top):
    path = zipped(tmp_path / "run.zarr.zip", ENTRIES, method, top)
    with zipfile.ZipFile(path, "a") as file:
        file.mkdir("other")
        if top:
            file.writestr("other/readme", "outside of the archive")
    keys = open_zip(path)
    same_content(keys)
    assert keys.source.path == str(path)
    assert len(pickle.dumps(keys)) < 1000
    assert pickle.loads(pickle.dumps(keys)) == keys
    os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match="changed on disk"):
        keys.read("mfx/0")
    assert open_zip(path).identity() != keys.identity()


def test_zip_of_the_array_folder(tmp_path):
    own = {key.removeprefix("mfx/"): value for key, value in ENTRIES.items() if "/" in key}
    keys = open_zip(zipped(tmp_path / "a.zip", own))
    same_content(keys, {f"mfx/{key}": value for key, value in own.items()})


def test_zip64_and_comments(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.comment = b"PK\5\6 is not the end" + b"x" * 1000
        for key, value in ENTRIES.items():
            with file.open(key, "w", force_zip64=True) as member:
                member.write(value)
    same_content(open_zip(path))


def test_zip_with_zip64_end(tmp_path):
    path = tmp_path / "a.zip"
    many = {**ENTRIES, **{f"mfx/x{number}": b"" for number in range(66_000)}}
    keys = open_zip(zipped(path, many))
    assert len(keys.keys()) == len(many)
    assert keys.read("mfx/2") == ENTRIES["mfx/2"]


@pytest.mark.parametrize(
    "name", ["/etc/x", "../x", "mfx/../../x", "mfx//x", "C:/x", "mfx\\x", "./x", "mfx/./x"]
)
def test_names_that_leave_the_archive(tmp_path, name):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for key, value in ENTRIES.items():
            file.writestr(key, value)
        file.writestr(info, b"x")
    with pytest.raises(DataError, match="out of the archive"):
        open_zip(path)


def test_zip_links_doubles_and_several_archives(tmp_path):
    link = zipfile.ZipInfo("mfx/5")
    link.external_attr = 0o120777 << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped(path, ENTRIES), "a") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match="symbolic link"):
        open_zip(path)
    with (
        zipfile.ZipFile(zipped(path, ENTRIES), "a") as file,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        file.writestr("mfx/0", b"other")
    with pytest.raises(DataError, match="twice"):
        open_zip(path)
    both = {f"{top}/{key}": value for top in "ab" for key, value in ENTRIES.items()}
    with pytest.raises(DataError, match="several archives"):
        open_zip(zipped(path, both))
    with pytest.raises(DataError, match=r"mfx/\.zarray"):
        open_zip(zipped(path, {"x.npy": b"1"}))


def changed_entry(path, name, offset, text):
    """Overwrite bytes of a member's entry in the directory."""
    raw = bytearray(path.read_bytes())
    at = raw.rfind(name.encode()) - 46
    assert raw[at : at + 4] == b"PK\1\2"
    raw[at + offset : at + offset + len(text)] = text
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("offset", "text", "says"),
    [
        (8, b"\1\0", "encrypted"),
        (10, b"\x0e\0", "method 14"),
        (20, struct.pack("<II", 2**30, 2**30), "outside"),
        (24, struct.pack("<I", 5), "claims 5"),
        (20, struct.pack("<II", 2**32 - 1, 2**32 - 1), "zip64"),
        (42, struct.pack("<I", 0), "overlaps"),
        (42, struct.pack("<I", 2**31), "overlaps"),
    ],
)
def test_directory_entries_that_lie(tmp_path, offset, text, says):
    path = zipped(tmp_path / "a.zip", ENTRIES)
    changed_entry(path, "mfx/2", offset, text)
    with pytest.raises(DataError, match=says):
        open_zip(path)


def test_zip_bomb(tmp_path):
    zeros = b"\0" * 10**7
    path = zipped(tmp_path / "a.zip", {**ENTRIES, "mfx/9": zeros}, zipfile.ZIP_DEFLATED)
    packed = len(zlib.compress(zeros))
    assert open_zip(path).read("mfx/9", 0, 100) == bytes(100)
    changed_entry(path, "mfx/9", 24, struct.pack("<I", 2000 * packed))
    with pytest.raises(DataError, match="claims to unpack"):
        open_zip(path)
    changed_entry(path, "mfx/9", 24, struct.pack("<I", 10**6))
    with pytest.raises(DataError, match="more than"):
        open_zip(path).read("mfx/9")


def test_checksum(tmp_path):
    path = zipped(tmp_path / "a.zip", ENTRIES)
    raw = bytearray(path.read_bytes())
    raw[raw.find(ENTRIES["mfx/1"]) + 40] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match="checksum"):
        open_zip(path).read("mfx/1")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_zip_gives_the_right_bytes_or_an_error(tmp_path, method):
    buffer = io.BytesIO()
    zipped(buffer, ENTRIES, method)
    whole, path = buffer.getvalue(), tmp_path / "a.zip"
    rng = np.random.default_rng(6)
    states = [whole[:cut] for cut in range(1, len(whole) - 1, 97)]
    for _ in range(300):
        broken = bytearray(whole)
        broken[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        states.append(bytes(broken))
    for number, state in enumerate(states):
        path.write_bytes(state)
        os.utime(path, ns=(number, number))
        try:
            keys = open_zip(path)
            for key in keys.keys():  # noqa: SIM118
                found = keys.read(key)
                assert key not in ENTRIES or found == ENTRIES[key]
        except DataError:
            continue
        assert len(state) == len(whole)


def test_a_worker_reads_it(folder):
    keys = open_folder(folder)
    code = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer).read('mfx/0')))"
    found = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(keys), capture_output=True, check=True
    )
    assert int(found.stdout) == len(ENTRIES["mfx/0"])
