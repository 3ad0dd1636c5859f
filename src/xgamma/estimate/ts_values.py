"""TS maps: a source of a given shape and spectrum is moved over a map, and its flux estimated at every pixel.

Each pixel is a fit of one norm with everything else kept, exact to the last step: nothing is left at the first guess.
The kernel is that of the middle of the map; the exposure is that of each bin.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, bin_coords
from xgamma.errors import ConfigError, DataError
from xgamma.estimate.energy_groups import EnergyGroups, binning_report
from xgamma.estimate.masked_planes import plane_values
from xgamma.estimate.norms_at_pixels import PixelNorms, crossings, minima
from xgamma.estimate.points import normalize_edges
from xgamma.estimate.reference import centers
from xgamma.estimate.reference_counts import exposure_of, reference_in, response_in_the_middle
from xgamma.formats.sed.kinds import level_of
from xgamma.geometry import to_frame
from xgamma.models import PointSpatialModel, PowerLawSpectralModel, SkyModel
from xgamma.predict import npred, npred_signal
from xgamma.reduce.grids import image_of_row
from xgamma.registry import chosen_options, lookup, normalize_parameters, register
from xgamma.schema import WINDOWS, space_dims
from xgamma.schema.excess_map import DIMS, EXCESS_MAP_VARIABLES
from xgamma.schema.tables import Variable, head
from xgamma.sky import IMAGE, SkySpace
from xgamma.units import CM2_PER_M2

log = logging.getLogger("xgamma.estimate")

WHERE = "ts_map"
TS_MAP_SCHEMA, SCHEMA_VERSION = "xgamma DL5 TS map", 1
OPTIONS = ("errn-errp", "ul")
HELD = 0.99
"""The share of the source in the kernel, where its width is not given."""
LEAST = 1e-3
"""The share of the source that a pixel has to see, for a flux that is known."""
_AS_EXCESS_MAPS = (
    *("energy", "energy_bounds", "image", "lon", "lat", "ts", "norm_err", "norm_errn", "norm_errp", "norm_ul"),
    *("ref_dnde", "ref_flux", "ref_eflux", "ref_e2dnde"),
)


def _of_pixels(long_name: str, dtype: str = "f8") -> Variable:
    return Variable(DIMS, "", dtype, long_name)


TS_MAP_VARIABLES: Mapping[str, Variable] = {
    **{name: EXCESS_MAP_VARIABLES[name] for name in _AS_EXCESS_MAPS},
    "counts": _of_pixels("Counts in the square of the kernel about the pixel"),
    "background": _of_pixels("What is expected there without the source, other models included"),
    "npred_excess": _of_pixels("Counts that the source adds"),
    "npred_excess_ref": _of_pixels("Counts that a source of norm 1 adds"),
    "sqrt_ts": _of_pixels("Significance, negative for a negative norm"),
    "norm": _of_pixels("Flux of a source at the pixel, in multiples of the reference"),
    "niter": _of_pixels("Steps to the minimum", "i4"),
    "success": _of_pixels("Whether the norm is known", "b1"),
}


@dataclass(frozen=True)
class TSMapParameters:
    """How a TS map is made.

    Parameters
    ----------
    selection_optional
        Any of ``errn-errp``, ``ul`` as a list or one name, ``all``, or nothing.
    n_sigma, n_sigma_ul
        Confidence of errors and of upper limits, in standard deviations.
    kernel_width
        The width of the square of pixels about a position that are looked at, in degrees; by default one that holds
        99 % of the source. What is outside of it is not looked at, and no flux is lost by it.
    sum_over_energy_groups
        Whether the bins of a plane are summed before the fit. Otherwise each of them counts with its own kernel.
    """

    selection_optional: Any = None
    n_sigma: float = field(default=1.0, metadata={"above": 0.0, "maximum": 100.0})
    n_sigma_ul: float = field(default=2.0, metadata={"above": 0.0, "maximum": 100.0})
    kernel_width: float | None = field(default=None, metadata={"unit": "deg", "above": 0.0})
    sum_over_energy_groups: bool = False

    def __post_init__(self) -> None:
        chosen = chosen_options(self.selection_optional, OPTIONS, f"{WHERE}.selection_optional")
        object.__setattr__(self, "selection_optional", chosen)


@register("estimator", "ts_map", parameters=TSMapParameters)
def ts_map(
    ds: xr.Dataset,
    models: Sequence[Any] = (),
    source: SkyModel | None = None,
    edges: Any = None,
    parameters: TSMapParameters | Mapping[str, Any] | None = None,
    kernel: npt.ArrayLike | None = None,
    used: npt.ArrayLike | None = None,
) -> xr.Dataset:
    """Return the flux of a source at every pixel of one row, and its significance.

    Parameters
    ----------
    ds
        DL4 with one row, a window of the sky: counts, an expected background, and the responses.
    models
        What there is beside the source: other sources, and a model of the background; they keep their values.
    source
        Shape and spectrum of the source, at any position; by default a point of ``1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1``.
    edges
        Of the planes: a ``Quantity`` or numbers in TeV, moved to the nearest ones of the data; ``None`` is one plane.
    parameters
        A ``TSMapParameters`` or its fields as a mapping.
    kernel
        The share of the source in pixels about it, shape (energy, odd, odd); by default that of the middle of the map.
    used
        The bins that enter, bool, shape (energy, y, x); by default the safe ones. None without an expected background.

    Returns
    -------
    xarray.Dataset
        DL5 with the dims ``energy, y, x``, see ``TS_MAP_VARIABLES``. NaN where a pixel is not used, or sees no source.

    Raises
    ------
    ConfigError
        For a source without a place on the sky, a kernel that is wider than the map, edges beyond the data.
    DataError
        For what is no single window of the sky with an expected background and an exposure.
    """
    return _made(
        ds,
        list(models),
        _source() if source is None else source,
        edges,
        _normalize_parameters(parameters),
        kernel,
        used,
    )


def _made(
    ds: xr.Dataset,
    models: Sequence[Any],
    source: SkyModel,
    edges: Any,
    settings: TSMapParameters,
    kernel: npt.ArrayLike | None,
    used: npt.ArrayLike | None,
) -> xr.Dataset:
    """Return `ts_map`."""
    image = _validated_image(ds)
    groups = _groups(Axis.from_coords(ds.variables, "energy"), edges)
    reference = _reference(ds, image, source)
    shares = _kernel(ds, image, source, reference, settings) if kernel is None else _normalize_kernel(kernel, ds)
    mask, counts = _bins(ds, used)
    background = npred(ds, models).values[0]
    mask = mask & np.isfinite(background) & (background > 0) & np.isfinite(reference)
    planes = [
        _plane(counts[own], background[own], reference[own], shares[own], mask[own], settings)
        for own in (slice(first, last) for first, last in groups.spans())
    ]
    values = {name: np.stack([plane[name] for plane in planes]) for name in planes[0]}
    spectrum = reference_in(groups.bounds, source.spectral_model)
    attrs = _attrs(ds, settings, shares.shape[-1] * image.binsize, source) | {"spectrum": spectrum.document}
    return _product(image, groups, values | spectrum.fluxes, attrs)


def _bins(ds: xr.Dataset, used: npt.ArrayLike | None) -> tuple[BoolArray, FloatArray]:
    """Return which bins are used, and the counts, both (energy, y, x)."""
    mask = np.asarray(plane_values(ds, "mask_safe") if used is None else used, dtype=bool)
    counts = np.asarray(plane_values(ds, "counts"), dtype=float)
    if mask.shape != counts.shape:
        raise DataError(f"{WHERE}: expected a mask of the shape {counts.shape}, got {mask.shape}.")
    return mask, counts


def _normalize_parameters(parameters: TSMapParameters | Mapping[str, Any] | None) -> TSMapParameters:
    if isinstance(parameters, TSMapParameters):
        return parameters
    settings: TSMapParameters = normalize_parameters(
        lookup("estimator", "ts_map"), parameters or {}, f"{WHERE}.parameters"
    )
    return settings


def _source() -> SkyModel:
    return SkyModel(PowerLawSpectralModel(), PointSpatialModel(), name="point")


def _validated_image(ds: xr.Dataset) -> SkySpace:
    if space_dims(ds) != WINDOWS:
        raise DataError(f"{WHERE}: expected counts in pixels (datasets.type: 3d), got spectra of regions.")
    if ds.sizes["dataset"] != 1:
        raise DataError(f"{WHERE}: expected one dataset, got {ds.sizes['dataset']}; stack them (datasets.stack: true).")
    if "background" not in ds:
        raise DataError(
            f"{WHERE}: expected maps with an expected background, and the dataset {str(ds['dataset'].values[0])!r} has "
            f"{'off counts' if 'counts_off' in ds else 'none'}; reduce with one (datasets.background.method)."
        )
    return image_of_row(ds, 0)


def _groups(axis: Axis, edges: Any) -> EnergyGroups:
    requested = axis.edges[[0, -1]] if edges is None else normalize_edges(edges, f"{WHERE}.energy_edges")
    found = EnergyGroups.nearest(axis, requested, WHERE)
    kept = ~found.is_empty
    if not kept.any():
        raise ConfigError(
            f"{WHERE}.energy_edges: expected energies of the dataset, {axis.edges[0]:g} to {axis.edges[-1]:g} TeV, got "
            f"{requested[0]:g} to {requested[-1]:g} TeV."
        )
    return EnergyGroups(axis, found.asked[kept], found.first[kept], found.last[kept], found.narrow)


# --- what a source is seen as


def _reference(ds: xr.Dataset, image: SkySpace, source: SkyModel) -> FloatArray:
    """Return the counts of a source in each bin, if all of it were in that bin, shape (energy, y, x)."""
    exposure = exposure_of(ds)
    if exposure is None:
        raise DataError(f"{WHERE}: the dataset {str(ds['dataset'].values[0])!r} has no exposure; reduce with one.")
    flux = source.spectral_model.flux(Axis.from_coords(ds.variables, "energy_true").edges) * CM2_PER_M2
    weights = np.nan_to_num(response_in_the_middle(ds, image)) * flux[:, np.newaxis]
    return np.asarray(np.tensordot(weights.T, exposure, axes=1))


def _kernel(
    ds: xr.Dataset, image: SkySpace, source: SkyModel, reference: FloatArray, settings: TSMapParameters
) -> FloatArray:
    """Return the share of a source in the middle of the map in each pixel about it, shape (energy, odd, odd)."""
    ny, nx = image.shape
    row, column = ny // 2, nx // 2
    planes = npred_signal(ds, [_moved(source, image, row, column)]).values[0]
    shares = np.divide(planes, reference, out=np.zeros(planes.shape), where=reference > 0)
    most = min(row, column, ny - 1 - row, nx - 1 - column)
    if settings.kernel_width is not None:
        half = max(math.ceil(0.5 * settings.kernel_width / image.binsize - 0.5), 0)
        if half > most:
            raise ConfigError(
                f"{WHERE}.kernel_width: expected a kernel inside of the map, which is {min(ny, nx) * image.binsize:g} "
                f"deg wide, got {settings.kernel_width:g} deg."
            )
    else:
        weights = shares * np.where(np.isfinite(reference), reference, 0.0)[:, row : row + 1, column : column + 1]
        seen = weights.sum(axis=0)
        inside = [seen[_square(row, column, half)].sum() for half in range(most + 1)]
        half = int(np.searchsorted(inside, HELD * inside[-1]))
    return np.ascontiguousarray(shares[(slice(None), *_square(row, column, half))])


def _square(row: int, column: int, half: int) -> tuple[slice, slice]:
    return slice(row - half, row + half + 1), slice(column - half, column + half + 1)


def _moved(source: SkyModel, image: SkySpace, row: int, column: int) -> SkyModel:
    """Return a source in a pixel of an image."""
    moved = source.copy(name=f"{source.name}-kernel", datasets_names=None)
    spatial = moved.spatial_model
    if spatial is None or spatial.center(tuple(spatial.canonical_values())) is None:
        raise ConfigError(
            f"{WHERE}: the model {source.name!r} has no position that can be moved over a map; expected a spatial "
            "model with one, such as PointSpatialModel or GaussianSpatialModel."
        )
    lon, lat = image.sky_of(np.array([float(column)]), np.array([float(row)]))
    own_lon, own_lat = to_frame(lon, lat, "icrs", spatial.frame)
    for name, value in (("lon_0", own_lon), ("lat_0", own_lat)):
        spatial.parameters[name].quantity = f"{float(value[0])} deg"
    return moved


def _normalize_kernel(kernel: npt.ArrayLike, ds: xr.Dataset) -> FloatArray:
    found = np.asarray(kernel, dtype=float)
    if (
        found.ndim != 3
        or len(found) != ds.sizes["energy"]
        or found.shape[1] != found.shape[2]
        or not found.shape[1] % 2
    ):
        raise DataError(f"{WHERE}.kernel: expected the shape ({ds.sizes['energy']}, odd, odd), got {found.shape}.")
    return found


# --- the planes


def _plane(
    counts: FloatArray,
    background: FloatArray,
    reference: FloatArray,
    kernel: FloatArray,
    used: BoolArray,
    settings: TSMapParameters,
) -> dict[str, npt.NDArray[Any]]:
    """Return what is estimated from some bins of energy together, arrays of shape (y, x)."""
    if settings.sum_over_energy_groups:
        is_used: BoolArray = np.asarray(used.any(axis=0, keepdims=True))
        weights = np.where(used, reference, 0.0).sum(axis=(1, 2))
        kernel = np.tensordot(weights / max(weights.sum(), np.finfo(float).tiny), kernel, axes=1)[np.newaxis]
        counts, background, reference = (
            np.where(used, one, 0.0).sum(axis=0, keepdims=True) for one in (counts, background, reference)
        )
        used = is_used
    pixels = PixelNorms(counts, background, reference, kernel, used)
    best = minima(pixels)
    whole = np.where(used, reference * kernel.sum(axis=(1, 2))[:, np.newaxis, np.newaxis], 0.0).sum(axis=0)
    is_known: BoolArray = np.asarray(used.any(axis=0) & np.isfinite(best.norm) & (pixels.expected > LEAST * whole))
    norm = best.norm
    values: dict[str, FloatArray] = {"norm": norm, "norm_err": settings.n_sigma * best.error}
    if "errn-errp" in settings.selection_optional:
        values["norm_errn"] = norm - crossings(pixels, best, settings.n_sigma, -1)
        values["norm_errp"] = crossings(pixels, best, settings.n_sigma, +1) - norm
    if "ul" in settings.selection_optional:
        values["norm_ul"] = crossings(pixels, best, settings.n_sigma_ul, +1)
    ts = np.maximum(best.ts, 0.0)
    values |= {"ts": ts, "sqrt_ts": np.copysign(np.sqrt(ts), norm)}
    values |= {"npred_excess": norm * pixels.expected, "npred_excess_ref": pixels.expected}
    values |= {"counts": pixels.in_square(counts), "background": pixels.in_square(background)}
    found: dict[str, npt.NDArray[Any]] = {name: np.where(is_known, one, np.nan) for name, one in values.items()}
    return found | {"niter": np.where(is_known, best.steps, 0).astype(np.int32), "success": is_known}


def _attrs(ds: xr.Dataset, settings: TSMapParameters, width: float, source: SkyModel) -> dict[str, Any]:
    spatial = source.spatial_model
    return {
        **({} if spatial is None else {"spatial": spatial.to_dict()["spatial"]}),
        "dataset": str(ds.variables["dataset"].values[0]),
        "telescope": str(ds.attrs.get("telescope", "")),
        "kernel_width": width,
        "sum_over_energy_groups": settings.sum_over_energy_groups,
        "n_sigma": settings.n_sigma,
        "n_sigma_ul": settings.n_sigma_ul,
        "UL_CONF": level_of(settings.n_sigma_ul),
    }


def _product(
    image: SkySpace, groups: EnergyGroups, values: Mapping[str, npt.NDArray[Any]], attrs: Mapping[str, Any]
) -> xr.Dataset:
    bounds = groups.bounds
    coords = {
        **bin_coords("energy", centers(bounds), bounds),
        **image.sky_coords(),
        IMAGE: image.coords()[IMAGE],
    }
    variables = {
        name: (TS_MAP_VARIABLES[name].dims, value, TS_MAP_VARIABLES[name].attrs()) for name, value in values.items()
    }
    report = binning_report(groups, bounds, 0.0)
    if report:
        log.warning("TS map, TeV: %s.", "; ".join(report))
    return xr.Dataset(variables, coords, head(TS_MAP_SCHEMA, SCHEMA_VERSION) | dict(attrs) | {"binning_report": report})
