"""Out-of-core arrays and dataframes for MINFLUX localizations and NanoSIMS ion images."""

from __future__ import annotations

import importlib
import sys
from pathlib import PurePath
from typing import Any

from mfxarray._version import __version__

_HOMES = {
    "BeadRules": "minflux.beads.beads",
    "bead_residuals": "minflux.beads.report",
    "bead_stability": "minflux.beads.report",
    "bead_windows": "minflux.beads.report",
    "concatenate_washes": "minflux.beads.washes",
    "fit_beads": "minflux.beads.registration",
    "register": "minflux.beads.registration",
    "simulate_bead_washes": "simulate.minflux_washes",
    "validate_beads": "minflux.beads.beads",
    "write_bead_washes": "simulate.minflux_washes",
    "ChunkError": "errors",
    "DataError": "errors",
    "IncompleteStoreError": "errors",
    "MfxError": "errors",
    "PlanError": "errors",
    "open_mims": "opening.mims",
    "open_mims_scan": "mims.scans",
    "list_minflux": "opening.minflux",
    "open_minflux": "opening.minflux",
    "open_minflux_tree": "opening.minflux",
    "open_parquet": "stores.parquet",
    "open_zarr": "stores.zarr_store",
    "open_zarr_array": "stores.zarr_store",
    "STANDARDS": "mims.standards",
    "Standard": "mims.standards",
    "read_imagej_rois": "formats.imagej.roi",
    "read_mims_header": "mims.header",
    "read_minflux_table": "opening.table",
    "regions_from_imagej": "mims.regions",
    "regions_from_labels": "mims.regions",
    "regions_from_polygons": "mims.regions",
    "set_options": "options",
    "simulate_mims": "simulate.mims",
    "simulate_minflux": "simulate.minflux",
    "simulate_pores": "simulate.minflux_pores",
    "unpack": "writers.unpack",
    "write_aligned": "stores.aligned",
    "write_csv": "stores.csv_table",
    "write_matlab_csv": "stores.csv_table",
    "write_minflux": "writers.write",
    "write_vtu": "stores.vtu",
    "write_nrrd": "stores.nrrd",
}

# rooms that are reached as mfx.mims, mfx.minflux and mfx.plot
_ROOMS = ("mims", "minflux", "plot")

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that importing mfxarray stays quick."""
    if name in _ROOMS:
        return importlib.import_module(f"mfxarray.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'mfxarray' has no attribute {name!r}")
    return getattr(importlib.import_module(f"mfxarray.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)


# ds.mfx and da.mims must be there after "import mfxarray"; only the command line program does
# without, because "mfxarray --help" need not wait for xarray
if PurePath(sys.argv[0] if sys.argv else "").stem != "mfxarray":
    importlib.import_module("mfxarray.accessors")
