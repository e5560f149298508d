"""Big MINFLUX files of every container, tiled from a simulated measurement with growing ids."""

from __future__ import annotations

import re
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import xarray as xr

import mfxarray as mfx

__all__ = ["big_file", "big_json", "built", "nested_npy", "remove", "stored_bytes"]
__all__ += ["unpacked_file", "zipped_folder"]

_BASE_ROWS = 200_000
_JSON_ROWS = {"v1": 20_000, "v2": 40_000}
_TRACE = re.compile(rb'"tid": (\d+)')


def stored_bytes(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())


def remove(*paths: Path) -> None:
    """Remove files and folders, where they are there."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def built(path: Path, make: Callable[[Path], object]) -> Path:
    """Return the file or folder, making it if it is not there."""
    if not path.exists():
        started = time.perf_counter()
        make(path)
        seconds = time.perf_counter() - started
        print(f"made {path.name}: {stored_bytes(path) / 1e9:.2f} GB in {seconds:.0f} s", flush=True)
    return path


def nested_npy(folder: Path, rows: int = _BASE_ROWS) -> Path:
    """Return a simulated 3D measurement of 10 iterations, 2030 bytes a localization."""
    path = folder / f"nested-{rows}.npy"
    return built(path, lambda path: mfx.simulate_minflux(path, localizations=rows))


def big_file(
    folder: Path, name: str, model: str, n_bytes: float, *, on_disk: bool = False, **options: object
) -> Path:
    """Return a file of about so many bytes of records; its suffix chooses the container.

    With ``on_disk`` it is the bytes of the file that count: of a container that packs its records,
    a small one is written first to see how well it packs.
    """
    path = folder / name
    if path.exists():
        return path
    source, base = _base(folder, model)
    tile_bytes = source.stat().st_size
    if on_disk:
        trial = folder / f"trial-{name}"
        remove(trial)
        mfx.write_minflux(base, trial, model=model, **options)
        tile_bytes = stored_bytes(trial)
        remove(trial)
    data = _tiled(base, max(round(n_bytes / tile_bytes), 1))
    return built(path, lambda path: mfx.write_minflux(data, path, model=model, **options))


def unpacked_file(path: Path, folder: Path) -> Path:
    """Return the folder into which an ``.msr`` file was unpacked: its chunks as they are."""
    return built(folder, lambda folder: mfx.unpack(path, folder))


def zipped_folder(folder: Path) -> Path:
    """Return a zip archive of a folder, its files stored as they are."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:
            for part in sorted(folder.rglob("*")):
                archive.write(part, part.relative_to(folder))

    return built(folder.with_name(f"{folder.name}.zip"), write)


def big_json(folder: Path, name: str, model: str, n_bytes: float) -> Path:
    """Return a JSON file of about so many bytes: the text of a small one, its trace ids counted on.

    The times are those of the small one in every copy.
    """
    return built(folder / name, lambda path: _write_json(folder, path, model, n_bytes))


def _write_json(folder: Path, path: Path, model: str, n_bytes: float) -> None:
    _, base = _base(folder, model)
    row = next(dim for dim in ("localization", "record") if dim in base.dims)
    base = base.isel({row: slice(_JSON_ROWS[model] * (5 if row == "record" else 1))})
    if model == "v2":
        # as Imspector does where it has no value; the simulator's flat records hold zeros
        base["efc"] = base["efc"].where(base["ecc"] > 0).assign_attrs(base["efc"].attrs)
    small = folder / f"trial-{path.stem}.json"
    mfx.write_minflux(base, small, model=model)
    text = small.read_bytes()[1:-1]
    remove(small)
    step = int(base["tid"].max()) + 1
    with path.open("xb") as file:
        file.write(b"[")
        for tile in range(max(round(n_bytes / len(text)), 1)):
            more = tile * step
            moved = _TRACE.sub(lambda found, more=more: b'"tid": %d' % (int(found[1]) + more), text)
            file.write(b", " * (tile > 0) + moved)
        file.write(b"]")


def _base(folder: Path, model: str) -> tuple[Path, xr.Dataset]:
    nested = nested_npy(folder)
    if model == "v1":
        return nested, mfx.open_minflux(nested)
    flat = built(
        folder / "flat.npy",
        lambda path: mfx.write_minflux(mfx.open_minflux(nested), path, model="v2"),
    )
    return flat, mfx.open_minflux(flat, records=True)


def _tiled(base: xr.Dataset, tiles: int) -> xr.Dataset:
    """Return copies one after the other; trace ids and times go on."""
    row = next(dim for dim in ("localization", "record") if dim in base.dims)
    traces, seconds = int(base["tid"].max()) + 1, float(base["tim"].max()) + 1.0

    def moved(tile: int) -> xr.Dataset:
        tid, tim = base["tid"], base["tim"]
        later = {
            "tid": (tid + tid.dtype.type(tile * traces)).assign_attrs(tid.attrs),
            "tim": (tim + tile * seconds).assign_attrs(tim.attrs),
        }
        return base.assign_coords(later)

    parts = [moved(tile) for tile in range(tiles)]
    return xr.concat(
        parts,
        row,
        data_vars="minimal",
        coords="minimal",
        compat="override",
        combine_attrs="override",
    )
