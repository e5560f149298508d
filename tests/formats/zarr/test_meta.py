"""What a .zarray may say, and what is refused."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.formats.zarr.meta import parse_array_meta

GOOD = {
    "chunks": [1000],
    "compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0},
    "dtype": [["vld", "|b1"], ["itr", [["itr", "<i4"], ["loc", "<f8", [3]]], [5]], ["tid", "<i4"]],
    "fill_value": None,
    "filters": None,
    "order": "C",
    "shape": [2504],
    "zarr_format": 2,
}


def parse(**changes):
    text = json.dumps({**GOOD, **changes}).encode()
    return parse_array_meta(text, path="p", place="mfx/.zarray")


def test_nested_record():
    meta = parse()
    nested = [("itr", "<i4"), ("loc", "<f8", (3,))]
    assert meta.dtype == np.dtype([("vld", "?"), ("itr", nested, (5,)), ("tid", "<i4")])
    assert meta.dtype.itemsize == 1 + 5 * 28 + 4
    assert (meta.shape, meta.chunks, meta.compressor, meta.order) == (
        (2504,),
        (1000,),
        "blosc",
        "C",
    )
    assert meta.chunk_bytes == 145_000
    assert meta.fill == bytes(145)


@pytest.mark.parametrize("codec", [{"id": "zlib", "level": 1}, {"id": "gzip"}, None])
def test_other_codecs(codec):
    assert parse(compressor=codec).compressor == (codec and codec["id"])


def test_fill_value_of_a_record_is_base64():
    wanted = bytes(range(145))
    assert parse(fill_value=base64.b64encode(wanted).decode()).fill == wanted


@pytest.mark.parametrize(
    ("dtype", "fill", "wanted"),
    [
        ("<f8", "NaN", np.array(np.nan).tobytes()),
        ("<f4", "-Infinity", np.array(-np.inf, "f4").tobytes()),
        ("<i4", 7, np.array(7, "i4").tobytes()),
        ("|b1", True, b"\1"),
        (">u2", 258, b"\1\2"),
    ],
)
def test_fill_value_of_plain_numbers(dtype, fill, wanted):
    assert parse(dtype=dtype, fill_value=fill).fill == wanted


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"zarr_format": 3}, "format 3"),
        ({"filters": [{"id": "pickle"}]}, "pickle"),
        ({"compressor": {"id": "pickle"}}, "pickle"),
        ({"compressor": {"id": "zstd"}}, "zstd"),
        ({"compressor": "blosc"}, "blosc"),
        ({"compressor": {"id": ["blosc"]}}, "not read"),
        ({"compressor": {"id": "blosc", "cname": "snappy"}}, "snappy"),
        ({"dtype": "|O"}, "Python objects"),
        ({"dtype": [["a", "|O"]]}, "Python objects"),
        ({"dtype": [["a", "<M8[ns]"]]}, "M8"),
        ({"dtype": [["a", "f8,f8"]]}, "f8,f8"),
        ({"dtype": []}, "record type"),
        ({"dtype": {"a": "<f8"}}, "record type"),
        ({"dtype": [["a", "<f8"], ["a", "<f8"]]}, "repeated"),
        ({"dtype": [["", "<f8"]]}, "no name"),
        ({"dtype": [[["t", "a"], "<f8"]]}, "no name"),
        ({"dtype": [["a", "<f8", [-1]]]}, "shape"),
        ({"dtype": [["a", "<f8", [True]]]}, "shape"),
        ({"dtype": [["a", "<f8", [2**62, 2**62]]]}, "shape"),
        ({"dtype": [["a", "<f8", [2**22]]]}, "larger than"),
        ({"dtype": [[f"f{n}", "<f8"] for n in range(1001)]}, "fields"),
        ({"dtype": "|V99999999"}, "records of"),
        ({"dtype": "|V0"}, "records of"),
        ({"shape": [-1]}, "shape"),
        ({"shape": [2.0]}, "shape"),
        ({"shape": []}, "shape"),
        ({"shape": 2504}, "shape"),
        ({"shape": [2**59]}, "beyond"),
        ({"shape": [10**40]}, "shape"),
        ({"chunks": [0]}, "chunks"),
        ({"chunks": [True]}, "chunks"),
        ({"chunks": [10, 10]}, "lengths"),
        ({"chunks": [2**30]}, "chunks of"),
        ({"chunks": [2**21], "compressor": {"id": "zlib"}}, "chunks of"),
        ({"order": "K"}, "order"),
        ({"fill_value": "AAAA"}, "145 bytes"),
        ({"fill_value": "not base64"}, "145 bytes"),
        ({"fill_value": [1]}, "145 bytes"),
        ({"dtype": "<i4", "fill_value": 2**40}, "does not fit"),
        ({"dtype": "<i4", "fill_value": "x"}, "does not fit"),
    ],
)
def test_refused(changes, says):
    with pytest.raises(DataError, match=says) as error:
        parse(**changes)
    assert "mfx/.zarray" in str(error.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff\xfe", b'{"shape": [1], "shape": [2]}'])
def test_no_metadata(text):
    with pytest.raises(DataError):
        parse_array_meta(text, path="p", place="k")


def test_deep_types_and_long_texts():
    deep = "<f8"
    for _ in range(20):
        deep = [["a", deep]]
    with pytest.raises(DataError, match="record type"):
        parse(dtype=deep)
    with pytest.raises(DataError, match="too many"):
        parse_array_meta(b" " * (4 * 2**20 + 1), path="p", place="k")


def test_random_damage_is_refused_or_understood():
    text = json.dumps(GOOD).encode()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(400):
        broken = bytearray(text)
        broken[rng.integers(len(text))] ^= 1 << rng.integers(8)
        try:
            parse_array_meta(bytes(broken), path="p", place="k")
        except DataError:
            refused += 1
    for cut in range(0, len(text), 3):
        with pytest.raises(DataError):
            parse_array_meta(text[:cut], path="p", place="k")
    assert refused > 200
