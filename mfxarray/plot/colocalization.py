"""Pictures of colocalization: clusters by class, their sizes, pair correlation, distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mfxarray.display import number
from mfxarray.plot.figures import new_figure
from mfxarray.plot.panels import plain_text, round_length

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["colocalization"]

Array = np.ndarray[Any, Any]

_NM = 1e-9
_OUT = "0.8"
# of more clusters a part is drawn, which is told
_MOST = 100_000
# of pair correlations above it the axis is logarithmic
_HIGH = 10.0
# edges of distances in nm, so that no pass is needed to find them
_EDGES = np.logspace(-1, 5, 121)


def colocalization(
    found: xr.Dataset,
    *,
    correlation: xr.Dataset | None = None,
    distances: xr.Dataset | None = None,
    title: str = "",
) -> Figure:
    """Return a picture of joint clusters by the channels in them, and of what else is given.

    Parameters
    ----------
    found
        Result of `mfxarray.minflux.colocalization.colocalize.colocalize`.
    correlation
        Result of `mfxarray.minflux.colocalization.nulls.correlation_null`, drawn with its envelope,
        or of `mfxarray.minflux.colocalization.pair_correlation.pair_correlation`, with twice its
        error.
    distances
        Result of `mfxarray.minflux.colocalization.channel_distances.channel_distances`.
    title
        Above the numbers.

    Raises
    ------
    ValueError
        If the first is no such result.

    Notes
    -----
    Distances are read once, a block at a time. Of more than 100,000 clusters every so many is
    drawn.
    """
    if "mixture" not in found:
        raise ValueError("these are no joint clusters: give the result of ds.mfx.colocalize()")
    panels: list[Any] = [_draw_map, _draw_sizes, _draw_counts]
    figure = new_figure(13.2, 4.4 if correlation is None and distances is None else 8.4)
    rows = 1 if correlation is None and distances is None else 2
    places = figure.subplots(rows, 3, squeeze=False).ravel()
    drawn = found.compute()
    for place, draw in zip(places, panels, strict=False):
        draw(place, drawn)
    rest = list(places[3:])
    if correlation is not None:
        _draw_correlation(rest.pop(0), rest.pop(0), correlation.compute())
    if distances is not None:
        _draw_distances(rest.pop(0), distances)
    for place in rest:
        place.set_axis_off()
    figure.suptitle("\n".join(filter(None, [plain_text(title), _numbers(drawn)])), fontsize=11)
    return figure


def _classes(found: xr.Dataset) -> list[tuple[str, Array, str]]:
    """Return name, mask of kept clusters and colour of each class that occurs, mixtures last."""
    names = [str(one) for one in found["channel"].values.tolist()]
    kept, mixture = found["kept"].values, found["mixture"].values
    known = np.unique(mixture[kept]).tolist()
    known.sort(key=lambda one: (int(one).bit_count(), one))
    out = []
    for place, one in enumerate(known):
        bits = [name for bit, name in enumerate(names) if one >> bit & 1]
        text = f"channel {bits[0]} only" if len(bits) == 1 else "channels " + " + ".join(bits)
        out.append((plain_text(text, 40), kept & (mixture == one), f"C{place % 10}"))
    return out


def _numbers(found: xr.Dataset) -> str:
    kept, several = found["kept"].values, np.bitwise_count(found["mixture"].values) > 1
    n, mixed = int(kept.sum()), int((kept & several).sum())
    share = f" ({mixed / n:.1%})" if n else ""
    out = len(kept) - n
    text = f"{number(n)} clusters, {number(mixed)} of several channels{share}"
    return f"{text}; {number(out)} left out by size or number" if out else text


def _draw_map(place: Axes, found: xr.Dataset) -> None:
    xy = found["position"].transpose("cluster", "axis").values[:, :2]
    if not len(xy):
        place.set_axis_off()
        place.text(0.5, 0.5, "no clusters", ha="center", transform=place.transAxes)
        return
    span = float(np.ptp(xy, axis=0).max())
    scale, unit = (1e6, "µm") if span > 1e-6 else (1e9, "nm")
    step = -(-len(xy) // _MOST)
    size = float(np.clip(4_000 / max(len(xy), 1), 0.6, 16))
    settings: dict[str, Any] = {"linewidths": 0, "rasterized": True}
    out = ~found["kept"].values
    x, y = (xy[out][::step] * scale).T
    place.scatter(x, y, s=size, color=_OUT, **settings)
    for label, own, colour in _classes(found):
        x, y = (xy[own][::step] * scale).T
        place.scatter(x, y, s=size, color=colour, label=label, **settings)
    low, high = xy.min(axis=0), xy.max(axis=0)
    pad = 0.03 * max(span, _NM)
    place.set(aspect="equal", xlabel=f"x / {unit}", ylabel=f"y / {unit}")
    # room for the bar and its length below the points
    place.set_xlim((low[0] - pad) * scale, (high[0] + pad) * scale)
    place.set_ylim((low[1] - 4 * pad) * scale, (high[1] + pad) * scale)
    length = round_length(max(span, _NM) / 4)
    name = f"{length * 1e6:g} µm" if length >= 1e-6 else f"{length * 1e9:.3g} nm"
    ends, bottom = [(high[0] - length) * scale, high[0] * scale], (low[1] - 3.2 * pad) * scale
    place.plot(ends, [bottom] * 2, color="k", lw=2.5, solid_capstyle="butt")
    at = (float(np.mean(ends)), bottom + 0.4 * pad * scale)
    place.text(*at, name, ha="center", va="bottom", fontsize=8)
    told = "centres of clusters" if step == 1 else f"centres, one in {step} drawn"
    place.set_title(f"{told}; grey: left out", fontsize=10)
    _legend(place)


def _draw_sizes(place: Axes, found: xr.Dataset) -> None:
    n, size = found["n"].values, found["size"].values / _NM
    known = np.isfinite(size) & (size > 0)
    settings: dict[str, Any] = {"s": 8, "linewidths": 0, "rasterized": True, "alpha": 0.7}
    out = known & ~found["kept"].values
    place.scatter(size[out], n[out], color=_OUT, **settings)
    for label, own, colour in _classes(found):
        place.scatter(size[own & known], n[own & known], color=colour, label=label, **settings)
    gates = _gates(found)
    if gates.get("max_size") is not None:
        place.axvline(gates["max_size"] / _NM, color="0.3", lw=1, ls="--")
    if gates.get("min_localizations"):
        place.axhline(gates["min_localizations"], color="0.3", lw=1, ls="--")
    if known.any():
        place.set(xscale="log", yscale="log")
    _plain_log(place, between=True)
    place.set(xlabel="size of a cluster / nm", ylabel="points in a cluster")
    place.set_title("dashed: gates of size and number", fontsize=10)


def _draw_counts(place: Axes, found: xr.Dataset) -> None:
    """Draw numbers of the first two channels; clusters of one alone lie on the axes."""
    counts = found["counts"].transpose("cluster", "channel").values[:, :2]
    names = found["channel"].values.tolist()
    rng = np.random.default_rng(0)
    # equal numbers are many: a little apart, so that all are seen
    apart = counts + rng.uniform(-0.2, 0.2, counts.shape)
    settings: dict[str, Any] = {"s": 10, "linewidths": 0, "rasterized": True, "alpha": 0.6}
    for label, own, colour in _classes(found):
        x, y = apart[own].T
        place.scatter(x, y, color=colour, label=label, **settings)
    top = max(float(counts[found["kept"].values].max(initial=1)), 2.0)
    place.plot([0, top], [0, top], color="0.6", lw=0.8, zorder=0)
    place.set(xscale="symlog", yscale="symlog", xlim=(-0.5, top * 1.3), ylim=(-0.5, top * 1.3))
    _plain_log(place)
    place.set(xlabel=f"points of channel {names[0]}", ylabel=f"points of channel {names[1]}")
    place.set_title("points of both channels in a cluster", fontsize=10)


def _draw_correlation(within: Axes, across: Axes, found: xr.Dataset) -> None:
    r = found["r"].values / _NM
    ids = found["channel"].values.tolist()
    same = [(one, one) for one in range(len(ids))]
    mixed = [(one, two) for one in range(len(ids)) for two in range(one + 1, len(ids))]
    for place, pairs, text in ((within, same, "within"), (across, mixed, "across")):
        top = 1.0
        for colour, (one, two) in enumerate(pairs):
            curve = found.isel(channel=one, other=two)
            name = f"{ids[one]}" if one == two else f"{ids[one]} – {ids[two]}"
            low, high = _band(curve)
            seen = np.concatenate([np.ravel(high), curve["g"].values, [top]])
            top = float(np.nanmax(seen))
            place.fill_between(r, low, high, color=f"C{colour}", alpha=0.2, lw=0)
            place.plot(r, curve["g"].values, color=f"C{colour}", lw=1.4, label=_with_p(name, curve))
        place.axhline(1, color="0.4", lw=0.8)
        place.set(xlabel="distance r / nm", ylabel="pair correlation g(r)", xlim=(0, None))
        if top > _HIGH:
            # what is near 1 stays in sight below a high peak
            place.set_yscale("symlog", linthresh=2)
            _plain_log(place, axes=("y",))
        place.set_ylim(0, None)
        place.set_title(f"{text} channels; {_band_text(found, place is within)}", fontsize=10)
        place.grid(alpha=0.3)
        if pairs:
            place.legend(frameon=False, fontsize=8, title="channel" if one == two else "channels")


def _band(curve: xr.Dataset) -> tuple[Array, Array]:
    if "g_low" in curve:
        return curve["g_low"].values, curve["g_high"].values
    error = curve["error"].values
    return np.maximum(1 - 2 * error, 0), 1 + 2 * error


def _band_text(found: xr.Dataset, within: bool) -> str:
    if "g_low" not in found:
        return "band: at random ± 2 deviations"
    if within and found.attrs["null"] == "shift":
        return "shifts change nothing there"
    kind = {"permute": "dealt anew", "shift": "shifted", "csr": "at random"}[found.attrs["null"]]
    return f"band: {found.attrs['level']:.0%} of {found.attrs['repeats']} {kind}"


def _with_p(name: str, curve: xr.Dataset) -> str:
    p = float(curve["p_global"]) if "p_global" in curve else np.nan
    return f"{name}: p = {p:.3g}" if np.isfinite(p) else name


def _draw_distances(place: Axes, found: xr.Dataset) -> None:
    ids = found["other"].values.tolist()
    filled = np.zeros(len(_EDGES) - 1, bool)
    for colour, (one, two, counts) in enumerate(_histograms(found)):
        share = counts / max(counts.sum(), 1)
        filled |= share > 1e-3
        name = f"{ids[one]} to {ids[two]}"
        place.stairs(share, _EDGES, color=f"C{colour % 10}", label=name, lw=1.3)
    place.set(xscale="log", xlabel="distance to the nearest point / nm", ylabel="share of points")
    if filled.any():
        bins = np.flatnonzero(filled)
        place.set_xlim(_EDGES[bins[0]] / 1.5, _EDGES[bins[-1] + 1] * 1.5)
    _plain_log(place, axes=("x",))
    place.set_title("nearest neighbours", fontsize=10)
    place.legend(frameon=False, fontsize=8, title="from channel")


def _histograms(found: xr.Dataset) -> list[tuple[int, int, Array]]:
    """Return channel, other and histogram of distances, nm, of every pair."""
    import dask.array as da
    from dask.base import compute

    dim = found["channel"].dims[0]
    distance = da.asarray(found["distance"].transpose(dim, "other").data) / _NM
    channel = da.asarray(found["channel"].data)
    size = found.sizes["other"]
    pairs = [(one, two) for one in range(size) for two in range(size)]
    # what does not belong lies below all edges; NaN would belong nowhere and be warned about
    made = [
        da.histogram(
            da.where((channel == one) & (distance[:, two] >= 0), distance[:, two], -1.0), _EDGES
        )[0]
        for one, two in pairs
    ]
    return [(*pair, counts) for pair, counts in zip(pairs, compute(*made), strict=True)]


def _gates(found: xr.Dataset) -> dict[str, Any]:
    from mfxarray.provenance import history

    steps = [one for one in history(found.attrs) if one["step"] == "colocalize"]
    return dict(steps[-1]["parameters"]) if steps else {}


def _plain_log(place: Axes, axes: Sequence[str] = ("x", "y"), *, between: bool = False) -> None:
    """Write 10 and 100 rather than powers, and 20 and 50 between them."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for name in axes:
        axis = getattr(place, f"{name}axis")
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(FuncFormatter(_minor) if between else NullFormatter())


def _minor(value: float, _: object) -> str:
    """Return the text of every other minor tick: 2 and 5, 20 and 50."""
    return f"{value:g}" if value > 0 and f"{value:e}"[0] in "25" else ""


def _legend(place: Axes) -> None:
    if place.get_legend_handles_labels()[0]:
        place.legend(
            frameon=False,
            fontsize=8,
            markerscale=1.6,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=3,
            columnspacing=1.0,
            handletextpad=0.1,
        )
