"""What a cluster must fulfil to be a pore."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

__all__ = ["PoreGates", "between"]

Array = np.ndarray[Any, Any]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class PoreGates:
    """What a cluster must fulfil to be a pore; lengths in metres.

    Attributes
    ----------
    diameter
        Smallest and largest diameter.
    points, sites
        Least number of points near the circle, and of sites along it.
    residual
        Largest standard deviation of distances to the circle. Random points that were
        taken because they are within 20 nm of a line have 11.5 nm.
    used
        Least share of the points of the cluster that lie near the circle.
    empty_arc
        Largest angle without a point, radians: an arc of less than half a circle has no certain
        diameter.
    rim, hollow
        Density of points within the ring, further than ``rim`` (metres) from its line, may be up to
        ``hollow`` times that on the line, plus or minus the rim. A single point is always allowed.
    height, z
        Bounds of the distance of two rings, and of the place along z; None for any. NPCTAT has
        25 to 100 nm, and -300 to 100 nm.
    """

    diameter: Bounds = (70e-9, 150e-9)
    points: int = 5
    sites: int = 3
    residual: float = 10e-9
    used: float = 0.6
    empty_arc: float = float(np.pi)
    rim: float = 20e-9
    hollow: float = 0.5
    height: Bounds | None = None
    z: Bounds | None = None

    def __post_init__(self) -> None:
        for name in ("diameter", "height", "z"):
            bounds = getattr(self, name)
            if bounds is not None and not bounds[0] <= bounds[1]:
                raise ValueError(f"{name} must be bounds (low, high) in metres, not {bounds!r}")
        if self.points < 3 or self.sites < 1:
            raise ValueError("a circle has at least 3 points and 1 site")
        if not (self.rim > 0 and self.hollow >= 0):
            raise ValueError("rim must be a length above 0 metres, and hollow not negative")
        if not (self.residual > 0 and self.empty_arc > 0 and 0 <= self.used <= 1):
            raise ValueError("residual and empty_arc must be above 0, used a share from 0 to 1")

    def passed(self, table: xr.Dataset) -> dict[str, Array]:
        """Return which rows of a table of circles pass, gate by gate; NaN never does."""
        spread = table["residual"].values
        share = table["n_used"].values / np.maximum(table["n"].values, 1)
        found = {
            "diameter": between(table["diameter"].values, self.diameter),
            "points": table["n_used"].values >= self.points,
            "sites": table["sites"].values >= self.sites,
            # three points or sites lie on their circle, which tells nothing against it
            "residual": (spread <= self.residual) | np.isnan(spread),
            "used": share >= self.used,
            "empty_arc": table["empty_arc"].values <= self.empty_arc,
        }
        if "n_inside" in table:
            found["hollow"] = self._hollow(table)
        if self.height is not None:
            if "height" not in table:
                raise ValueError("a gate of the height needs rings=2")
            found["height"] = between(table["height"].values, self.height)
        if self.z is not None:
            found["z"] = between(table["centre"].values[:, 2], self.z)
        return found

    def _hollow(self, table: xr.Dataset) -> Array:
        radius, inside = table["diameter"].values / 2, table["n_inside"].values
        within = np.maximum(radius - self.rim, 0.0) ** 2
        line = np.maximum(4 * radius * self.rim, 1e-300)
        density = table["n_used"].values / line
        return (inside <= 1) | (inside <= self.hollow * density * within)


def between(values: Array, bounds: Bounds) -> Array:
    """Return which values lie between bounds, both included; NaN never does."""
    return (values >= bounds[0]) & (values <= bounds[1])
