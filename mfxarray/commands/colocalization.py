"""The command coloc: joint clusters of channels, and whether they are more than chance."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfxarray.commands.files import (
    check_output,
    client_of,
    picture_of,
    save_picture,
    summary_of_output,
    write_table,
)
from mfxarray.commands.points import bounded_points
from mfxarray.jobs.progress import progress

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["coloc_files"]

_NM = 1e-9


def coloc_files(arguments: Namespace) -> None:
    """Write the joint clusters of channels as a table, say how much the channels share them."""
    from mfxarray.minflux.colocalization.colocalize import clusters_table, colocalize

    out, picture = _outputs(arguments)
    channels = _channels(arguments)
    with client_of(arguments) as at:
        with progress("joining clusters of all channels", at):
            found = colocalize(
                channels,
                arguments.channels,
                eps=arguments.eps_nm * _NM,
                min_samples=arguments.min_samples,
                max_size=arguments.max_size_nm * _NM,
                min_localizations=arguments.min_localizations,
                dimensions=arguments.dimensions,
            )
        print(_text(found))
        if arguments.null is not None:
            _judge(channels, arguments, at)
        write_table(clusters_table(found), out, overwrite=arguments.overwrite)
        print(summary_of_output(out))
        if picture is not None:
            _draw(found, channels, arguments, picture, at)


def _outputs(arguments: Namespace) -> tuple[str, str | None]:
    """Return the paths of table and picture, if they may be written."""
    pictures: list[str | None] = [None]
    for path in arguments.files:
        one = Namespace(**{**vars(arguments), "file": path})
        out = check_output(one, ".csv", ".parquet")
        pictures.append(picture_of(one))
    return out, pictures[-1]


def _channels(arguments: Namespace) -> Any:
    """Return the points of one file with channels, or those of several, a channel each."""
    if len(arguments.files) > 1 and arguments.channels is not None:
        raise ValueError("each of several files is a channel; leave out --channels")
    found = [_points(path, arguments) for path in arguments.files]
    return found[0] if len(found) == 1 else found


def _points(path: str, arguments: Namespace) -> xr.Dataset:
    from mfxarray.minflux.traces.table import traces

    data = bounded_points(Namespace(**{**vars(arguments), "file": path}))
    if "trace" in data.dims or not arguments.traces:
        return data
    if arguments.channels not in (None, "wash"):
        raise ValueError("--traces knows the wash of a trace only; leave out --channels")
    return traces(data, medians=(), photons=None)


def _text(found: xr.Dataset) -> str:
    """Return the classes of the clusters that count, a line each."""
    from mfxarray.display import number, safe_text

    kept = int(found["kept"].sum())
    lines = [f"{number(kept)} of {number(found.sizes['cluster'])} clusters are kept"]
    rows = zip(
        found["class"].values.tolist(),
        found["class_clusters"].values.tolist(),
        found["class_points"].values.tolist(),
        strict=True,
    )
    for name, clusters, points in rows:
        share = f" ({clusters / kept:.1%})" if kept else ""
        text = f"{number(clusters)} clusters{share}, {number(points)} points"
        lines.append(f"  channel {safe_text(name, 60)}: {text}")
    return "\n".join(lines)


def _judge(channels: Any, arguments: Namespace, at: Any) -> None:
    """Print how likely as many mixed clusters are by chance."""
    from mfxarray.minflux.colocalization.nulls import coloc_null

    with progress(f"repeating with channels by chance ({arguments.null})", at):
        judged = coloc_null(
            channels,
            arguments.channels,
            null=arguments.null,
            statistic="clusters",
            repeats=arguments.repeats,
            seed=arguments.seed,
            eps=arguments.eps_nm * _NM,
            min_samples=arguments.min_samples,
            max_size=arguments.max_size_nm * _NM,
            min_localizations=arguments.min_localizations,
            dimensions=arguments.dimensions,
        )
    ids = judged["channel"].values.tolist()
    for one in range(len(ids)):
        for two in range(one + 1, len(ids)):
            pair = judged.isel(channel=one, other=two)
            told = f"{int(pair['observed'])} clusters with both, by chance"
            told += f" {float(pair['expected']):.1f} ± {float(pair['deviation']):.1f}"
            p = float(pair["p_value"])
            print(f"  channels {ids[one]} and {ids[two]}: {told}, p = {p:.3g}")


def _draw(found: xr.Dataset, channels: Any, arguments: Namespace, picture: str, at: Any) -> None:
    from mfxarray.minflux.colocalization.channel_distances import channel_distances
    from mfxarray.minflux.colocalization.nulls import correlation_null
    from mfxarray.minflux.colocalization.pair_correlation import pair_correlation
    from mfxarray.plot.colocalization import colocalization

    where = {"dimensions": arguments.dimensions, "r_max": arguments.r_max_nm * _NM}
    with progress("counting pairs of points", at):
        if arguments.null is None:
            curves = pair_correlation(channels, arguments.channels, **where).compute()
        else:
            chance = {"null": arguments.null, "repeats": arguments.repeats, "seed": arguments.seed}
            curves = correlation_null(channels, arguments.channels, **where, **chance)
        near = channel_distances(channels, arguments.channels, dimensions=arguments.dimensions)
        title = ", ".join(Path(path).name for path in arguments.files)
        figure = colocalization(found, correlation=curves, distances=near, title=title)
    save_picture(figure, picture)
