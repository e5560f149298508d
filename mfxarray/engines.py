"""xarray engines ``minflux`` and ``mims``: files to labelled, lazy Datasets.

xarray imports this module for every ``xr.open_dataset`` of every user, so nothing heavy is imported
before a file of ours is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from xarray.backends import BackendEntrypoint

if TYPE_CHECKING:
    import xarray as xr


__all__ = ["MimsBackendEntrypoint", "MinfluxBackendEntrypoint"]

Path = str | os.PathLike[str]


class MinfluxBackendEntrypoint(BackendEntrypoint):
    """Open MINFLUX localizations as a Dataset (localization, iteration, axis).

    With ``chunks={}`` the chunks are cut at trace bounds, as `open_minflux` cuts them. xarray wraps
    what an engine gives variable by variable, so each field reads the records for itself;
    `open_minflux` gives the same Dataset with one read a block for all fields.
    """

    description = "MINFLUX localizations (.npy, .mat, .json, .zarr, .msr, .pmx)"
    supports_groups = True
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        "dataset",
        "records",
        "view",
        "masked",
        "strict",
        "units",
        "chunk_bytes",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        dataset: str | None = None,
        records: bool = False,
        view: str = "valid",
        masked: bool = False,
        strict: bool = True,
        units: str | None = None,
        chunk_bytes: int | None = None,
    ) -> xr.Dataset:
        """Return the localizations; see `open_minflux`."""
        from mfxarray.assemble import lazy_localizations
        from mfxarray.formats.openers import pick
        from mfxarray.opening.measurements import measurements_of
        from mfxarray.opening.minflux import localization_file

        wanted = pick(measurements_of(filename_or_obj, strict=strict, units=units), dataset)
        file = localization_file(wanted, records=records, view=view, strict=strict)
        found = lazy_localizations(file, masked=masked, chunk_bytes=chunk_bytes)
        return found if drop_variables is None else found.drop_vars(drop_variables)

    def open_groups_as_dict(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, xr.Dataset]:
        """Return the nodes of the tree; see `open_minflux_tree`."""
        from mfxarray.assemble import lazy_localizations
        from mfxarray.opening.minflux import tree_nodes

        nodes = tree_nodes(filename_or_obj, lazy_localizations, **options)
        if drop_variables is not None:
            names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables)
            nodes = {key: node.drop_vars(names, errors="ignore") for key, node in nodes.items()}
        return nodes

    def open_datatree(  # type: ignore[override]
        self, filename_or_obj: Path, **options: Any
    ) -> xr.DataTree:
        """Return the tree of all data sets; see `open_minflux_tree`."""
        import xarray as xr

        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, **options))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell by its first bytes whether this is a MINFLUX file; never raises."""
        from mfxarray.formats.sniff import looks_like_minflux

        return looks_like_minflux(filename_or_obj)


class MimsBackendEntrypoint(BackendEntrypoint):
    """Open a NanoSIMS stack as a Dataset with the variable ``counts`` (frame, detector, y, x)."""

    description = "Cameca NanoSIMS image stacks (.im, packed .im, OpenMIMS .nrrd)"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = (
        "filename_or_obj",
        "drop_variables",
        "roll",
        "interleave",
        "incomplete",
        "zero_tail",
        "member",
        "max_bytes",
        "integers",
        "chunk_bytes",
    )

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: Path,
        *,
        drop_variables: str | Iterable[str] | None = None,
        roll: tuple[int, int] | str = (0, 0),
        interleave: bool = False,
        incomplete: str = "drop",
        zero_tail: str = "keep",
        member: str | None = None,
        max_bytes: int | None = None,
        integers: bool = True,
        chunk_bytes: int | None = None,
    ) -> xr.Dataset:
        """Return the stack; see `open_mims`."""
        from mfxarray.assemble import lazy_ion_images
        from mfxarray.opening.mims import open_images, with_earlier_steps

        file = open_images(
            filename_or_obj,
            roll=roll,
            interleave=interleave,
            incomplete=incomplete,
            zero_tail=zero_tail,
            member=member,
            max_bytes=max_bytes,
            integers=integers,
        )
        counts = with_earlier_steps(lazy_ion_images(file, chunk_bytes=chunk_bytes))
        found = counts.to_dataset(name="counts")
        return found if drop_variables is None else found.drop_vars(drop_variables)

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Tell by its first bytes whether this is a NanoSIMS file; never raises."""
        from mfxarray.formats.sniff import looks_like_mims

        return looks_like_mims(filename_or_obj)
