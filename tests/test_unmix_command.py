"""The command unmix on a simulated file."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest

import mfxarray as mfx
from mfxarray.commands.channels import unmix_file
from mfxarray.errors import DataError
from mfxarray.minflux.channels.mixture import assign_channels, fit_mixture
from mfxarray.stores.zarr_store import open_zarr
from mfxarray.testing import assert_same_bits
from tests.samples import localization_file


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return localization_file(tmp_path_factory.mktemp("unmix"), localizations=2000)


def arguments(path, out, **more):
    usual = {
        "file": str(path),
        "out": str(out),
        "field": "dcr",
        "components": "2",
        "per": "trace",
        "statistic": "mean",
        "vote": None,
        "threshold": [],
        "min_confidence": 0.5,
        "agreement": 0.5,
        "seed": 0,
        "picture": None,
        "bound": [],
        "dataset": None,
        "view": None,
        "units": None,
        "partial": False,
        "overwrite": False,
        "cluster": "threads",
        "workers": 2,
        "memory_limit": "1GiB",
    }
    return Namespace(**{**usual, **more})


def test_writes_what_the_library_finds(path, tmp_path, capsys):
    out, picture = tmp_path / "out.zarr", tmp_path / "out.png"
    unmix_file(arguments(path, out, picture=str(picture)))
    ds = mfx.open_minflux(path)
    fit = fit_mixture(ds).load()
    found, wanted = open_zarr(out), assign_channels(ds, fit)
    for name in ("channel", "channel_probability", "position"):
        assert_same_bits(found[name].compute(), wanted[name].compute())
    told = capsys.readouterr().out
    assert f"2 components of dcr in {int(fit.n)} traces" in told
    assert f"0: mean {float(fit['mean'][0]):.5g}" in told
    counts = np.bincount(wanted.channel.values + 1, minlength=3)
    assert f"channel 1: {counts[2]:,}".replace(",", " ") in told.replace("\u202f", " ")
    assert str(out) in told
    assert picture.stat().st_size > 10_000


def test_thresholds_bounds_and_votes(path, tmp_path):
    out = tmp_path / "out.zarr"
    given = {"threshold": [0.55, 0.4], "per": "localization", "bound": [("eco", (60, None))]}
    unmix_file(arguments(path, out, **given))
    found = open_zarr(out).compute()
    known = found.channel.values >= 0
    np.testing.assert_array_equal(known, (found.selected & found.vld).values)
    last = found.dcr.values[:, -1]
    np.testing.assert_array_equal(
        found.channel.values[known], np.digitize(last, [0.4, 0.55])[known]
    )
    unmix_file(arguments(path, out, vote="majority", min_confidence=0.9, overwrite=True))
    assert set(np.unique(open_zarr(out).channel)) == {-1, 0, 1}


def test_number_of_components(path, tmp_path, capsys):
    unmix_file(arguments(path, tmp_path / "out.zarr", components="auto", field="dcr_pooled"))
    assert capsys.readouterr().out.startswith("2 components of dcr_pooled")


def test_refuses(path, tmp_path):
    out = tmp_path / "out.zarr"
    with pytest.raises(ValueError, match="--components"):
        unmix_file(arguments(path, out, components="two"))
    with pytest.raises(DataError, match=r"must end in \.zarr"):
        unmix_file(arguments(path, tmp_path / "out.csv"))
    with pytest.raises(DataError, match=r"must end in \.png"):
        unmix_file(arguments(path, out, picture=str(tmp_path / "a.txt")))
    with pytest.raises(ValueError, match="no field"):
        unmix_file(arguments(path, out, field="colour"))
    assert not out.exists()
    out.mkdir()
    with pytest.raises(DataError, match="exists already"):
        unmix_file(arguments(path, out))
