"""Plain text about data: what `mfxarray info` prints. Nothing is computed unless asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mfxarray.provenance import history

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["describe", "number", "safe_text", "size_text"]

# control, format (right-to-left marks too), surrogate, unassigned; line and paragraph separators
_UNSAFE = ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
_MOST_TEXT = 200
_MOST_STEPS = 30
_LABEL = 16

Line = tuple[str, str]


def describe(data: xr.Dataset | xr.DataArray, *, times: bool = False) -> str:
    """Return a summary of localizations, traces or ion images for reading on a terminal.

    Parameters
    ----------
    data
        What `open_minflux`, `open_mims` or an operation gave.
    times
        Read the first and the last block for the time span of localizations; give it only where
        reading them costs little, as it does right after opening.

    Returns
    -------
    str
        Lines; text from files is cleaned of everything that could steer a terminal.
    """
    if "localization" in data.dims:
        title, lines = "MINFLUX localizations", list(_localizations(data, times))
    elif "trace" in data.dims:
        title, lines = "MINFLUX traces", list(_traces(data))
    elif {"y", "x"} <= set(data.dims):
        title, lines = "Ion images", list(_ion_images(data))
    else:
        title, lines = "Data", []
    lines += [*_size(data), *_steps(data)]
    width = max([_LABEL, *(len(label) + 2 for label, _ in lines)])
    text = [f"  {safe_text(label):<{width}}{safe_text(value)}".rstrip() for label, value in lines]
    return "\n".join([title, *text])


def safe_text(text: object, most: int = _MOST_TEXT) -> str:
    """Return text on one line, without control characters, at most ``most`` characters long."""
    clean = "".join("?" if unicodedata.category(char) in _UNSAFE else char for char in str(text))
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def number(value: int) -> str:
    """Return a whole number with thin groups of three, 1 234 567."""
    return f"{value:,}".replace(",", " ")


def size_text(n_bytes: float) -> str:
    """Return a number of bytes in the unit that fits."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "bytes" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def _localizations(data: xr.Dataset | xr.DataArray, times: bool) -> Iterator[Line]:
    yield from _attributes(data, ("source_file", "vendor", "format_version"))
    yield "localizations", number(data.sizes["localization"])
    if "iteration" in data.dims:
        numbers = ", ".join(str(value) for value in data["iteration"].values)
        yield "iterations", f"{data.sizes['iteration']} ({numbers})"
        measured = data.attrs.get("cfr_iteration", "unknown")
        yield "cfr", "not measured" if measured is None else f"last measured in column {measured}"
    if times and data.sizes["localization"] and "tim" in data.coords:
        first, last = (float(data["tim"][row].compute()) for row in (0, -1))
        yield "time", f"{first:.3f} s to {last:.3f} s ({(last - first) / 3600:.2f} h)"
    yield "fields", _fields(data)


def _traces(data: xr.Dataset | xr.DataArray) -> Iterator[Line]:
    yield from _attributes(data, ("source_file",))
    yield "traces", number(data.sizes["trace"])
    yield "fields", _fields(data)


def _fields(data: Any) -> str:
    names = [*data.coords, *getattr(data, "data_vars", ())]
    return " ".join(str(name) for name in names if name not in ("axis", "iteration"))


def _ion_images(data: xr.Dataset | xr.DataArray) -> Iterator[Line]:
    if "frame" in data.dims:
        planned = data.attrs.get("frames_planned")
        wanted = f" of {planned} planned" if planned not in (None, data.sizes["frame"]) else ""
        yield "frames", f"{data.sizes['frame']}{wanted}"
    yield "image", f"{data.sizes['y']} x {data.sizes['x']} pixels (y, x)"
    yield from _scale(data)
    yield from _attributes(
        data, ("sample", "date", "polarity", "primary_ion", "stage_position_um", "comment", "user")
    )
    if data.attrs.get("dwell_time_s"):
        yield "dwell time", f"{data.attrs['dwell_time_s'] * 1e3:g} ms a pixel"
    if "detector" in data.dims:
        yield "detectors", f"{data.sizes['detector']}: name, mass, trolley"
        yield from (("", line) for line in _detectors(data))


def _scale(data: xr.Dataset | xr.DataArray) -> Iterator[Line]:
    if data.attrs.get("raster_um"):
        yield "raster", f"{data.attrs['raster_um']:g} µm"
    if "x" in data.coords and data.sizes["x"] > 1:
        x = data["x"].values
        yield "pixel", f"{(x[1] - x[0]) * 1e3:.4g} nm"


def _detectors(data: xr.Dataset | xr.DataArray) -> Iterator[str]:
    coords: Any = data.coords
    for index, name in enumerate(data["detector"].values):
        mass = float(coords["mass"][index]) if "mass" in coords else 0.0
        trolley = f"{int(coords['trolley'][index])}" if "trolley" in coords else ""
        shown = f"{mass:.4f} u" if mass else "-"
        yield f"{safe_text(name, 24):<14} {shown:>12}   {trolley}"


def _attributes(data: xr.Dataset | xr.DataArray, names: tuple[str, ...]) -> Iterator[Line]:
    for name in names:
        value = data.attrs.get(name)
        if value not in (None, "", []):
            shown = " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
            yield name.removesuffix("_um").replace("_", " "), shown + _unit(name)


def _unit(name: str) -> str:
    return " µm" if name.endswith("_um") else ""


def _size(data: xr.Dataset | xr.DataArray) -> Iterator[Line]:
    yield "size", f"{size_text(data.nbytes)} as arrays"
    # detectors and axes are always whole; rows or frames are what is cut
    for dim in ("localization", "trace", "frame"):
        blocks = data.chunksizes.get(dim)
        if blocks:
            yield "blocks", f"{number(len(blocks))} of up to {number(max(blocks))} {dim}s"


def _steps(data: xr.Dataset | xr.DataArray) -> Iterator[Line]:
    entries = history(data.attrs)
    for index, entry in enumerate(entries[:_MOST_STEPS]):
        source = entry.get("source", {}).get("name")
        name = f"{entry['step']} of {source}" if source else entry["step"]
        yield "history" if index == 0 else "", f"{index + 1}. {name}{_settings(entry)}"
        for other, made in entry.get("others", {}).items():
            if made:
                yield "", f"   {other}: {made[-1]['step']}{_settings(made[-1])}"
    if len(entries) > _MOST_STEPS:
        yield "", f"... and {len(entries) - _MOST_STEPS} more"


def _settings(entry: dict[str, Any]) -> str:
    given = {k: v for k, v in entry.get("parameters", {}).items() if v not in (None, {}, [])}
    shown = ", ".join(f"{key}={value}" for key, value in given.items())
    return f" ({shown})" if shown else ""
