"""The numbers of a circle for each cluster, and the table they make."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from mfxarray.chunked.by_cluster import cluster_table
from mfxarray.kernels.structures.angular_order import angular_order, angular_sites, rayleigh_p
from mfxarray.kernels.structures.circles import CircleColumn
from mfxarray.kernels.structures.circles import fit_circles as circles_of
from mfxarray.kernels.tracking.two_levels import LevelColumn, two_levels
from mfxarray.minflux.points import Points

__all__ = ["CircleSettings", "circle_table"]

Array = np.ndarray[Any, Any]

_UNITS = ("site", "point")
# fewer sites have no order
_LEAST_SITES = 3

# name, unit, meaning
_COLUMNS = (
    ("label", "1", "number of the cluster"),
    ("n", "1", "points"),
    ("n_used", "1", "points near the circle, of which it is made"),
    ("x", "m", ""),
    ("y", "m", ""),
    ("z", "m", ""),
    ("x_error", "m", ""),
    ("y_error", "m", ""),
    ("z_error", "m", ""),
    ("diameter", "m", "diameter of the circle"),
    ("diameter_error", "m", "standard error of the diameter"),
    ("residual", "m", "standard deviation of distances to the circle"),
    ("z_spread", "m", "standard deviation along z, around the rings"),
    ("height", "m", "distance of the two rings"),
    ("height_error", "m", "standard error of the distance of the rings"),
    ("n_upper", "1", "points of the upper ring"),
    ("sites", "1", "groups of points along the circle"),
    ("empty_arc", "rad", "largest angle without a point"),
)
_WHOLE = ("label", "n", "n_used", "n_upper", "sites")


@dataclass(frozen=True)
class CircleSettings:
    """How circles are fitted; see `mfxarray.minflux.structures.structures.fit_circles`."""

    outlier: float | None = 3.0
    orders: tuple[int, ...] = tuple(range(4, 13))
    site: float = 12e-9
    unit: str = "site"
    fit: str = "point"
    rings: int = 1

    def __post_init__(self) -> None:
        if self.outlier is not None and not self.outlier >= 1:
            raise ValueError(f"outlier must be at least 1, or None, not {self.outlier!r}")
        if not self.orders or any(n != int(n) or n < 1 for n in self.orders):
            raise ValueError(f"orders must be whole numbers from 1 on, not {self.orders!r}")
        if sorted(set(self.orders)) != list(self.orders):
            raise ValueError(f"orders must rise: {self.orders!r}")
        if not self.site > 0:
            raise ValueError(f"site must be a length above 0 metres, not {self.site!r}")
        if self.unit not in _UNITS or self.fit not in _UNITS:
            raise ValueError("unit and fit must be 'site' or 'point'")
        if self.rings not in (1, 2):
            raise ValueError(f"rings must be 1 or 2, not {self.rings!r}")


def circle_table(points: Points, labels: da.Array, settings: CircleSettings) -> xr.Dataset:
    """Return the table of `mfxarray.minflux.structures.structures.fit_circles`, without a record.

    Parameters
    ----------
    points
        Points.
    labels
        Their clusters, -1 for none, shape (point,).
    settings
        How circles are fitted.

    Raises
    ------
    ValueError
        If two rings are wanted of points without z.
    """
    if points.position.shape[1] < 3 and settings.rings == 2:
        raise ValueError("two rings need positions along z")
    columns = [points.position[:, axis] for axis in range(points.position.shape[1])]
    orders = settings.orders
    work = partial(_of_clusters, settings=settings)
    width = len(_COLUMNS) + 3 * len(orders)
    rows = cluster_table(work, points.used, labels, columns, width=width).compute()
    return _dataset(rows, settings)


def _of_clusters(
    labels: Array, starts: Array, columns: list[Array], *, settings: CircleSettings
) -> Array:
    """Return the rows of clusters: `_COLUMNS`, then spectrum, phases and their errors."""
    xy, rest = np.column_stack(columns[:2]), columns[2:]
    counts = np.diff(np.append(starts, len(xy)))
    circle, kept = circles_of(xy, starts, settings.outlier)
    used = circle[:, CircleColumn.KEPT]
    angles = _angles(xy, circle, counts, kept)
    gaps = settings.site / circle[:, CircleColumn.RADIUS]
    sites, bounds, empty, member = angular_sites(angles, starts, gaps)
    if settings.fit == "site":
        places = _means(xy, member, int(bounds[-1]))
        again, _ = circles_of(places, bounds[:-1])
        # of points on less than three sites, or sites on a line, there is no better one
        found = ~np.isnan(again[:, CircleColumn.RADIUS])
        circle = np.where(found[:, None], again, np.nan)
        sites = _angles(places, circle, np.diff(bounds), np.ones(len(places), bool))
        angles = _angles(xy, circle, counts, kept)
    if settings.unit == "site":
        order = angular_order(sites, bounds, settings.orders)
    else:
        known = ~np.isnan(angles)
        cluster = np.repeat(np.arange(len(starts)), counts)[known]
        ends = np.searchsorted(cluster, np.arange(len(starts) + 1))
        order = angular_order(angles[known], ends, settings.orders)
    z = np.where(kept, rest[0], np.nan) if rest else np.full(len(xy), np.nan)
    numbers = {
        "label": labels,
        "n": counts,
        "n_used": used,
        "x": circle[:, CircleColumn.X],
        "y": circle[:, CircleColumn.Y],
        "x_error": circle[:, CircleColumn.X_ERROR],
        "y_error": circle[:, CircleColumn.Y_ERROR],
        "diameter": 2 * circle[:, CircleColumn.RADIUS],
        "diameter_error": 2 * circle[:, CircleColumn.RADIUS_ERROR],
        "residual": circle[:, CircleColumn.RESIDUAL],
        "sites": np.diff(bounds),
        "empty_arc": empty,
        **_along_z(z, starts, settings.rings),
    }
    return np.column_stack([*(numbers[name] for name, *_ in _COLUMNS), *order])


def _angles(xy: Array, circle: Array, counts: Array, kept: Array) -> Array:
    """Return the angles of points around their centre, NaN for those that do not count."""
    far = xy - np.repeat(circle[:, : CircleColumn.Y + 1], counts, axis=0)
    return np.where(kept, np.arctan2(far[:, 1], far[:, 0]), np.nan)


def _means(xy: Array, member: Array, sites: int) -> Array:
    """Return the mean place of the points of each site."""
    inside = member >= 0
    own, n = member[inside], np.bincount(member[inside], minlength=sites)
    # from one point of each site, so that sums are small
    origin = np.empty((sites, 2))
    origin[own] = xy[inside]
    apart = xy[inside] - origin[own]
    sums = np.column_stack([np.bincount(own, apart[:, axis], sites) for axis in (0, 1)])
    return origin + sums / n[:, None]


def _along_z(z: Array, starts: Array, rings: int) -> dict[str, Array]:
    """Return where clusters lie along z: one level, or two."""
    if rings == 2:
        levels = two_levels(z, starts)
        low, high = levels[:, LevelColumn.LOW], levels[:, LevelColumn.HIGH]
        n_low, n_high = levels[:, LevelColumn.N_LOW], levels[:, LevelColumn.N_HIGH]
        spread = levels[:, LevelColumn.SPREAD]
        error = spread * np.sqrt(1 / n_low + 1 / n_high)
        return {
            "z": (low + high) / 2,
            "z_error": error / 2,
            "z_spread": spread,
            "height": high - low,
            "height_error": error,
            "n_upper": np.nan_to_num(n_high),
        }
    counts = np.diff(np.append(starts, len(z)))
    known = ~np.isnan(z)
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.add.reduceat(known.astype(float), starts)
        # from the first point, so that sums are small
        first = z[starts]
        apart = np.where(known, z - np.repeat(_or_zero(first), counts), 0.0)
        mean = np.add.reduceat(apart, starts) / n
        off = np.where(known, apart - np.repeat(mean, counts), 0.0)
        spread = np.sqrt(np.add.reduceat(off * off, starts) / (n - 1))
    none = np.full(len(starts), np.nan)
    return {
        "z": mean + _or_zero(first),
        "z_error": spread / np.sqrt(np.where(n > 0, n, np.nan)),
        "z_spread": np.where(n > 1, spread, np.nan),
        "height": none,
        "height_error": none,
        "n_upper": np.zeros(len(starts)),
    }


def _or_zero(values: Array) -> Array:
    return np.where(np.isnan(values), 0.0, values)


def _dataset(rows: Array, settings: CircleSettings) -> xr.Dataset:
    columns = {name: rows[:, place] for place, (name, *_) in enumerate(_COLUMNS)}
    tried = len(settings.orders)
    spectrum, phases, errors = np.split(rows[:, len(_COLUMNS) :], [tried, 2 * tried], axis=1)
    left_out = () if settings.rings == 2 else ("height", "height_error", "n_upper")
    fields: dict[str, Any] = {}
    for name, unit, meaning in _COLUMNS[1:]:
        if meaning and name not in left_out:
            values = columns[name].astype(np.int64) if name in _WHOLE else columns[name]
            fields[name] = ("cluster", values, _about(unit, meaning))
    for name, suffix, meaning in (
        ("centre", "", "centre of the circle"),
        ("centre_error", "_error", "standard error of the centre"),
    ):
        place = np.column_stack([columns[axis + suffix] for axis in "xyz"])
        fields[name] = (("cluster", "axis"), place, _about("m", meaning))
    fields["spectrum"] = (("cluster", "tried"), spectrum, _about("1", "|sum exp(i n angle)|^2 / N"))
    fields["phases"] = (("cluster", "tried"), phases, _about("rad", "angle of the first corner"))
    fields |= _best(columns, spectrum, phases, errors, settings)
    coords = {
        "label": ("cluster", columns["label"].astype(np.int64), _about("1", _COLUMNS[0][2])),
        "axis": list("xyz"),
        "tried": ("tried", list(settings.orders), _about("1", "order that was tried")),
    }
    return xr.Dataset(fields, coords)


def _best(
    columns: dict[str, Array],
    spectrum: Array,
    phases: Array,
    errors: Array,
    settings: CircleSettings,
) -> dict[str, Any]:
    """Return what is told of the order with the highest score."""
    known = columns["sites"] >= _LEAST_SITES
    scores = np.where(known[:, None], spectrum, 0.0)
    # equal but for rounding: the lowest order
    best = (scores >= scores.max(axis=1, initial=0.0)[:, None] * (1 - 1e-9)).argmax(axis=1)
    row = np.arange(len(best))
    score = np.where(known, scores[row, best], np.nan)
    # points are not independent of each other, so chance is judged by sites
    sites = np.where(known, columns["sites"], np.nan)
    count = np.where(known, columns["n_used"], np.nan) if settings.unit == "point" else sites
    p = rayleigh_p(score / count * sites, sites, len(settings.orders))
    order = np.where(known, np.asarray(settings.orders)[best], 0)
    blank = np.where(known, 0.0, np.nan)
    return {
        "order": ("cluster", order, _about("1", "order with the highest score, 0 for none")),
        "order_score": ("cluster", score, _about("1", "score of the order, N if all fit")),
        "order_p": ("cluster", p, _about("1", "probability of the score by chance")),
        "phase": ("cluster", phases[row, best] + blank, _about("rad", "angle of the first corner")),
        "phase_error": ("cluster", errors[row, best] + blank, _about("rad", "error of the phase")),
    }


def _about(unit: str, meaning: str) -> dict[str, str]:
    return {"units": unit, "long_name": meaning}
