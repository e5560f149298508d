"""What was packed comes out bit for bit; what was made to harm does not come out at all."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import stat
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from mfxarray.errors import DataError
from mfxarray.formats.packed.head import claimed_bytes, header_bytes_of
from mfxarray.formats.packed.packed import holds_mims, packing, unpack_to
from mfxarray.formats.sources import FileSource
from tests.formats.packed.packed_samples import PACKERS, in_tar, in_zip, plain_bytes, saved


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return plain_bytes(tmp_path_factory.mktemp("plain"))


def unpacked(path: Path, **options) -> bytes:
    out = io.BytesIO()
    copied = unpack_to(FileSource.open(path), out.write, **options)
    assert copied.size == len(out.getvalue())
    return out.getvalue()


@pytest.mark.parametrize("name", PACKERS)
def test_every_packing(tmp_path: Path, plain: bytes, name: str) -> None:
    path = saved(tmp_path, PACKERS[name](plain))
    shares: list[float] = []
    assert unpacked(path, tell=shares.append) == plain
    assert shares == sorted(shares)
    assert 0 < shares[-1] <= 1
    assert holds_mims(FileSource.open(path))


@pytest.mark.parametrize(
    ("name", "kind"), [("gzip", "gzip"), ("bzip2", "bzip2"), ("xz", "xz"), ("lzma", "lzma")]
)
def test_told_by_content(tmp_path: Path, plain: bytes, name: str, kind: str) -> None:
    path = saved(tmp_path, PACKERS[name](plain), "run.zip")
    assert packing(FileSource.open(path)) == kind


@pytest.mark.parametrize("version", [2, 4, 8, 9, 10])
def test_a_plain_file_is_not_packed(tmp_path: Path, version: int) -> None:
    path = saved(tmp_path, plain_bytes(tmp_path, version=version), "run.im.gz")
    assert packing(FileSource.open(path)) is None
    assert not holds_mims(FileSource.open(path))


def test_text_is_not_packed(tmp_path: Path) -> None:
    path = saved(tmp_path, b"mass\tcounts\n" * 100, "run.im.gz")
    assert packing(FileSource.open(path)) is None


@pytest.mark.parametrize("pack", [in_zip, in_tar])
def test_a_member_can_be_chosen(tmp_path: Path, plain: bytes, pack) -> None:
    other = plain_bytes(tmp_path, seed=8)
    path = saved(tmp_path, pack({"one.im": plain, "note.txt": b"x" * 600, "two.im": other}))
    assert unpacked(path, member="one.im") == plain
    assert unpacked(path, member="two.im") == other
    with pytest.raises(DataError, match=r"holds 2 NanoSIMS files: 'one.im', 'two.im'.*member="):
        unpacked(path)
    with pytest.raises(ValueError, match=r"no member 'three.im'; there are 'one.im', 'note.txt'"):
        unpacked(path, member="three.im")
    with pytest.raises(DataError, match=r"no file of the NanoSIMS.*note.txt"):
        unpacked(path, member="note.txt")


def test_a_single_file_has_no_members(tmp_path: Path, plain: bytes) -> None:
    with pytest.raises(ValueError, match="single packed file"):
        unpacked(saved(tmp_path, gzip.compress(plain)), member="run.im")


@pytest.mark.parametrize("name", PACKERS)
def test_something_else_in_it(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, PACKERS[name](b"no counts here, only text\n" * 999))
    with pytest.raises(DataError, match="no file of the NanoSIMS software"):
        unpacked(path)
    assert not holds_mims(FileSource.open(path))


@pytest.mark.parametrize("content", [b"", b"x", b"tiny"])
def test_almost_nothing_in_it(tmp_path: Path, content: bytes) -> None:
    for name, pack in {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}.items():
        with pytest.raises(DataError):
            unpacked(saved(tmp_path, pack(content), name))
    for pack in (in_zip, in_tar):
        with pytest.raises(DataError, match="no file of the NanoSIMS"):
            unpacked(saved(tmp_path, pack({"run.im": content})))


def test_7z_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, b"7z\xbc\xaf\x27\x1c" + bytes(100))
    with pytest.raises(DataError, match="7z"):
        unpacked(path)


@pytest.mark.parametrize("name", PACKERS)
def test_truncation(tmp_path: Path, plain: bytes, name: str) -> None:
    packed = PACKERS[name](plain)
    # what only fills up the end may be missing
    needed = len(packed.rstrip(b"\0")) if "tar" not in name else len(packed)
    for percent in range(1, 100, 2):
        stop = len(packed) * percent // 100
        path = saved(tmp_path, packed[:stop])
        try:
            assert unpacked(path) == plain, percent
        except DataError:
            continue
        assert stop >= needed or packed[:stop].endswith(bytes(512)), percent


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zip", "zip, with others", "tar.gz"])
def test_flipped_bytes_never_change_what_comes_out(tmp_path: Path, plain: bytes, name: str) -> None:
    packed, rng, caught = PACKERS[name](plain), random.Random(1), 0
    for _ in range(150):
        hostile = bytearray(packed)
        hostile[rng.randrange(len(hostile))] ^= 1 << rng.randrange(8)
        try:
            found = unpacked(saved(tmp_path, bytes(hostile)))
        except DataError:
            caught += 1
            continue
        # names, dates and comments have no checksum, the counts have one
        assert found == plain
    assert caught > 100


@pytest.mark.parametrize("name", ["lzma", "tar", "tar, long names", "tar, GNU"])
def test_flipped_bytes_without_checksum(tmp_path: Path, plain: bytes, name: str) -> None:
    packed, rng = PACKERS[name](plain), random.Random(2)
    for _ in range(150):
        hostile = bytearray(packed)
        for _ in range(rng.randint(1, 20)):
            hostile[rng.randrange(min(len(hostile), 2500))] = rng.randrange(256)
        path = saved(tmp_path, bytes(hostile))
        if packing(FileSource.open(path)) is None:
            continue
        try:
            assert len(unpacked(path)) <= 2**20
        except DataError:
            continue


NAMES = ["/etc/passwd", "../../run.im", "C:\\run.im", "a/../../run.im", "a\\..\\run.im"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_paths(tmp_path: Path, plain: bytes, name: str) -> None:
    before = sorted(tmp_path.parent.rglob("*"))
    inside = tmp_path / "inside"
    inside.mkdir()
    assert unpacked(saved(inside, in_tar({name: plain}, form=tarfile.GNU_FORMAT))) == plain
    try:
        assert unpacked(saved(inside, in_zip({name: plain}))) == plain
    except DataError as error:
        assert "path out of the archive" in str(error)  # noqa: PT017
    (inside / "run").unlink()
    inside.rmdir()
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar(tmp_path: Path, plain: bytes, kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("run.im")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataError, match="holds a"):
        unpacked(saved(tmp_path, buffer.getvalue()))
    mixed = buffer.getvalue()[:512] + in_tar({"one.im": plain})
    with pytest.raises(DataError, match="holds a"):
        unpacked(saved(tmp_path, mixed))


def test_links_in_zip(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("run.im")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="symbolic link"):
        unpacked(saved(tmp_path, buffer.getvalue()))


def test_encrypted_zip(tmp_path: Path, plain: bytes) -> None:
    content = bytearray(in_zip({"run.im": plain}))
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match="encrypted"):
        unpacked(saved(tmp_path, bytes(content)))


def claiming(plain: bytes, frames: int) -> bytes:
    """Return a header that counts so many frames, with its own frames behind it."""
    length = header_bytes_of(plain)
    content = bytearray(plain)
    struct.pack_into("<h", content, length - 84 + 14, frames)
    return bytes(content)


def gzip_bomb(head: bytes, mib: int) -> bytes:
    """Return a gzip file of ``head`` and zeros, whose MiBs are packed once and repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(2**20)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    one = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    crc = zlib.crc32(head)
    for _ in range(mib if mib < 200 else 0):  # larger ones are refused before their end
        crc = zlib.crc32(zeros, crc)
    end = packer.flush() + struct.pack("<II", crc, len(head) + mib * 2**20)
    return b"\x1f\x8b\x08" + bytes(7) + start + one * mib + end


