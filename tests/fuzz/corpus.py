"""One small valid file of every container, the same bytes in every run."""

from __future__ import annotations

import functools
import io
import tempfile
import warnings
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

import mfxarray as mfx
from mfxarray.formats.tables import BeadTrack
from mfxarray.writers.datasets import outgoing
from mfxarray.writers.msr import write_msr
from mfxarray.writers.outgoing import Outgoing
from mfxarray.writers.zarr_v2 import write_zarr_v2

__all__ = ["NAMES", "Sample", "make_sample", "sample_file"]

_ROWS, _ITERATIONS = 30, 3
# several chunks, so that one of them can be lost
_CHUNK_ROWS = 16
_SAVED = 1_700_000_000


@dataclass(frozen=True)
class Sample:
    """A valid file and what is needed to open it."""

    name: str
    path: Path
    units: str | None = None
    dataset: str | None = None
    flat: bool = False

    @property
    def options(self) -> dict[str, str]:
        """Return the arguments of `open_minflux`."""
        found = {"units": self.units, "dataset": self.dataset}
        return {name: value for name, value in found.items() if value is not None}


# container, model and options of `write_minflux`
_WRITTEN: dict[str, tuple[str, str, dict[str, object]]] = {
    "npy v1": ("run.npy", "v1", {}),
    "npy v2": ("run.npy", "v2", {}),
    "mat5 v1": ("run.mat", "v1", {}),
    "mat5 v2": ("run.mat", "v2", {}),
    "mat5 v1 packed": ("run.mat", "v1", {"compress": True}),
    "mat5 v2 packed": ("run.mat", "v2", {"compress": True}),
    "mat73 v1": ("run.mat", "v1", {"container": "mat v7.3"}),
    "mat73 v2": ("run.mat", "v2", {"container": "mat v7.3", "compress": True}),
    "json v1": ("run.json", "v1", {}),
    "json v2": ("run.json", "v2", {}),
    "pmx nested": ("run.pmx", "v1", {}),
    "pmx flat": ("run.pmx", "v2", {}),
    "csv": ("run.csv", "v1", {}),
}
_ZARR: dict[str, tuple[str, str, Literal["m2205", "m2410"]]] = {
    "zarr v1": ("run.zarr", "v1", "m2205"),
    "zarr v2": ("run.zarr", "v2", "m2410"),
    "zarr zip": ("run.zarr.zip", "v2", "m2410"),
}
_MSR = {"msr": False, "msr packed": True}
_NPZ = {"npz": zipfile.ZIP_STORED, "npz packed": zipfile.ZIP_DEFLATED}
_ZIP_TIME = (2024, 1, 1, 12, 0, 0)
NAMES = (*_WRITTEN, *_ZARR, *_MSR, *_NPZ)


def make_sample(name: str, folder: Path) -> Sample:
    """Write the sample of that name into an empty folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _make(name, folder)


@functools.cache
def sample_file(name: str) -> tuple[str, bytes]:
    """Return name and content of the sample, which is made only once."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "valid")
        home.mkdir()
        path = make_sample(name, home).path
        return path.name, path.read_bytes()


def _make(name: str, folder: Path) -> Sample:
    ds = _measurement(folder)
    if name in _WRITTEN:
        file, model, options = _WRITTEN[name]
        mfx.write_minflux(ds, folder / file, model=model, **options)
        return Sample(name, folder / file, flat=model == "v2")
    if name in _ZARR:
        file, model, layout = _ZARR[name]
        write_zarr_v2(
            folder / file, _data_set(ds, model), chunk_rows=_CHUNK_ROWS, bead_layout=layout
        )
        return Sample(name, folder / file, flat=model == "v2")
    if name in _MSR:
        both = [_data_set(ds, "v2"), _data_set(ds.isel(localization=slice(7, None)), "v2", "P2")]
        write_msr(folder / "run.msr", both, compress=_MSR[name], saved=_SAVED)
        return Sample(name, folder / "run.msr", dataset="P1", flat=True)
    _write_npz(folder / "run.npz", _columns(ds), _NPZ[name])
    return Sample(name, folder / "run.npz", units="nm")


def _measurement(folder: Path) -> xr.Dataset:
    source = folder.parent / "source.npy"
    mfx.simulate_minflux(source, localizations=_ROWS, iterations=_ITERATIONS, seed=4)
    ds: xr.Dataset = mfx.open_minflux(source).compute()
    source.unlink()
    return ds


def _data_set(ds: xr.Dataset, model: str, label: str = "P1") -> Outgoing:
    attrs = {"did": f"id-{label}", "acquisition_date": "2024-01-01T00:00:00"}
    return replace(outgoing(ds, model=model, label=label), attrs=attrs, beads=_beads())


def _beads() -> tuple[BeadTrack, ...]:
    numbers = np.random.default_rng(3)
    return tuple(
        BeadTrack(
            f"R{number}",
            number,
            number == 1,
            np.arange(n) * 0.5,
            numbers.normal(0, 1e-9, (n, 3)),
            numbers.uniform(1, 2, n),
        )
        for number, n in ((1, 9), (2, 8))
    )


def _columns(ds: xr.Dataset) -> dict[str, np.ndarray]:
    last = ds["position"].values[:, -1] * 1e9
    return {
        "X": last[:, 0],
        "Y": last[:, 1],
        "Z": last[:, 2],
        "TID": ds["tid"].values,
        "TIC": ds["tic"].values[:, -1],
        "ECO": ds["eco"].values[:, -1],
        "EFO": ds["efo"].values[:, -1],
    }


def _write_npz(path: Path, columns: dict[str, np.ndarray], packing: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in columns.items():
            member = io.BytesIO()
            np.save(member, values)
            info = zipfile.ZipInfo(f"{name}.npy", _ZIP_TIME)
            archive.writestr(info, member.getvalue(), packing)
