"""Rows of a DL4 Dataset as spectrum datasets of Gammapy, and back.

Numbers travel in double precision. The ledger and the outcome of a row have no place in Gammapy and stay behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table
from astropy.time import Time
from gammapy.data import GTI
from gammapy.datasets import Dataset, Datasets, SpectrumDataset, SpectrumDatasetOnOff
from gammapy.irf import EDispKernelMap
from gammapy.maps import MapAxis, RegionGeom, RegionNDMap
from gammapy.utils.regions import compound_region_to_regions
from regions import SkyRegion

from xgamma.axes import Axis, FloatArray
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.formats import region_objects
from xgamma.formats.fits.regions import Shapes
from xgamma.formats.spectrum_rows import (
    NO_OBS_ID,
    SpectrumRow,
    dataset_of_rows,
    facts_of_columns,
    grouped_rows,
    spectrum_rows,
)
from xgamma.shapes.objects import normalize_shape
from xgamma.times import DEFAULT_MJDREF, SECONDS_PER_DAY

STATISTICS = {SpectrumDatasetOnOff: "wstat", SpectrumDataset: "cash"}


# --- ours as theirs


def to_gammapy(ds: xr.Dataset, names: Sequence[str]) -> list[SpectrumDataset | SpectrumDatasetOnOff]:
    """Return each (dataset, region) row of a DL4 Dataset as a dataset of Gammapy, without models.

    Parameters
    ----------
    ds
        The rows; a variable ``mask_fit`` (bool, as ``mask_safe``) becomes the fit mask.
    names
        A unique name for each, regions fastest.

    Raises
    ------
    DataError
        When a variable that every spectrum needs is missing.
    """
    # A geometry takes Gammapy longer than all the rest of a row, and all rows of a region share it.
    geometries: dict[Shapes, _Geometries] = {}
    datasets = []
    for row, name in zip(spectrum_rows(ds.compute()), names, strict=True):
        if row.region not in geometries:
            geometries[row.region] = _geometries(row)
        datasets.append(_dataset(replace(row, name=name), geometries[row.region]))
    return datasets


def collected(datasets: Iterable[Dataset]) -> Datasets:
    """Return datasets as one collection of Gammapy; raises ``ConfigTypeError`` where one is none of Gammapy."""
    if isinstance(datasets, Datasets):
        return datasets
    given = list(datasets)
    for dataset in given:
        _validate_kind(dataset)
    return Datasets(given)


def _map_axis(axis: Axis) -> MapAxis:
    return MapAxis.from_edges(axis.edges, interp=axis.scale, name=axis.name, unit=axis.unit)


def _map(geom: RegionGeom, values: Any, unit: str = "") -> RegionNDMap:
    return RegionNDMap(geom, data=np.array(values).reshape(geom.data_shape), unit=unit)


class _Geometries(NamedTuple):
    """The region with the axes of counts, of exposure, of the energy dispersion, and of its weight."""

    counts: RegionGeom
    exposure: RegionGeom
    edisp: RegionGeom
    weight: RegionGeom


def _geometries(row: SpectrumRow) -> _Geometries:
    region = region_objects.sky_regions(row.region)[0] if len(row.region) else None
    energy, energy_true = _map_axis(row.energy), _map_axis(row.energy_true)
    counts = RegionGeom.create(region, axes=[energy])
    others = ([energy_true], [energy, energy_true], [energy.squash(), energy_true])
    return _Geometries(counts, *(RegionGeom.create(region, axes=axes, wcs=counts.wcs) for axes in others))


def _dataset(row: SpectrumRow, geometries: _Geometries) -> SpectrumDataset | SpectrumDatasetOnOff:
    geom = geometries.counts
    exposure = _map(geometries.exposure, row.exposure, "m2 s")
    exposure.meta = {"livetime": u.Quantity(row.livetime, "s"), "is_pointlike": False}
    held: dict[str, Any] = {
        "name": row.name,
        "counts": _map(geom, row.counts),
        "exposure": exposure,
        "edisp": EDispKernelMap(_map(geometries.edisp, row.edisp), _map(geometries.weight, row.exposure_edisp, "m2 s")),
        "mask_safe": _map(geom, row.mask_safe),
        "mask_fit": None if row.mask_fit is None else _map(geom, row.mask_fit),
        "gti": _gti(row),
        "meta_table": _meta_table(row),
    }
    if row.counts_off is None:
        background = None if row.background is None else _map(geom, row.background)
        return SpectrumDataset(**held, background=background)
    geom_off = geom
    if len(row.off_regions):
        geom_off = RegionGeom.from_regions(region_objects.sky_regions(row.off_regions), axes=geom.axes, wcs=geom.wcs)
    off = {"counts_off": _map(geom_off, row.counts_off), "acceptance_off": _map(geom_off, row.acceptance_off)}
    return SpectrumDatasetOnOff(**held, **off, acceptance=_map(geom, row.acceptance))


def _gti(row: SpectrumRow) -> GTI:
    reference = Time(row.mjdref, format="mjd", scale="tt")
    return GTI.create(row.gti[:, 0] * u.s, row.gti[:, 1] * u.s, reference_time=reference)


def _meta_table(row: SpectrumRow) -> Table:
    table = Table({"TELESCOP": [row.telescope or "Unknown"]})
    if row.obs_id != NO_OBS_ID:
        table["OBS_ID"] = [row.obs_id]
    if np.isfinite(row.pointing).all():
        table["RA_PNT"], table["DEC_PNT"] = (u.Quantity([angle], "deg") for angle in row.pointing)
    return table


# --- theirs as ours


def from_gammapy(datasets: Iterable[Dataset]) -> list[xr.Dataset]:
    """Return spectrum datasets of Gammapy as DL4 Datasets, rows that are alike together.

    A fit mask becomes the variable ``mask_fit``. A row of Gammapy has no ledger, and its outcome is that it is used.

    Raises
    ------
    ConfigTypeError
        For a dataset that is no spectrum.
    DataError
        For one without counts, exposure or energy dispersion, or with another statistic.
    LaterError
        For regions that are unions of parts in another frame, or of another kind.
    """
    rows = [_row(dataset) for dataset in datasets]
    return [dataset_of_rows(group) for group in grouped_rows(rows)]


def _row(dataset: Any) -> SpectrumRow:
    _validate(dataset)
    energy, energy_true = _axis(dataset.counts, "energy"), _axis(dataset.exposure, "energy_true")
    exposure = _numbers(dataset.exposure, "m2 s")
    edisp, weight = _kernel(dataset, exposure)
    ones = np.ones(energy.nbin)
    off = dataset.counts_off if isinstance(dataset, SpectrumDatasetOnOff) else None
    held = ("acceptance", "acceptance_off") if off is not None else ("background",)
    found: dict[str, Any] = {name: _optional(getattr(dataset, name)) for name in held}
    acceptance = found.pop("acceptance", None)
    gti, mjdref = _good_time(dataset.gti)
    mask_safe, mask_fit = _optional(dataset.mask_safe), _optional(dataset.mask_fit)
    row = SpectrumRow(
        name=dataset.name,
        energy=energy,
        energy_true=energy_true,
        counts=_numbers(dataset.counts),
        acceptance=ones if acceptance is None else acceptance,
        exposure=exposure,
        exposure_edisp=weight,
        edisp=edisp,
        mask_safe=(ones if mask_safe is None else mask_safe).astype(bool),
        mask_fit=None if mask_fit is None else mask_fit.astype(bool),
        counts_off=_optional(off),
        **found,
        region=shapes_of(dataset.counts.geom.region, dataset.name),
        off_regions=() if off is None else shapes_of(off.geom.region, dataset.name),
        gti=gti,
        mjdref=mjdref,
        livetime=_livetime(dataset.exposure),
        **_facts(dataset.meta_table),
    )
    return row.without_repeated_off_region()


def _validate_kind(dataset: Any) -> type:
    kind: type | None = next((kind for kind in STATISTICS if isinstance(dataset, kind)), None)
    if kind is None:
        raise ConfigTypeError(
            f"Expected SpectrumDataset or SpectrumDatasetOnOff of Gammapy, got a {type(dataset).__name__}; extract "
            "spectra with to_spectrum_dataset, and take flux points over with FluxPoints.from_gammapy(dataset.data)."
        )
    return kind


def _validate(dataset: Any) -> None:
    kind = _validate_kind(dataset)
    needed = ["counts", "exposure", *(["counts_off", "acceptance_off"] if kind is SpectrumDatasetOnOff else [])]
    for name in needed:
        if getattr(dataset, name) is None:
            raise DataError(f"{dataset.name}: the dataset of Gammapy has no {name}; reduce it with all of its maps.")
    statistic = getattr(dataset, "stat_type", STATISTICS[kind])
    if statistic != STATISTICS[kind]:
        raise DataError(
            f"{dataset.name}: xgamma computes {STATISTICS[kind]!r} for such a dataset, it has {statistic!r}; "
            "fit it with Gammapy."
        )


def _axis(held: RegionNDMap, name: str) -> Axis:
    axis = held.geom.axes[name]
    return Axis(name, axis.edges.to_value("TeV"), "TeV", "lin" if axis.interp == "lin" else "log")


def _numbers(held: RegionNDMap, unit: str = "") -> FloatArray:
    return np.asarray(held.quantity.to_value(unit), dtype=float).reshape(held.data.shape[:-2])


def _optional(held: RegionNDMap | None) -> FloatArray | None:
    return None if held is None else _numbers(held)


def _kernel(dataset: Any, exposure: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the energy dispersion, shape (energy_true, energy), and its weight in a stack, shape (energy_true,)."""
    if dataset.edisp is None:
        raise DataError(
            f"{dataset.name}: the dataset of Gammapy has no edisp; give it one, EDispKernelMap for example."
        )
    kernel = dataset.edisp
    if not isinstance(kernel, EDispKernelMap):
        kernel = kernel.to_edisp_kernel_map(dataset.counts.geom.axes["energy"])
    held, weight = kernel.edisp_map, kernel.exposure_map
    if not held.geom.is_region:
        held = held.to_region_nd_map(region=dataset.counts.geom.center_skydir)
    if weight is None:
        return _numbers(held), exposure
    if not weight.geom.is_region:
        weight = weight.to_region_nd_map(region=dataset.counts.geom.center_skydir)
    return _numbers(held), _numbers(weight, "m2 s").reshape(-1)