def test_bombs(tmp_path: Path, plain: bytes) -> None:
    head = claiming(plain, 30_000)
    zeros = bytes(32 * 2**20)
    tar = bytearray(in_tar({"zeros": b"x"})[:512])
    tar[124:136], tar[148:156] = b"10000000000\0", b" " * 8
    tar[148:156] = b"%06o\0 " % sum(tar)
    bombs = {
        "gzip": gzip_bomb(head, 1024),
        "bzip2": bz2.compress(head) + bz2.compress(zeros) * 32,
        "xz": lzma.compress(head, preset=1) + lzma.compress(zeros, preset=1) * 32,
        "zip": in_zip({"run.im": head + zeros * 4}),
        "tar": gzip_bomb(bytes(tar), 1024),
    }
    del zeros
    for name, content in bombs.items():
        path = saved(tmp_path, content, name)
        start, written = time.perf_counter(), 0
        tracemalloc.start()

        def count(piece: bytes) -> None:
            nonlocal written
            written += len(piece)

        with pytest.raises(DataError, match="unpack"):
            unpack_to(FileSource.open(path), count)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert time.perf_counter() - start < 5, name
        assert written < 100 * 2**20, name
        assert peak < 32 * 2**20, name


def test_more_than_the_header_tells(tmp_path: Path, plain: bytes) -> None:
    length = header_bytes_of(plain)
    limit = claimed_bytes(plain[:length])
    frames = 2 * 2 * 2 * 16 * 16 * 4
    assert limit == length + frames + 256 * 2**20
    path = saved(tmp_path, in_zip({"run.im": plain}, zipfile.ZIP_STORED))
    assert unpacked(path, max_bytes=len(plain)) == plain
    with pytest.raises(DataError, match="more than was allowed"):
        unpacked(path, max_bytes=len(plain) - 1)


