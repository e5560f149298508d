"""Pictures of clusters: how large they are, how far apart, and how washes share them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text
from mfxarray.plot.violins import plain_logarithm, violins

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["clusters_page", "shared_clusters"]

Array = np.ndarray[Any, Any]
Tables = Mapping[float, "xr.Dataset"]


def clusters_page(
    tables: Tables, *, eps: float | None = None, least: int = 3, title: str = ""
) -> Figure:
    """Return one page about cluster sizes: against the distance of neighbours, and at one of it.

    Parameters
    ----------
    tables
        Result of `mfxarray.minflux.clusters.tables.sizes_by_eps`.
    eps
        Distance of which histograms are drawn; the middle one if not given.
    least
        Members of clusters whose diameter, number and distance counts; longest diameters count
        from 2 members on, events of all clusters.
    title
        Above the page.

    Raises
    ------
    ValueError
        If there are no tables, or none of that distance.

    Notes
    -----
    Violins are densities of the logarithm, with quartiles. Histograms are in percent.
    """
    known = sorted(tables)
    if not known:
        raise ValueError("give at least one table of cluster sizes")
    chosen = known[len(known) // 2] if eps is None else eps
    matching = [one for one in known if math.isclose(one, chosen, rel_tol=1e-6)]
    if not matching:
        raise ValueError(f"no table for eps={chosen!r}; there are {known}")
    figure = new_figure(14.0, 7.6)
    places = figure.subplots(2, 3)
    names = [one * 1e9 for one in known]
    groups = [_groups(tables[one]) for one in known]
    _violins(places[0, 0], names, groups, "diameter", least, "diameter (2 s1) / nm")
    _violins(places[0, 1], names, groups, "max_diameter", 2, "longest diameter / nm")
    _counts(places[0, 2], names, groups, least)
    at = _groups(tables[matching[0]])
    text = f"eps {matching[0] * 1e9:g} nm"
    _histogram(places[1, 0], at, "diameter", least, f"diameter (2 s1) / nm, {text}")
    _events(places[1, 1], at, text)
    _distances(places[1, 2], at, least, text)
    if len(at) > 1:
        places[0, 2].legend(frameon=False, fontsize=8)
    if title:
        figure.suptitle(plain_text(title))
    return figure


def _groups(table: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the table of each wash, or the one of all."""
    washes = table["image"].values
    if table["wash"].dims != ("cluster",) or len(washes) == 1:
        return {"all": table}
    own = {
        int(wash): table.isel(cluster=np.flatnonzero(table["wash"].values == wash))
        for wash in washes
    }
    return {f"wash {name}": one for name, one in own.items()}


def _values(table: xr.Dataset, column: str, least: int) -> Array:
    values = table[column].values[table["n"].values >= least] * 1e9
    return np.asarray(values[np.isfinite(values) & (values > 0)])


def _violins(
    place: Axes,
    names: list[float],
    groups: list[dict[str, xr.Dataset]],
    column: str,
    least: int,
    label: str,
) -> None:
    samples = {
        name: [_values(group[name], column, least) for group in groups] for name in groups[0]
    }
    violins(place, names, samples)
    place.set(xlabel="eps / nm", ylabel=label)
    plain_logarithm(place, "y")
    place.set_title(f"clusters of at least {least}", fontsize=9)


def _counts(
    place: Axes, names: list[float], groups: list[dict[str, xr.Dataset]], least: int
) -> None:
    for colour, name in enumerate(groups[0]):
        n = [group[name]["n"].values for group in groups]
        own = f"C{colour}"
        label = f"{name}, " if len(groups[0]) > 1 else ""
        enough = [int((one >= least).sum()) for one in n]
        place.plot(names, enough, "o-", color=own, ms=4, label=f"{label}at least {least}")
        every = [len(one) for one in n]
        place.plot(names, every, "o--", color=own, ms=3, mfc="w", label=f"{label}of any size")
    place.set(xlabel="eps / nm", ylabel="clusters", ylim=(0, None))
    place.set_xticks(names)
    place.legend(frameon=False, fontsize=8)


