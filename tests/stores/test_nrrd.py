"""What is written as NRRD is read back by pynrrd and by us, count by count."""

from __future__ import annotations

import os

import numpy as np
import pytest
import xarray as xr

import mfxarray as mfx
from mfxarray.errors import DataError
from mfxarray.formats.nrrd.nrrd import EXACT
from mfxarray.mims.accumulate import accumulate
from mfxarray.mims.counted import with_variance
from mfxarray.opening.mims import open_mims
from mfxarray.provenance import record, was_done
from mfxarray.stores.nrrd import write_nrrd
from mfxarray.testing import count_computes
from tests.mims.counted_samples import NAMES, ion_stack


def stack(dtype: str = "u4", **attrs) -> xr.DataArray:
    extra = {"stage_position_um": [-12, 3400, 7], "date": "2019-11-03T07:05", "raster_um": 1.0,
             "sample": "a: b", "notes": "two\nlines \\n", "duration_s": 3.0}  # fmt: skip
    counts = ion_stack(**{**extra, **attrs})
    return counts.copy(data=counts.data.astype(dtype))


@pytest.mark.parametrize(("dtype", "name"), [("u4", "float"), ("u2", "uint16"), ("u1", "uint16")])
def test_there_and_back(tmp_path, dtype, name):
    counts = stack(dtype)
    path = tmp_path / "run.nrrd"
    with count_computes() as computes:
        write_nrrd(path, counts)
    assert len(computes) == 1
    assert f"type: {name}\n".encode() in path.read_bytes()[:300]
    found = open_mims(path)
    np.testing.assert_array_equal(found.values, counts.values)
    assert found.dtype == (np.uint16 if name == "uint16" else np.uint32)
    assert list(found["detector"].values) == [label.replace(" ", "") for label in NAMES]
    np.testing.assert_allclose(found["mass"].values, counts["mass"].values)
    np.testing.assert_allclose(found["y"].values, counts["y"].values)
    for key in ("date", "sample", "notes", "raster_um", "dwell_time_s", "stage_position_um"):
        assert found.attrs[key] == counts.attrs[key], key
    assert os.listdir(tmp_path) == ["run.nrrd"]


def test_pynrrd_reads_it(tmp_path):
    nrrd = pytest.importorskip("nrrd")
    for dtype in ("u2", "u4"):
        counts = stack(dtype)
        write_nrrd(tmp_path / "run.nrrd", counts, overwrite=True)
        data, header = nrrd.read(str(tmp_path / "run.nrrd"))
        np.testing.assert_array_equal(data.transpose(2, 3, 1, 0), counts.values)
        assert header["Mims_position"] == "-12,3400"
        assert header["Mims_mass_symbols"].strip() == "12C 13C 12C14N 12C15N SE"
        assert list(header["sizes"]) == [10, 12, 11, 5]


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("detached", [False, True])
def test_what_pynrrd_writes_is_read(tmp_path, encoding, detached):
    nrrd = pytest.importorskip("nrrd")
    counts = stack().values
    path = tmp_path / ("run.nhdr" if detached else "run.nrrd")
    header = {
        "encoding": encoding,
        "endian": "big",
        "Mims_mass_numbers": "12.0 13.0 26.0 27.0 0.0",
        "Mims_mass_symbols": "12C 13C 12C14N 12C15N -",
    }
    data = counts.transpose(3, 2, 0, 1).astype(">f4")
    nrrd.write(str(path), data, header, detached_header=detached)
    found = open_mims(path)
    np.testing.assert_array_equal(found.values, counts)
    assert list(found["detector"].values) == ["12C", "13C", "12C14N", "12C15N", "SE"]


def test_the_real_file_there_and_back(tmp_path, data_dir):
    folder = data_dir / "mims"
    image = mfx.open_mims(folder / "RTIimage.im")
    write_nrrd(tmp_path / "run.nrrd", image)
    real = (folder / "RTIimage.openmims.nrrd").read_bytes()
    ours = (tmp_path / "run.nrrd").read_bytes()
    assert ours[-524288:] == real[-524288:]
    fields = b"\n".join(ours.split(b"\n")[2:11])
    assert fields in real  # type to units, as the real OpenMIMS writes them
    said, told = (dict(_pairs(text)) for text in (real, ours))
    same = ("mass_numbers", "mass_symbols", "position", "date", "hour", "z_position", "duration",
            "raster", "deadtime_correction_applied", "QSA_correction_applied")  # fmt: skip
    for key in same:
        assert told[f"Mims_{key}"] == said[f"Mims_{key}"], key


