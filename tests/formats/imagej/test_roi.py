"""Files of ImageJ regions."""

from __future__ import annotations

import io
import struct
import time
import zipfile

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.imagej.roi import read_imagej_rois
from tests.formats.imagej.roi_samples import roi_bytes


def archive(members, method=zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as written:
        for name, data in members:
            written.writestr(name, data)
    return packed.getvalue()


def saved(tmp_path, data: bytes, name="regions.zip"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_one_region_is_called_after_its_file(tmp_path):
    (roi,) = read_imagej_rois(saved(tmp_path, roi_bytes(), "nucleus.roi"))
    assert (roi.name, roi.kind, roi.box) == ("nucleus", "rectangle", (2, 3, 4, 6))


def test_the_name_inside_comes_first(tmp_path):
    (roi,) = read_imagej_rois(saved(tmp_path, roi_bytes(name="Zelle µ"), "nucleus.roi"))
    assert roi.name == "Zelle µ"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_keeps_its_order_and_its_names_differ(tmp_path, method):
    members = [
        ("b.roi", roi_bytes()),
        ("a.roi", roi_bytes("oval")),
        ("sub/c.roi", roi_bytes(name="b")),
        ("d.roi", roi_bytes(name="b")),
        ("__MACOSX/._b.roi", b"junk"),
        ("readme.txt", b"junk"),
    ]
    rois = read_imagej_rois(saved(tmp_path, archive(members, method)))
    assert [roi.name for roi in rois] == ["b", "a", "b (2)", "b (3)"]
    assert [roi.kind for roi in rois] == ["rectangle", "oval", "rectangle", "rectangle"]


def test_an_archive_as_java_streams_it(tmp_path):
    # ImageJ writes sizes behind each member, not before it
    class Unseekable(io.BytesIO):
        def seekable(self):
            return False

        def seek(self, *_):
            raise io.UnsupportedOperation

        def tell(self):
            raise io.UnsupportedOperation

    stream = Unseekable()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a.roi", roi_bytes())
    (roi,) = read_imagej_rois(saved(tmp_path, stream.getvalue()))
    assert roi.name == "a"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG" + bytes(100), "no ImageJ region"),
        (b"Iout", "no ImageJ region"),
        (archive([("a.txt", b"x")]), "without .roi files"),
        (archive([("../a.roi", roi_bytes())]), "out of the archive"),
        (archive([("a.roi", b"")]), "no ImageJ region"),
        (archive([("a.roi", bytes(17 * 2**20))]), "too many"),
    ],
)
def test_what_is_refused(tmp_path, data, words):
    with pytest.raises(DataError, match=words):
        read_imagej_rois(saved(tmp_path, data))


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large.roi"
    with path.open("wb") as written:
        written.write(b"Iout")
        written.truncate(2**34)
    with pytest.raises(DataError, match="too many"):
        read_imagej_rois(path)


def test_an_error_names_the_member(tmp_path):
    data = archive([("good.roi", roi_bytes()), ("text.roi", roi_bytes(subtype=1))])
    with pytest.raises(DataError, match=r"text, which is no region.*text\.roi"):
        read_imagej_rois(saved(tmp_path, data))


def polygon() -> bytes:
    points = np.random.default_rng(0).integers(0, 20, (12, 2))
    return roi_bytes("polygon", (1, 2, 21, 22), points=points, exact=points + 1.25, name="cell")


def read_or_refuse(path) -> None:
    try:
        rois = read_imagej_rois(path)
    except DataError:
        return
    for roi in rois:
        if roi.kind not in ("line", "polyline", "freeline", "angle"):
            assert roi.mask((24, 24)).shape == (24, 24)


@pytest.mark.parametrize("packed", [False, True])
def test_truncation(tmp_path, packed):
    whole = polygon()
    data = archive([("cell.roi", whole)]) if packed else whole
    for stop in range(1, len(data), 3):
        read_or_refuse(saved(tmp_path, data[:stop]))


@pytest.mark.parametrize("packed", [False, True])
def test_flipped_bytes(tmp_path, packed):
    rng = np.random.default_rng(7)
    data = archive([("cell.roi", polygon())]) if packed else polygon()
    for _ in range(200):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            changed[place] = rng.integers(256)
        read_or_refuse(saved(tmp_path, bytes(changed)))


@pytest.mark.parametrize(
    ("place", "kind", "value"),
    [
        (16, ">H", 65535),
        (18, ">i", 2**31 - 1),
        (36, ">i", 2**31 - 1),
        (36, ">i", -5),
        (60, ">i", 2**31 - 1),
        (6, ">B", 6),
        (12, ">h", -9),
    ],
)
def test_headers_that_lie(tmp_path, place, kind, value):
    data = bytearray(polygon())
    if place == 18:
        struct.pack_into(">H", data, 16, 0)
    struct.pack_into(kind, data, place, value)
    with pytest.raises(DataError):
        read_imagej_rois(saved(tmp_path, bytes(data)))


def test_a_bomb_is_not_unpacked(tmp_path):
    # the directory claims less than there is
    data = bytearray(archive([("a.roi", bytes(4 * 2**20))]))
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<I", data, at + 24, 1000)
    with pytest.raises(DataError, match="size or checksum"):
        read_imagej_rois(saved(tmp_path, bytes(data)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zigzag", "zigzags", "curves", "moves"])
def test_the_largest_hostile_archives_take_seconds(tmp_path, kind):
    points = np.zeros((60_000, 2), int)
    points[::2, 1] = 511
    exact = np.tile(points, (11, 1))
    curves = [0, 0, 0, *[2, 300, 300, 1, 2] * 29_000]
    members = {
        "zigzag": [roi_bytes("polygon", points=exact, exact=exact)],
        "zigzags": [roi_bytes("polygon", (0, 0, 512, 512), points=points)] * 34,
        "curves": [roi_bytes(shape=curves)] * 14,
        "moves": [roi_bytes(shape=[0, 0, 0, 1, 5, 5, 1, 0, 5] * 66_000)] * 3,
    }[kind]
    data = archive([(f"{number}.roi", member) for number, member in enumerate(members)])
    path = saved(tmp_path, data)
    begin = time.process_time()
    for roi in read_imagej_rois(path):
        roi.mask((512, 512))
    assert time.process_time() - begin < 8