def _histogram(
    place: Axes, groups: dict[str, xr.Dataset], column: str, least: int, label: str
) -> None:
    every = [_values(table, column, least) for table in groups.values()]
    _percent(place, list(groups), every, label, logarithmic=False)
    place.set_ylabel("clusters / %")


def _distances(place: Axes, groups: dict[str, xr.Dataset], least: int, text: str) -> None:
    from mfxarray.minflux.clusters.sizes import nearest_clusters

    found = [nearest_clusters(table, least=least).values * 1e9 for table in groups.values()]
    every = [values[np.isfinite(values) & (values > 0)] for values in found]
    _percent(place, list(groups), every, f"nearest cluster / nm, {text}", logarithmic=True)
    place.set_ylabel("clusters / %")


def _percent(
    place: Axes, names: list[str], samples: list[Array], label: str, *, logarithmic: bool
) -> None:
    """Draw histograms of several samples with the same bins, in percent of each."""
    joined = np.concatenate(samples)
    place.set_xlabel(label)
    if not len(joined):
        place.text(0.5, 0.5, "none", transform=place.transAxes, ha="center")
        return
    low, high = float(joined.min()), float(joined.max())
    high = high if high > low else low * 1.1
    bins = int(np.clip(2 * len(joined) ** (1 / 3), 8, 60))
    edges = np.geomspace(low, high, bins + 1) if logarithmic else np.linspace(0, high, bins + 1)
    for colour, (name, values) in enumerate(zip(names, samples, strict=True)):
        if len(values):
            shares = 100 * np.histogram(values, edges)[0] / len(values)
            of = f"{name}: " if len(names) > 1 else ""
            middle = f"{of}median {np.median(values):.3g} nm"
            place.stairs(shares, edges, color=f"C{colour}", fill=len(names) == 1, label=middle)
    if logarithmic:
        plain_logarithm(place, "x")
    place.legend(frameon=False, fontsize=8)


def _events(place: Axes, groups: dict[str, xr.Dataset], text: str) -> None:
    from mfxarray.minflux.clusters.sizes import events_per_cluster

    for colour, (name, table) in enumerate(groups.items()):
        events = events_per_cluster(table)
        fraction, size = 100 * events["fraction"].values, events["size"].values
        place.plot(size, fraction, "o-", color=f"C{colour}", ms=3, lw=0.8, label=name)
    place.set(xlabel=f"tracks in the cluster, {text}", ylabel="tracks / %", ylim=(0, None))
    plain_logarithm(place, "x")
    if len(groups) > 1:
        place.legend(frameon=False, fontsize=8)


def shared_clusters(table: xr.Dataset, *, title: str = "") -> Figure:
    """Return how much washes share clusters, against the distance of neighbours.

    Parameters
    ----------
    table
        Result of `mfxarray.minflux.clusters.tables.colocalization_by_eps`.
    title
        Above the panels.
    """
    eps = table["eps"].values * 1e9
    figure = new_figure(9.6, 3.8)
    tracks, clusters = figure.subplots(1, 2)
    total = np.maximum(table["clusters"].values, 1)
    for colour, wash in enumerate(table["wash"].values.tolist()):
        own = table.sel(wash=wash)
        settings: dict[str, Any] = {"color": f"C{colour}", "ms": 4, "label": f"wash {wash}"}
        tracks.plot(eps, 100 * own["fraction_mixed"].values, "o-", **settings)
        alone = 100 * own["clusters_alone"].values / total
        clusters.plot(eps, alone, "o--", **{**settings, "label": f"of wash {wash} alone"})
    mixed = 100 * table["clusters_mixed"].values / total
    clusters.plot(eps, mixed, "ko-", ms=4, label="of several washes")
    tracks.set(xlabel="eps / nm", ylabel="tracks in shared clusters / %", ylim=(0, 105))
    clusters.set(xlabel="eps / nm", ylabel="clusters / %", ylim=(0, 105))
    for place in (tracks, clusters):
        place.legend(frameon=False, fontsize=8)
    if title:
        figure.suptitle(plain_text(title))
    return figure
