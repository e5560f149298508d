"""Simulated washes as Datasets."""

from __future__ import annotations

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.provenance import origin
from mfxarray.simulate.minflux_washes import simulate_bead_washes

__all__ = ["bead_dataset", "wash_dataset", "washes_and_beads"]


def wash_dataset(wash, chunk=500):
    """One wash as last_iteration() gives it."""
    rows = wash.position.shape[0]
    dims = ("localization", "axis")

    def lazy(values):
        return da.from_array(values, chunks=(chunk, *values.shape[1:]))

    return xr.Dataset(
        {
            "position": (dims, lazy(wash.position)),
            "position_uncorrected": (dims, lazy(wash.position)),
            "vld": ("localization", da.ones(rows, chunks=chunk, dtype=bool)),
        },
        {
            "tim": ("localization", lazy(wash.tim)),
            "tid": ("localization", lazy(wash.tid)),
            "axis": ["x", "y", "z"],
        },
        {"z_scaling": 1.0, **origin("simulate", {}, {})},
    )


def bead_dataset(wash):
    """The beads as open_minflux_tree gives them."""
    tracks = wash.beads
    longest = max(len(track.tim) for track in tracks)

    def padded(name, tail=()):
        out = np.full((len(tracks), longest, *tail), np.nan)
        for row, track in zip(out, tracks, strict=True):
            row[: len(track.tim)] = getattr(track, name)
        return out

    return xr.Dataset(
        {
            "position": (("bead", "sample", "axis"), padded("position", (3,))),
            "str": (("bead", "sample"), padded("strength")),
        },
        {
            "bead": np.array([track.name for track in tracks], object),
            "gri": ("bead", [track.gri for track in tracks]),
            "used": ("bead", [track.used for track in tracks]),
            "tim": (("bead", "sample"), padded("tim")),
            "axis": ["x", "y", "z"],
        },
        {"z_scaling": 1.0},
    )


def washes_and_beads(chunk=500, **settings):
    """Truth, localizations and beads of simulated washes."""
    truth = simulate_bead_washes(**settings)
    return truth, [wash_dataset(wash, chunk) for wash in truth], [bead_dataset(w) for w in truth]