def _good_time(gti: GTI | None) -> tuple[FloatArray, float]:
    """Return good time, shape (gti, 2), in seconds since the epoch (MJD, TT) that comes with it."""
    if gti is None:
        return np.empty((0, 2)), DEFAULT_MJDREF
    reference = gti.time_ref.tt
    since = [side.tt - reference for side in (gti.time_start, gti.time_stop)]
    # Days and their fraction apart: so the seconds come back to the last bit.
    sides = [delta.jd1 * SECONDS_PER_DAY + delta.jd2 * SECONDS_PER_DAY for delta in since]
    return np.stack(sides, axis=1).reshape(-1, 2), float(reference.mjd)


def _livetime(exposure: RegionNDMap) -> float:
    held = (exposure.meta or {}).get("livetime", np.nan)
    return float(u.Quantity(held, getattr(held, "unit", "s")).to_value("s").item())


def _facts(table: Table | None) -> dict[str, Any]:
    return {} if table is None else facts_of_columns({name: np.asarray(table[name]) for name in table.colnames})


def shapes_of(region: SkyRegion | None, name: str) -> Shapes:
    """Return the shapes of a region, which may be a union of some; none for ``None``.

    Raises
    ------
    LaterError
        For another kind of region. ``name`` is that of the dataset.
    """
    if region is None:
        return ()
    try:
        parts = list(compound_region_to_regions(region))
    except ValueError:
        parts = [region]
    try:
        return tuple(normalize_shape(part) for part in parts)
    except ConfigError as error:
        raise LaterError(f"{name}: {error}") from None