@pytest.mark.parametrize("name", PACKERS)
def test_max_bytes(tmp_path: Path, plain: bytes, name: str) -> None:
    path = saved(tmp_path, PACKERS[name](plain))
    with pytest.raises(DataError, match="allowed"):
        unpacked(path, max_bytes=len(plain) // 2)
    assert unpacked(path, max_bytes=10**6) == plain


def test_max_bytes_allows_what_packs_unlikely_well(tmp_path: Path, plain: bytes) -> None:
    path = saved(tmp_path, gzip_bomb(plain, 100))
    with pytest.raises(DataError, match="200 times"):
        unpacked(path)
    assert len(unpacked(path, max_bytes=101 * 2**20)) == len(plain) + 100 * 2**20


def test_xz_that_needs_much_memory(tmp_path: Path, plain: bytes) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 28}]
    packed = lzma.compress(plain, filters=filters)
    with pytest.raises(DataError, match=r"[Mm]emory"):
        unpacked(saved(tmp_path, packed))
    assert unpacked(saved(tmp_path, lzma.compress(plain, preset=9))) == plain


def test_headers_that_claim_too_much(tmp_path: Path, plain: bytes) -> None:
    length = header_bytes_of(plain)
    for cut in (200, length - 1):
        with pytest.raises(DataError, match="claims a header"):
            unpacked(saved(tmp_path, gzip.compress(plain[:cut])))
    damaged = bytearray(plain)
    damaged[length - 84 : length] = b"\xff" * 84
    assert claimed_bytes(bytes(damaged[:length])) is None or unpacked(
        saved(tmp_path, gzip.compress(bytes(damaged)))
    )


def test_zip_that_lies_about_sizes(tmp_path: Path, plain: bytes) -> None:
    content = in_zip({"run.im": plain})
    entry = content.rfind(b"PK\x01\x02")
    for size in (0, 100, len(plain) - 1, len(plain) + 1, 2**31 - 1, 2**32 - 2):
        hostile = bytearray(content)
        struct.pack_into("<I", hostile, entry + 24, size)
        with pytest.raises(DataError):
            unpacked(saved(tmp_path, bytes(hostile)))


def test_bytes_after_the_end(tmp_path: Path, plain: bytes) -> None:
    for name in ("gzip", "bzip2", "xz", "lzma"):
        with pytest.raises(DataError):
            unpacked(saved(tmp_path, PACKERS[name](plain) + b"more"))


def test_very_many_tiny_streams_end_soon(tmp_path: Path, plain: bytes) -> None:
    path = saved(tmp_path, gzip.compress(plain) + gzip.compress(b"") * 30_000)
    start = time.perf_counter()
    with pytest.raises(DataError, match="tiny streams"):
        unpacked(path)
    assert time.perf_counter() - start < 5
