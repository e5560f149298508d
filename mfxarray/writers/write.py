"""One call that writes localizations in any of the layouts that are read."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mfxarray.writers.datasets import Data

__all__ = ["CONTAINERS", "write_minflux"]

# container: module, function, options, whether a file holds several data sets
_WRITERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "npy": ("npy", "write_npy", ()),
    "mat v5": ("mat5", "write_mat5", ("compress", "wrap")),
    "mat v7.3": ("mat73", "write_mat73", ("compress",)),
    "json": ("json", "write_json", ("wrap",)),
    "zarr": ("zarr_v2", "write_zarr_v2", ("chunk_rows", "bead_layout")),
    "zarr zip": ("zarr_v2", "write_zarr_v2", ("chunk_rows", "bead_layout")),
    "msr": ("msr", "write_msr", ("compress",)),
    "pmx": ("pmx", "write_pmx", ()),
    "text": ("text", "write_text", ("layout",)),
}
CONTAINERS = tuple(_WRITERS)
_SUFFIXES = {
    ".npy": "npy",
    ".mat": "mat v5",
    ".json": "json",
    ".zarr.zip": "zarr zip",
    ".zarr": "zarr",
    ".msr": "msr",
    ".pmx": "pmx",
    ".csv": "text",
    ".txt": "text",
    ".tsv": "text",
}
# several data sets in one file
_MANY = ("msr",)
# tables for other programs, in which a scaled z is usual
_FREE_Z = ("text",)


def write_minflux(
    data: Data,
    path: str | os.PathLike[str],
    *,
    container: str | None = None,
    model: str | None = None,
    overwrite: bool = False,
    allow_scaled: bool = False,
    **options: Any,
) -> None:
    """Write localizations as a file that Imspector, its users' tools and `open_minflux` read.

    Parameters
    ----------
    data
        A Dataset as `open_minflux` gives it, filtered or changed or not; or a DataTree of one data
        set, for ``.msr`` of several.
    path
        Target.
    container
        "npy", "mat v5", "mat v7.3", "json", "zarr", "zarr zip", "msr", "pmx" or "text"; by the
        suffix of ``path`` if not given: .npy, .mat (v5), .json, .zarr, .zarr.zip, .msr, .pmx, .csv.
    model
        "v1" for nested records, "v2" for flat ones; that of the source if not given.
    overwrite
        Replace a target that is there, once the new one is complete.
    allow_scaled
        Write z even where it is scaled; the vendor's files hold raw z. Text tables take it always.
    **options
        Of the container: ``compress`` (mat v5, mat v7.3, msr), ``wrap`` (mat v5, json),
        ``chunk_rows`` and ``bead_layout`` (zarr), ``layout`` (text).

    Raises
    ------
    DataError
        If the target exists and ``overwrite`` is off, or cannot be written.
    ValueError
        If the container or an option is unknown, there are several data sets for a file of one, z
        is scaled, or a number does not fit its field.

    Notes
    -----
    One pass over the data, at most 64 MB of records at once. A change of the model makes one more
    pass before it. The Dataset may be read from the file that is replaced: the new file takes its
    place when it is complete.
    """
    kind = _container(path, container)
    module, function, known = _WRITERS[kind]
    unknown = sorted(set(options) - set(known))
    if unknown:
        offered = ", ".join(known) or "none"
        raise ValueError(f"no option {', '.join(unknown)} for {kind}; there are: {offered}")
    from mfxarray.writers.datasets import outgoing_all

    free = allow_scaled or kind in _FREE_Z
    found = outgoing_all(data, model=model, allow_scaled=free)
    if len(found) > 1 and kind not in _MANY:
        labels = ", ".join(one.label for one in found)
        raise ValueError(
            f"a file of {kind} holds one data set, the tree holds {labels}; write one of them, or "
            "a .msr file"
        )
    write = getattr(import_module(f"mfxarray.writers.{module}"), function)
    write(path, list(found) if kind in _MANY else found[0], overwrite=overwrite, **options)


def _container(path: str | os.PathLike[str], container: str | None) -> str:
    if container is not None:
        if container not in _WRITERS:
            raise ValueError(f"no container {container!r}; known: {', '.join(CONTAINERS)}")
        return container
    name = os.fspath(path).rstrip("/" + os.sep).lower()
    for suffix, kind in _SUFFIXES.items():
        if name.endswith(suffix):
            return kind
    raise ValueError(
        f"the suffix of {os.path.basename(name)!r} tells no container; give container=, one of "
        f"{', '.join(CONTAINERS)}"
    )
