"""Files of maps: rows of windows as datasets of maps that Gammapy opens, and what others write as rows.

Beside its maps a file of xgamma holds the rest of the row in a table, so that it reads back to the identical Dataset:
the responses of each run, of which others see the sum on a coarse image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.axes import Axis, FloatArray
from xgamma.datasets import info
from xgamma.errors import ConfigError
from xgamma.formats import dataset_index
from xgamma.formats.fits import dataset_table
from xgamma.formats.fits.images import FitsFile
from xgamma.formats.fits.tables import as_input_error
from xgamma.formats.local_files import validate_output, write_files
from xgamma.formats.sky_maps import files as sky_map_files
from xgamma.formats.sky_maps import labelled, map_dataset, map_row
from xgamma.formats.spectrum_rows import NO_OBS_ID
from xgamma.reduce import grids as response_grids
from xgamma.reduce import joined_rows, nodes, select_rows, with_names
from xgamma.schema.response_grids import BINSIZE_IRF, EDISP_GRID, EXPOSURE_GRID, IMAGE_IRF, PSF_GRID, PSF_RECO_GRID
from xgamma.sky import IMAGE, SkySpace
from xgamma.times import DEFAULT_MJDREF

if TYPE_CHECKING:
    from xgamma.formats.dataset_index import IndexEntry
    from xgamma.formats.sky_maps.map_row import MapRow, ResponseGrid


# --- write


def write_map_dataset(ds: xr.Dataset, path: Path, *, overwrite: bool = False, binsize_irf: float = BINSIZE_IRF) -> None:
    """Write the one row of windows (DL4) to a ``.fits`` or ``.fits.gz`` file; Gammapy reads it as a ``MapDataset``.

    Raises
    ------
    ConfigError
        When there are more rows, or none.
    OutputExistsError, OutputError
        When the file exists and ``overwrite`` is false, or the folder cannot be written.
    """
    if ds.sizes["dataset"] != 1:
        raise ConfigError(
            f"{path.name}: a FITS file of maps holds one dataset, got {ds.sizes['dataset']}; choose a name that ends "
            "in .yaml, which has a file for each, or in .zarr."
        )
    validate_output(path, overwrite)
    content = map_content(ds.compute(), 0, binsize_irf=binsize_irf, compress=path.name.lower().endswith(".gz"))
    write_files({path: content}, overwrite=overwrite)


def map_contents(
    ds: xr.Dataset, folder: Path, binsize_irf: float = BINSIZE_IRF
) -> tuple[dict[Path, bytes], list[IndexEntry]]:
    """Return the files of all rows of windows in a folder, and what an index says of them.

    Raises ``ConfigError`` for a name that cannot be one of a file.
    """
    loaded, names = ds.compute(), info.row_names(ds)
    for name in names:
        dataset_index.validate_file_name(name)
    kind = map_dataset.TYPES["counts_off" in ds]
    entries = [dataset_index.IndexEntry(name, folder / f"{name}.fits", kind) for name in names]
    return {entry.path: map_content(loaded, row, binsize_irf=binsize_irf) for row, entry in enumerate(entries)}, entries


def map_content(ds: xr.Dataset, row: int, *, binsize_irf: float = BINSIZE_IRF, compress: bool = False) -> bytes:
    """Return the bytes of the file of one row of windows (DL4).

    Parameters
    ----------
    ds
        Rows of runs or stacks, in memory.
    row
        The number of the row.
    binsize_irf
        The pixel size (deg) of the coarse image of responses that are known by the runs of the row.
    compress
        Whether it is gzip.
    """
    own = select_rows(ds, [row])
    images = {name: name.upper() for name in (*map_dataset.IN_BINS, "exposure") if name in own}
    table = labelled.table_beside_images(own, images)
    return map_dataset.map_row_content(
        map_row_of(own, 0, binsize_irf), [table], dataset_table.PROMISE, compress=compress
    )


def map_row_of(ds: xr.Dataset, row: int, binsize_irf: float = BINSIZE_IRF) -> MapRow:
    """Return one row of windows as plain arrays, its responses on a coarse image."""

    def number(name: str) -> float:
        return float(ds[name].values[row]) if name in ds.variables else np.nan

    dims = schema.bin_dims(ds)
    bins: dict[str, Any] = {name: ds[name].transpose(*dims).values[row] for name in map_dataset.IN_BINS if name in ds}
    gti = np.asarray(ds["gti"].values[row])
    made = map_row.MapRow(
        name=info.row_names(ds)[row],
        space=response_grids.image_of_row(ds, row),
        energy=Axis.from_coords(ds.coords, "energy"),
        energy_true=Axis.from_coords(ds.coords, "energy_true"),
        exposure=_exposure(ds, row),
        gti=gti[np.isfinite(gti).all(axis=1)],
        mjdref=float(ds.attrs.get("mjdref", DEFAULT_MJDREF)),
        livetime=number("livetime"),
        obs_id=int(ds["obs_id"].values[row]) if "obs_id" in ds.coords else NO_OBS_ID,
        telescope=str(ds.attrs.get("telescope", "")),
        pointing=(number("pointing_lon"), number("pointing_lat")),
        **bins,
    )
    return replace(made, responses=_responses(ds, row, made.space, binsize_irf))


def _exposure(ds: xr.Dataset, row: int) -> FloatArray | None:
    """Return the exposure of the pixels: that of the row, else what its run has there; ``None`` without either."""
    if "exposure" in ds:
        return np.asarray(ds["exposure"].transpose("dataset", "energy_true", *schema.WINDOWS.cells).values[row])
    if schema.MEMBER_ROW not in ds:
        return None
    return np.asarray(nodes.exposure_in_windows(ds, slice(row, row + 1))[0])


def _responses(ds: xr.Dataset, row: int, window: SkySpace, binsize_irf: float) -> ResponseGrid | None:
    """Return the responses of a row on its coarse image, or on one that is made for it; ``None`` without any."""
    rad = Axis.from_coords(ds.coords, "rad") if "rad" in ds.coords else None
    if response_grids.has_grids(ds):
        held = {name: ds[name].values[row] for name in (EDISP_GRID, PSF_GRID, PSF_RECO_GRID) if name in ds}
        grids = (held.get(EDISP_GRID), held.get(PSF_GRID), held.get(PSF_RECO_GRID))
        return map_row.ResponseGrid(response_grids.grid_space(ds), ds[EXPOSURE_GRID].values[row], *grids, rad)
    if schema.MEMBER_ROW not in ds:
        return None
    coarse = coarse_image(window, binsize_irf)
    found = nodes.responses_at(ds, row, *coarse.positions())

    def plane(values: FloatArray | None) -> Any:
        return None if values is None else np.moveaxis(values, 0, -1).reshape(*values.shape[1:], *coarse.shape)

    return map_row.ResponseGrid(coarse, plane(found.exposure), plane(found.edisp), plane(found.psf), None, rad)


def coarse_image(window: SkySpace, binsize: float) -> SkySpace:
    """Return the image of larger pixels that covers a window, about the same middle and in the same projection.

    >>> coarse_image(SkySpace(0.0, 0.0, "icrs", 0.1, (40, 30)), 0.5).npix
    (8, 6)
    """
    nx, ny = window.npix
    ratio = binsize / window.binsize
    npix = max(1, round(nx / ratio)), max(1, round(ny / ratio))
    x0, y0 = window.reference_pixel
    reference = (
        0.5 * (npix[0] - 1) + (x0 - 0.5 * (nx - 1)) / ratio,
        0.5 * (npix[1] - 1) + (y0 - 0.5 * (ny - 1)) / ratio,
    )
    return replace(window, binsize=binsize, npix=npix, reference=None if window.reference is None else reference)


# --- read


def map_dataset_of_file(file: FitsFile, path: Path, name: str = "") -> xr.Dataset:
    """Return the dataset of maps of a file as DL4 with one row: identical where xgamma wrote it.

    ``name`` is what an index calls it, empty for the name in the file.
    """
    maps = sky_map_files.maps_of_file(file)
    with as_input_error(str(path)):
        ours = labelled.dataset_with_images(file.tables, maps, path)
        if ours is None:
            row = map_dataset.map_row_of_file(file, maps, path)
            return map_row.dataset_of_map_row(replace(row, name=name) if name else row)
        return with_names(ours, [name]) if name and info.row_names(ours) != [name] else ours


def joined_alike(datasets: Sequence[xr.Dataset]) -> list[xr.Dataset]:
    """Return Datasets of maps put together where they have the same image, axes and variables, in their order.

    Raises ``ConfigError`` when two rows of one Dataset have the same name.
    """
    groups: dict[str, list[xr.Dataset]] = {}
    for ds in datasets:
        groups.setdefault(_kind(ds), []).append(ds)
    for group in groups.values():
        names = [str(name) for ds in group for name in ds["dataset"].values]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ConfigError(
                f"Two datasets are called {twice!r}. Give them names in the index, or read them one by one."
            )
    return [joined_rows(group) for group in groups.values()]


def _kind(ds: xr.Dataset) -> str:
    """Return a text that is equal for Datasets whose rows can be joined."""
    axes = [Axis.from_coords(ds.coords, name).digest for name in ("energy", "energy_true", "rad") if name in ds.coords]
    images = [str(ds[name].attrs) for name in (IMAGE, IMAGE_IRF) if name in ds.coords]
    cells = [ds.sizes[dim] for dim in schema.WINDOWS.cells]
    return str((axes, images, cells, sorted(map(str, ds.data_vars)), "rows" in ds.attrs))
