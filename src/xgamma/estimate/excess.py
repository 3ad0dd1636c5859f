"""Excess maps: counts within a circle about each pixel, beside the background expected there, and their significance.

Sums over the circle make neighbouring pixels dependent; the significance of each is right for itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, FloatArray, bin_coords
from xgamma.errors import DataError
from xgamma.estimate.energy_groups import EnergyGroups, binning_report
from xgamma.estimate.excess_parameters import (
    WHERE,
    ExcessMapParameters,
    normalize_settings,
    validate_planes,
    validate_radius,
)
from xgamma.estimate.excess_statistics import Planes, estimates, measured
from xgamma.estimate.masked_planes import MaskedPlanes, row_planes
from xgamma.estimate.points import normalize_edges
from xgamma.estimate.reference import centers
from xgamma.estimate.reference_counts import exposure_of, reference_counts, reference_in, response_in_the_middle
from xgamma.formats.sed.kinds import level_of
from xgamma.kernels import Kernel
from xgamma.models import SpectralModel
from xgamma.predict import npred, selected_models
from xgamma.reduce.grids import image_of_row
from xgamma.registry import register
from xgamma.schema import WINDOWS, bin_dims, space_dims
from xgamma.schema.excess_map import EXCESS_MAP_SCHEMA, EXCESS_MAP_VARIABLES, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.sky import IMAGE, SkySpace

log = logging.getLogger("xgamma.estimate")


@register("estimator", "excess_map", parameters=ExcessMapParameters)
def excess_map(
    ds: xr.Dataset,
    radius: float,
    edges: Any = None,
    parameters: ExcessMapParameters | Mapping[str, Any] | None = None,
    spectrum: SpectralModel | None = None,
    response: npt.ArrayLike | None = None,
    used: npt.ArrayLike | None = None,
    models: Sequence[Any] = (),
) -> xr.Dataset:
    """Return the excess map of one row.

    Parameters
    ----------
    ds
        DL4 with one row, which is a window of the sky: counts with an expected background, or with off counts.
    radius
        Of the circle in degrees; a pixel belongs to it whose centre is not farther away.
    edges
        Of the planes: a ``Quantity`` or numbers in TeV, moved to the nearest ones of the data; ``None`` is one plane.
    parameters
        An ``ExcessMapParameters`` or its fields as a mapping.
    spectrum
        What norms are multiples of; by default ``1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1``.
    response
        Energy dispersion, shape (energy_true, energy), normalised; by default that of the row in the middle of the map.
    used
        The bins that enter, bool, shape (energy, y, x); by default the safe ones. All their numbers have to be finite.
    models
        What the excess is beside; see ``beside_models``.

    Returns
    -------
    xarray.Dataset
        DL5 with the dims ``energy, y, x``: see ``schema.excess_map``. NaN where no bin is used, and what is not known.

    Raises
    ------
    ConfigError
        For a circle that is smaller than a pixel or wider than the map, edges beyond the data, unknown parameters.
    DataError
        For what is no single window of the sky, or has no background.
    """
    settings, space, ds = normalize_settings(parameters), window_image(ds), beside_models(ds, models)
    validate_radius(radius, space.binsize, max(space.shape) * space.binsize)
    kernel, groups = Kernel(radius / space.binsize), energy_planes(Axis.from_coords(ds.variables, "energy"), edges)
    planes, data = row_planes(ds, groups.spans(), used)
    expected, fluxes, spectrum_attrs = _reference(ds, space, groups, planes, kernel, spectrum, response)
    values = estimates(measured(planes, data, kernel, settings), expected, planes.is_unused, settings)
    return _product(space, groups, values, fluxes, _attrs(ds, radius, kernel, space, settings) | spectrum_attrs)


def _reference(
    ds: xr.Dataset,
    space: SkySpace,
    groups: EnergyGroups,
    planes: MaskedPlanes,
    kernel: Kernel,
    spectrum: SpectralModel | None,
    response: npt.ArrayLike | None,
) -> tuple[FloatArray | None, Planes, dict[str, Any]]:
    """Return the counts of the reference, its fluxes and its document; nothing for a row without an exposure."""
    exposure = exposure_of(ds)
    if exposure is None:
        return None, {}, {}
    reference = reference_in(groups.bounds, spectrum)
    seen = response_in_the_middle(ds, space) if response is None else np.asarray(response, dtype=float)
    expected = reference_counts(ds, exposure, seen, planes, kernel, reference.spectrum)
    return expected, reference.fluxes, {"spectrum": reference.document}


def beside_models(ds: xr.Dataset, models: Sequence[Any]) -> xr.Dataset:
    """Return a row whose expected background is all that models predict for it, sources and background.

    Off counts stand alone: models are not taken off beside them, which a warning says.
    """
    chosen = selected_models(models, [str(name) for name in ds.variables["dataset"].values])
    if not chosen:
        return ds
    if "counts_off" in ds:
        log.warning(
            "Excess map: %s: its background is measured, beside which models are not taken off; it is made without %s.",
            ds["dataset"].values[0], ", ".join(model.name for model in chosen),
        )  # fmt: skip
        return ds
    return ds.assign(background=npred(ds, chosen).transpose(*bin_dims(ds)))


# --- what is wrong before any work


def window_image(ds: xr.Dataset) -> SkySpace:
    """Return the image that the window of the one row of a Dataset is.

    Raises ``DataError`` for regions, for several rows, and for pixels that are no squares.
    """
    if space_dims(ds) != WINDOWS:
        raise DataError(f"{WHERE}: an excess map needs counts in pixels (datasets.type: 3d), got spectra of regions.")
    if ds.sizes["dataset"] != 1:
        raise DataError(
            f"{WHERE}: expected one dataset, got {ds.sizes['dataset']}; stack them (datasets.stack: true), or make the "
            "map of one of them."
        )
    space = image_of_row(ds, 0)
    if abs(space.aspect) != 1:
        raise DataError(
            f"{WHERE}: expected square pixels, got some that are {abs(space.aspect):g} times as wide as high."
        )
    return space


def energy_planes(axis: Axis, edges: Any) -> EnergyGroups:
    """Return the groups of energies of the planes; ``None`` is all of the axis.

    Raises
    ------
    ConfigError
        For edges that do not ascend, all of them beyond the axis, or narrower than its bins.
    """
    where = f"{WHERE}.energy_edges"
    requested = axis.edges[[0, -1]] if edges is None else normalize_edges(edges, where)
    validate_planes(axis, requested)
    found = EnergyGroups.nearest(axis, requested, where)
    kept = ~found.is_empty
    return EnergyGroups(axis, found.asked[kept], found.first[kept], found.last[kept], found.narrow)


# --- the product


def _attrs(
    ds: xr.Dataset,
    radius: float,
    kernel: Kernel,
    space: SkySpace,
    settings: ExcessMapParameters,
) -> dict[str, Any]:
    """Return what is to be known of a map beside its numbers."""
    return {
        "dataset": str(ds.variables["dataset"].values[0]),
        "telescope": str(ds.attrs.get("telescope", "")),
        "statistic": "wstat" if "counts_off" in ds else "cash",
        "correlation_radius": radius,
        "kernel_pixels": kernel.size,
        "kernel_solid_angle": kernel.size * _solid_angle(space),
        "correlate_off": settings.correlate_off,
        "n_sigma": settings.n_sigma,
        "n_sigma_ul": settings.n_sigma_ul,
        "UL_CONF": level_of(settings.n_sigma_ul),
    }


@lru_cache(maxsize=8)
def _solid_angle(space: SkySpace) -> float:
    """Return the solid angle of the pixel in the middle of an image, sr."""
    return float(replace(space, window=(1, 1)).solid_angles(np.array(space.shape) // 2)[0, 0])


def _product(
    space: SkySpace, groups: EnergyGroups, values: Planes, fluxes: Planes, attrs: Mapping[str, Any]
) -> xr.Dataset:
    bounds = groups.bounds
    coords = {
        **bin_coords("energy", centers(bounds), bounds),
        **space.sky_coords(),
        IMAGE: space.coords()[IMAGE],
    }
    variables = {
        name: (EXCESS_MAP_VARIABLES[name].dims, value, EXCESS_MAP_VARIABLES[name].attrs())
        for name, value in (values | fluxes).items()
    }
    is_as_asked = np.array_equal(bounds, groups.asked) and not len(groups.narrow)
    report = [] if is_as_asked else binning_report(groups, bounds, 0.0)
    return xr.Dataset(
        variables, coords, head(EXCESS_MAP_SCHEMA, SCHEMA_VERSION) | dict(attrs) | {"binning_report": report}
    )
