"""NanoSIMS files to arrays: their shape and the real files."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.formats.sources import StackSource
from mfxarray.testing import raise_if_computes
from tests.samples import ion_stack


def sha256(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return ion_stack(tmp_path_factory.mktemp("opening"))


def test_ion_images_have_the_schema(stack):
    with raise_if_computes():
        ions = mfx.open_mims(stack)
    assert ions.dims == ("frame", "detector", "y", "x")
    assert ions.shape == (20, 7, 64, 64)
    assert ions.name == "counts"
    assert len(set(ions["detector"].values)) == 7
    assert ions["x"].attrs["units"] == "µm"
    assert ions.attrs["units"] == "counts"
    assert json.loads(json.dumps(ions.attrs)) == ions.attrs


def test_roll(stack):
    plain, rolled = mfx.open_mims(stack).values, mfx.open_mims(stack, roll="seed").values
    np.testing.assert_array_equal(rolled, np.roll(plain, (1, 1), (2, 3)))


def test_one_frame_reads_one_frame(stack, monkeypatch):
    reads = []
    read = StackSource.read
    monkeypatch.setattr(
        StackSource, "read", lambda self, *rows: reads.append(rows) or read(self, *rows)
    )
    ions = mfx.open_mims(stack, chunk_bytes=1)
    reads.clear()
    ions[7].compute(scheduler="sync")
    assert reads == [(7, 8)]


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["RTIimage.im", "image sun.im"])
def test_real_ion_images(data_dir, name):
    facts = json.loads((data_dir / "mims" / "facts.json").read_text())[name]["data"]
    ions = mfx.open_mims(data_dir / "mims" / name, chunk_bytes=600_000)
    assert list(ions.shape) == facts["shape_frame_detector_y_x"]
    assert ions.sum(("frame", "y", "x")).values.tolist() == facts["total_per_detector"]
    assert sha256(ions.values.astype("<i4")) == facts["sha256_i4le_fdyx_unrolled"]
    rolled = mfx.open_mims(data_dir / "mims" / name, roll=(1, 1)).values
    assert sha256(rolled.astype("<i4")) == facts["sha256_i4le_fdyx_rolled_p1p1"]
    size = float(ions["x"][1] - ions["x"][0]) * 1000
    assert size == pytest.approx(facts["pixel_size_nm_double_raster"], rel=1e-9)


@pytest.mark.realdata
def test_the_ten_synthetic_stacks(data_dir):
    folder = data_dir / "mims" / "synthetic"
    files = json.loads((data_dir / "mims" / "openformat_golden.json").read_text())["files"]
    assert len(files) == 10
    for name, facts in files.items():
        if name.startswith(("s8", "s9")):
            with pytest.warns(UserWarning, match=r"frames|planes"):
                ions = mfx.open_mims(folder / name)
        else:
            ions = mfx.open_mims(folder / name)
        assert list(ions.shape) == facts["shape_fdyx"]
        assert sha256(ions.values.astype("<i4")) == facts["sha256_i4le_fdyx"]
