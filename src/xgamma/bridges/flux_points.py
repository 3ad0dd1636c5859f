"""Flux points (DL5) as those of Gammapy, and back."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table
from gammapy.datasets import FluxPointsDataset
from gammapy.estimators import FluxPoints
from gammapy.maps import LabelMapAxis, MapAxis, RegionGeom, RegionNDMap
from gammapy.modeling.models import SkyModel, TemplateSpectralModel

from xgamma.axes import BoolArray
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError

log = logging.getLogger(__name__)

QUANTITIES = (
    "norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "sqrt_ts", "npred", "npred_excess", "stat",
    "stat_null", "stat_scan", "is_ul", "counts", "success",
)  # fmt: skip
META = ("n_sigma", "n_sigma_ul")
TABLE_COLUMNS = ("time_min", "time_max", "e_ref", "e_min", "e_max", "ref_dnde", "ref_flux", "ref_eflux")
# As far as two programs agree on the integral of a spectrum, and far below any error of a flux.
AGREEMENT = 1e-6


def to_gammapy(ds: xr.Dataset, reference: SkyModel | None = None) -> FluxPoints:
    """Return flux points of Gammapy.

    Parameters
    ----------
    ds
        DL5 flux points. The edges of the bins that were fitted and the counts left out have no place in Gammapy.
    reference
        The model of which the norms are multiples. Without it Gammapy interpolates between the reference points, and
        fluxes integrated over a bin deviate; a warning says by how much.

    Raises
    ------
    LaterError
        For points with gaps between them, which an axis of Gammapy cannot hold.
    ConfigError
        When ``reference`` is another model.
    """
    axis = _energy_axis(ds)
    model = _interpolated(ds, axis) if reference is None else reference
    maps = {name: _map(ds[name], axis) for name in _held(ds)}
    meta = {name: float(ds.attrs[name]) for name in META if name in ds.attrs}
    points = FluxPoints.from_maps(maps, sed_type="likelihood", reference_model=model, meta=meta)
    _validate_reference(points, ds, is_given=reference is not None)
    return points


def _held(ds: xr.Dataset) -> list[str]:
    names = [name for name in QUANTITIES if name in ds]
    if "stat_scan" in names and ds["norm_scan"].ndim > 1:
        log.warning("Gammapy has one axis of norms for all points: profiles with norms of their own stay behind.")
        names.remove("stat_scan")
    return names


def _energy_axis(ds: xr.Dataset) -> MapAxis:
    low, high = ds["energy_bounds"].values.T
    if not np.allclose(low[1:], high[:-1], rtol=1e-9, atol=0):
        raise LaterError("Flux points of Gammapy have no gaps between them; give it these points as a file, or cut.")
    axis = MapAxis.from_energy_edges(np.append(low, high[-1]), unit="TeV", name="energy")
    if not np.allclose(axis.center.value, ds["energy"].values, rtol=1e-9, atol=0):
        raise LaterError("Flux points of Gammapy stand at the centres of their bins; give it these points as a file.")
    return axis


def _map(values: xr.DataArray, energy: MapAxis) -> RegionNDMap:
    axes = [energy]
    if "dataset" in values.dims:
        axes = [LabelMapAxis([str(label) for label in values["dataset"].values], name="dataset"), energy]
    if "norm_scan" in values.dims:
        axes = [MapAxis.from_nodes(values["norm_scan"].values, name="norm"), energy]
    geom = RegionGeom.create(None, axes=axes)
    return RegionNDMap(geom, data=values.transpose("energy", ...).values.reshape(geom.data_shape).copy())


def _interpolated(ds: xr.Dataset, axis: MapAxis) -> SkyModel:
    # A template needs two points.
    if axis.nbin == 1:
        raise ConfigError("One flux point says nothing of its spectrum: give the model as reference_model.")
    return SkyModel(TemplateSpectralModel(axis.center, ds["ref_dnde"].values * u.Unit("cm-2 s-1 TeV-1")))


def _validate_reference(points: FluxPoints, ds: xr.Dataset, is_given: bool) -> None:
    """Raise or warn where what Gammapy takes a norm of 1 for is not what the points say."""
    deviation = {
        name: float(np.max(np.abs(np.squeeze(theirs.to_value(ds[name].attrs["units"])) / ds[name].values - 1)))
        for name, theirs in (("ref_dnde", points.dnde_ref), ("ref_flux", points.flux_ref))
        if name in ds
    }
    largest = max(deviation, key=lambda name: deviation[name])
    if deviation[largest] <= AGREEMENT:
        return
    if is_given:
        raise ConfigError(
            f"reference_model is not the one that these points are multiples of: its {largest} deviates by "
            f"{deviation[largest]:.1e}. Give the model with the values it had when they were estimated."
        )
    log.warning(
        "Without reference_model Gammapy interpolates the reference spectrum: %s deviates by up to %.1e, and so do "
        "fluxes integrated over bins.", largest, deviation[largest],
    )  # fmt: skip


def flux_points_dataset(points: FluxPoints, models: Any, name: str, mask_fit: BoolArray | None) -> FluxPointsDataset:
    """Return points as a dataset of Gammapy, with models of Gammapy and the points of the fit, shape (energy,)."""
    mask = None if mask_fit is None else mask_fit.reshape(points.norm.data.shape)
    return FluxPointsDataset(data=points, models=models, name=name, mask_fit=mask)


def parts_of(dataset: Any) -> tuple[FluxPoints, Any, BoolArray | None]:
    """Return the points of a dataset of Gammapy, its models, and the points of the fit, shape (energy,).

    Raises ``ConfigTypeError`` for another dataset.
    """
    if not isinstance(dataset, FluxPointsDataset):
        raise ConfigTypeError(f"Expected a FluxPointsDataset of Gammapy, got a {type(dataset).__name__}.")
    mask = dataset.mask_fit
    return dataset.data, dataset.models, None if mask is None else np.asarray(getattr(mask, "data", mask)).reshape(-1)


def from_gammapy(points: Any) -> tuple[Table, dict[str, Any], list[str]]:
    """Return flux points of Gammapy as a table of norms (GADF SED), the attributes beside it, and names of datasets.

    Raises
    ------
    ConfigTypeError
        For what are no flux points.
    LaterError
        For light curves and other points with more than an axis of energy.
    DataError
        For points without edges.
    """
    _validate_axes(points, ["energy"])
    return _table(points, "gadf-sed"), _meta(points), _dataset_names(points)


def is_light_curve(points: Any) -> bool:
    """Whether flux points of Gammapy have an axis of time."""
    return isinstance(points, FluxPoints) and "time" in points.geom.axes.names


def light_curve_from_gammapy(points: Any) -> tuple[Table, dict[str, Any]]:
    """Return a light curve of Gammapy as its table of norms, and the attributes beside it; see `from_gammapy`."""
    _validate_axes(points, ["energy", "time"])
    return _table(points, "lightcurve"), _meta(points)


def light_curve_to_gammapy(ds: xr.Dataset, table: Table, reference: SkyModel | None = None) -> FluxPoints:
    """Return a light curve of Gammapy from its table of norms; see `to_gammapy` for the reference and the errors."""
    axis = _energy_axis(ds)
    model = _interpolated(ds, axis) if reference is None else reference
    held = [*TABLE_COLUMNS, *(name for name in _held(ds) if name in table.colnames)]
    if "stat_scan" in held:
        held.append("norm_scan")
    points = FluxPoints.from_table(table[held], format="lightcurve", reference_model=model)
    points.meta.update({name: float(ds.attrs[name]) for name in META if name in ds.attrs})
    _validate_reference(points, ds, is_given=reference is not None)
    return points


def _validate_axes(points: Any, names: list[str]) -> None:
    if not isinstance(points, FluxPoints):
        raise ConfigTypeError(f"Expected FluxPoints of Gammapy, got a {type(points).__name__}.")
    if points.geom.axes.names != names:
        axes = ", ".join(points.geom.axes.names)
        raise LaterError(
            f"This version of xgamma holds flux points over energy, or energy and time, these have the axes {axes}; "
            "slice."
        )
    if not points.is_convertible_to_flux_sed_type:
        raise DataError("These flux points have no edges of energy, only centres; write them to a file, read that.")


def _table(points: FluxPoints, layout: str) -> Table:
    # For its default reference, E^-2, Gammapy divides by zero on the way to the energy flux.
    with np.errstate(divide="ignore", invalid="ignore"):
        table: Table = points.to_table(sed_type="likelihood", format=layout)
    return table


def _meta(points: FluxPoints) -> dict[str, float]:
    return {name: float(getattr(points, name)) for name in META if getattr(points, name) is not None}


def _dataset_names(points: FluxPoints) -> list[str]:
    if "counts" not in points.available_quantities:
        return []
    axis = points.counts.geom.axes["dataset"]
    return [str(label) for label in axis.center] if isinstance(axis, LabelMapAxis) else []
