"""Pickled .npy files; NumPy reads them, and pickletools tells what is in them."""

from __future__ import annotations

import io
import pickletools
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfxarray.errors import DataError
from mfxarray.stores import numpy_pickle
from mfxarray.stores.numpy_pickle import write_pickled_npy

ALLOWED = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


def written(values: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    write_pickled_npy(file, values)
    return file.getvalue()


def back(values: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return np.load(io.BytesIO(written(values)), allow_pickle=True)


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers(dtype: str) -> None:
    values = np.arange(7).astype(dtype)
    found = back({"a": values}).item()["a"]
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<f2", ">i4"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (0, 3), (4, 3), (2, 3, 4)])
def test_shapes_and_orders(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(0, 100, shape)
    values = np.asarray(values).astype(dtype)
    found = back(
        {"a": values, "b": np.array(values, order="F"), "c": values[::-1] if shape else values}
    )
    for part, expected in zip(
        found.item().values(), (values, values, values[::-1] if shape else values), strict=True
    ):
        assert part.shape == shape
        assert part.dtype == expected.dtype.newbyteorder("<")
        np.testing.assert_array_equal(part, expected)
        assert part.flags.writeable


def test_mappings_texts_and_numbers() -> None:
    values = {
        "Syp_P1 µ": {"tim": np.arange(3.0)},
        "": {},
        "ref_error": {"a": 0.5, "b": float("nan")},
    }
    array = back(values)
    assert array.shape == ()
    assert array.dtype == object
    found = array.item()
    assert list(found) == list(values)
    assert found[""] == {}
    assert found["ref_error"]["a"] == 0.5
    assert np.isnan(found["ref_error"]["b"])
    assert back({}).item() == {}


def test_nothing_but_arrays_is_named() -> None:
    raw = written({"a": {"b": np.zeros((3, 3)), "c": np.ones(2, bool)}, "d": 1.0})
    stream = raw[10 + int.from_bytes(raw[8:10], "little") :]
    assert stream[-1:] == b"."
    texts: list[str] = []
    named = set()
    for code, argument, _ in pickletools.genops(stream):
        assert code.name not in ("GLOBAL", "INST", "OBJ", "NEWOBJ", "EXT1", "PERSID")
        if code.name == "BINUNICODE":
            texts.append(str(argument))
        if code.name == "STACK_GLOBAL":
            named.add((texts[-2], texts[-1]))
    assert named == ALLOWED


def test_numpy_itself_refuses_unless_told() -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        np.load(io.BytesIO(written({"a": np.zeros(3)})))


def test_we_never_read_them(tmp_path: Path) -> None:
    import mfxarray as mfx

    path = tmp_path / "a.npy"
    path.write_bytes(written({"a": np.zeros(3)}))
    with pytest.raises(DataError):
        mfx.open_minflux(path)
    source = Path(numpy_pickle.__file__).read_text()
    assert "import pickle" not in source
    assert "allow_pickle=True)" not in source.replace("allow_pickle=True).item()", "")


@pytest.mark.parametrize(
    "values",
    [
        {"a": object()},
        {"a": "text"},
        {"a": [1.0]},
        {"a": None},
        {"a": 3},
        {"a": np.array([object()])},
        {"a": np.array(["x"])},
        {"a": np.zeros(3, [("b", "f8")])},
        {"a": np.zeros((1, 1, 1, 1))},
        {"a": np.zeros(2, complex)},
        {"a": {"b": {1: 2.0}}},
        {3: np.zeros(3)},
    ],
)
def test_anything_else_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"not an array|is not written|is no text"):
        written(values)
