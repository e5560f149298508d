"""The command cluster, as a user types it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import DBSCAN

import mfxarray as mfx
from mfxarray.cli import main
from tests.samples import localization_file


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return localization_file(tmp_path)


def test_localizations(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["cluster", str(run), "c.zarr", "--eps-nm", "12", "--min-samples", "4"]
    assert main([*argv, "--picture", "c.png"]) == 0
    stored = mfx.open_zarr("c.zarr")
    data = mfx.open_minflux(run)
    used = data["vld"].values
    points = data["position"].values[used, -1]
    wanted = np.full(len(used), -1)
    wanted[used] = DBSCAN(eps=12e-9, min_samples=4).fit_predict(points)
    np.testing.assert_array_equal(stored["cluster"].values, wanted)
    assert f"{wanted.max() + 1} clusters of" in capsys.readouterr().out
    assert Path("c.png").read_bytes()[:4] == b"\x89PNG"


def test_means_of_traces_and_a_table(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", str(run), "t.zarr", "--eps-nm", "30", "--traces"]) == 0
    assert main(["traces", str(run), "t.parquet"]) == 0
    assert main(["cluster", "t.parquet", "u.zarr", "--eps-nm", "30"]) == 0
    first, second = mfx.open_zarr("t.zarr"), mfx.open_zarr("u.zarr")
    assert first["cluster"].dims == ("trace",)
    np.testing.assert_array_equal(first["cluster"].values, second["cluster"].values)
    wanted = DBSCAN(eps=30e-9, min_samples=3).fit_predict(first["centroid"].values)
    np.testing.assert_array_equal(first["cluster"].values, wanted)
    assert "traces" in capsys.readouterr().out


def test_what_cannot_be_clustered(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", str(run), "c.zarr", "--eps-nm", "-1"]) == 1
    assert "above 0" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["cluster", str(run), "c.zarr"])
    assert not Path("c.zarr").exists()
