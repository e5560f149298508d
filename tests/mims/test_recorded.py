"""The mask of recorded pixels against files whose missing ones are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from mfxarray.formats.im.im import ImFile, open_im
from mfxarray.mims.recorded import recorded_pixels
from mfxarray.simulate.im_writer import ImHeader, write_im
from mfxarray.simulate.mims import simulate_mims
from mfxarray.testing import raise_if_computes


def labelled(file: ImFile) -> xr.DataArray:
    """Return what is opened as the package labels it."""
    coords: dict[str, Any] = {
        "frame": np.arange(file.stack.n_frames),
        "detector": [one.name for one in file.detectors],
    }
    if "recorded" in file.coords:
        coords["recorded"] = (("frame", "detector"), file.coords["recorded"])
    data = da.from_array(file.stack.read(0, file.stack.n_frames), chunks=(1, -1, -1, -1))
    return xr.DataArray(data, coords, ("frame", "detector", "y", "x"), attrs=file.attrs)


@pytest.mark.parametrize("roll", [(0, 0), (1, 1), (-2, 3)])
@pytest.mark.parametrize("cut", [1, 4, 100, 191, 192, 193, 400])
def test_pixels_that_are_missing(tmp_path: Path, roll: tuple[int, int], cut: int) -> None:
    frames = np.ones((2, 3, 6, 8), "u4")
    write_im(tmp_path / "a.im", frames, ImHeader(height=6, width=8, frames=2), cut_bytes=cut)
    counts = labelled(open_im(tmp_path / "a.im", roll=roll, incomplete="pad"))
    with raise_if_computes():
        mask = recorded_pixels(counts)
    assert mask.dims == counts.dims
    assert mask.dtype == bool
    assert isinstance(mask.data, da.Array)
    np.testing.assert_array_equal(mask, counts > 0)  # everything recorded is 1
    np.testing.assert_array_equal(mask["detector"], counts["detector"])


def test_series(tmp_path: Path) -> None:
    simulate_mims(tmp_path / "a.im", frames=2, series=2, size=8, cut_bytes=10)
    counts = labelled(open_im(tmp_path / "a.im", interleave=True, incomplete="pad"))
    mask = recorded_pixels(counts)
    np.testing.assert_array_equal(mask.sum(["y", "x"]) == 64, counts["recorded"])
    lost = ~mask.sel(frame=3, detector="SE").values
    assert np.argwhere(lost).tolist() == [[7, 5], [7, 6], [7, 7]]
    part = counts.isel(frame=[3, 0], detector=[3, 1])
    np.testing.assert_array_equal(recorded_pixels(part), mask.isel(frame=[3, 0], detector=[3, 1]))
    with pytest.raises(ValueError, match="were cut off"):
        recorded_pixels(counts[..., 1:])


def test_everything_is_recorded_where_nothing_is_said(tmp_path: Path) -> None:
    simulate_mims(tmp_path / "a.im", frames=2, size=8)
    counts = labelled(open_im(tmp_path / "a.im"))
    assert recorded_pixels(counts).all()
    assert recorded_pixels(counts.compute()).shape == counts.shape