def _pairs(content: bytes) -> list[tuple[str, str]]:
    lines = content.split(b"\n\n")[0].decode("latin-1").split("\n")
    return [(line.partition(":=")[0], line.partition(":=")[2]) for line in lines if ":=" in line]


def test_any_chunks_give_the_same_file(tmp_path):
    counts = stack()
    contents = set()
    for sizes in ({"frame": 1}, {"frame": 4, "detector": 2, "y": 5}, {"frame": -1}):
        write_nrrd(tmp_path / "run.nrrd", counts.chunk(sizes), overwrite=True)
        contents.add((tmp_path / "run.nrrd").read_bytes())
    write_nrrd(tmp_path / "run.nrrd", counts.compute(), overwrite=True)
    contents.add((tmp_path / "run.nrrd").read_bytes())
    write_nrrd(
        tmp_path / "run.nrrd", counts.transpose("y", "detector", "frame", "x"), overwrite=True
    )
    contents.add((tmp_path / "run.nrrd").read_bytes())
    assert len(contents) == 1


def test_sums(tmp_path):
    total = accumulate(stack())
    write_nrrd(tmp_path / "sum.nrrd", total)
    found = open_mims(tmp_path / "sum.nrrd")
    np.testing.assert_array_equal(found.values[0], total.values)
    assert found.attrs["nrrd_keys"]["mfxarray_n_frames"] == "11"
    assert was_done(found.attrs, "accumulate")


def test_corrected_counts_are_floats_and_say_so(tmp_path):
    counts = stack()
    attrs = record(counts.attrs, "correct_dead_time", {})
    both = with_variance((counts * 1.25).assign_attrs(attrs), counts * 2.0)
    write_nrrd(tmp_path / "run.nrrd", both)
    found = open_mims(tmp_path / "run.nrrd", integers=False)
    np.testing.assert_array_equal(found.values, counts.values * 1.25)
    assert found.attrs["nrrd_keys"]["Mims_deadtime_correction_applied"] == "true"
    assert was_done(found.attrs, "correct_dead_time")
    with pytest.raises(DataError, match="no count"):
        open_mims(tmp_path / "run.nrrd").compute()


def test_counts_that_floats_cannot_hold(tmp_path):
    values = stack().values
    values[7, 2, 3, 4] = EXACT + 1
    counts = stack().copy(data=values)
    path = tmp_path / "run.nrrd"
    with pytest.raises(ValueError, match=r"fit exactly into float.*uint32"):
        write_nrrd(path, counts)
    assert os.listdir(tmp_path) == []
    write_nrrd(path, counts, dtype="uint32")
    np.testing.assert_array_equal(open_mims(path).values, values)
    with pytest.raises(ValueError, match="fit exactly into uint16"):
        write_nrrd(path, counts, dtype="uint16", overwrite=True)
    np.testing.assert_array_equal(open_mims(path).values, values)  # the old one stays
    values[7, 2, 3, 4] = EXACT
    write_nrrd(path, counts.copy(data=values), overwrite=True)
    np.testing.assert_array_equal(open_mims(path).values, values)


def test_hostile_text_stays_in_its_key(tmp_path):
    evil = "x\n\ndata file: /etc/passwd\r\nsizes: 1 1 1 1"
    counts = stack(sample=evil, comment="µm \\ n", nrrd_keys={"a\nb": "c", "Mims_free": "kept"})
    write_nrrd(tmp_path / "run.nrrd", counts)
    found = open_mims(tmp_path / "run.nrrd")
    assert found.shape == counts.shape
    assert found.attrs["sample"] == evil.replace("\r\n", "\n")
    assert found.attrs["comment"] == "µm \\ n"
    assert found.attrs["nrrd_keys"]["Mims_free"] == "kept"


def test_what_is_no_ion_image(tmp_path):
    path, counts = tmp_path / "run.nrrd", stack()
    with pytest.raises(ValueError, match="dimensions"):
        write_nrrd(path, counts.isel(y=0))
    with pytest.raises(ValueError, match="no pixels"):
        write_nrrd(path, counts.isel(frame=slice(0)))
    with pytest.raises(ValueError, match="dtype must be"):
        write_nrrd(path, counts, dtype="int8")
    with pytest.raises(ValueError, match="variable 'counts'"):
        write_nrrd(path, xr.Dataset({"ratio": counts}))
    with pytest.raises(ValueError, match="numbers"):
        write_nrrd(path, counts > 3)
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match="exists already"):
        write_nrrd(path, counts)
    assert path.read_bytes() == b"mine"
