"""The numbers of flux points and light curves as quantities and tables: pure functions of a DL5 Dataset.

Every flux is ``norm`` times the reference flux of its kind, and so are errors and limits.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import xarray as xr
from astropy import units as u

from xgamma import estimate
from xgamma.errors import ConfigError, ConfigTypeError, DataError, did_you_mean
from xgamma.formats.fits import hdus
from xgamma.formats.light_curve import points as curve_points
from xgamma.formats.sed import points as sed_points
from xgamma.formats.sed import table as sed_columns
from xgamma.formats.sed.kinds import QUANTITIES
from xgamma.models.spectral.model import SpectralModel
from xgamma.schema.arrays import NamedArrays

if TYPE_CHECKING:
    from astropy.table import Table

    from xgamma.formats.fits.hdus import HduTable


ERRORS = ("_err", "_errn", "_errp", "_ul")
REQUIRED = ("norm", "is_ul", "success", "ref_dnde")
SAME_REFERENCE = 1e-3
"""How far a spectrum may be from the one that norms are said to be multiples of."""


def validate_flux_points(ds: NamedArrays) -> None:
    """Raise ``DataError`` unless ``ds`` holds flux points: the dim ``energy`` with bounds, norms, a reference."""
    if "energy" not in ds.sizes or "energy_bounds" not in ds.coords:
        raise DataError("Flux points need the dim 'energy' with the coordinate energy_bounds (energy, bound).")
    for name in REQUIRED:
        if name not in ds:
            raise DataError(f"Flux points need the variable {name!r}.{did_you_mean(name, map(str, ds.variables))}")


def quantity(ds: xr.Dataset, name: str) -> u.Quantity:
    """Return one quantity of all points, in the dims of its norm: a variable, or norm x reference.

    Raises ``DataError`` when the product does not have it.
    """
    if name in ds:
        return u.Quantity(ds[name].values, ds[name].attrs["units"])
    sed_type, _, suffix = name.partition("_")
    norm = f"norm_{suffix}" if suffix else "norm"
    if sed_type == "ref" and suffix in QUANTITIES:
        return reference(ds, suffix)
    if norm not in ds or sed_type not in QUANTITIES:
        raise DataError(f"These flux points have no {name!r}; estimate them with selection_optional: all.")
    return u.Quantity(ds[norm].values * reference(ds, sed_type))


def has_quantity(ds: xr.Dataset, name: str) -> bool:
    """Whether `quantity` can give a quantity: it is there, or its norm and the reference of its kind are."""
    sed_type, _, suffix = name.partition("_")
    is_known = sed_type in QUANTITIES and (f"ref_{sed_type}" in ds or sed_type == "e2dnde")
    return name in ds or (is_known and (f"norm_{suffix}" if suffix else "norm") in ds)


def reference(ds: xr.Dataset, sed_type: str) -> u.Quantity:
    """Return what norm = 1 stands for, shape (energy,); of ``norm`` itself 1."""
    if sed_type == "norm":
        return u.Quantity(np.ones(ds.sizes["energy"]))
    return u.Quantity(sed_columns.reference_flux(ds, sed_type), QUANTITIES[sed_type])


def errors(ds: xr.Dataset, sed_type: str) -> tuple[u.Quantity, u.Quantity]:
    """Return the errors downwards and upwards, in the dims of the norm: asymmetric where there are, NaN if none."""
    both = symmetric_error(ds, sed_type)
    held = [quantity(ds, f"{sed_type}{side}") if f"norm{side}" in ds else both for side in ("_errn", "_errp")]
    down, up = (u.Quantity(np.where(np.isnan(one.value), both.to_value(one.unit), one.value), one.unit) for one in held)
    return down, up


def symmetric_error(ds: xr.Dataset, sed_type: str) -> u.Quantity:
    """Return the Gaussian error in the dims of the norm, or else the mean of the asymmetric ones; NaN if none."""
    if "norm_err" in ds:
        return quantity(ds, f"{sed_type}_err")
    if "norm_errn" in ds and "norm_errp" in ds:
        return u.Quantity(0.5 * (quantity(ds, f"{sed_type}_errn") + quantity(ds, f"{sed_type}_errp")))
    return u.Quantity(np.nan * quantity(ds, sed_type))


def with_formats(points: Table) -> Table:
    """Return a copy whose numbers print with three digits after the point, fluxes in powers of ten."""
    result = astropy.table.Table(points, copy=True)
    for name in result.colnames:
        if result[name].dtype.kind == "f":
            is_flux = any(name.removeprefix("ref_").startswith(sed_type) for sed_type in QUANTITIES)
            result[name].format = ".3e" if is_flux else ".3f"
    return result


def product(points: Table, sed_type: str | None = None, reference_model: Any = None) -> xr.Dataset:
    """Return the DL5 Dataset of a table in GADF's SED format; raises ``InputError`` when it is not one."""
    found = sed_points.flux_points_of_table(plain_table(points), sed_type, references_of(reference_model))
    return relative_to(found, reference_model)


def light_curve_product(points: Table, sed_type: str | None = None, reference_model: Any = None) -> xr.Dataset:
    """Return the DL5 Dataset of the table of a light curve; raises ``InputError`` when it is not one."""
    found = curve_points.light_curve_of_table(plain_table(points), sed_type, references_of(reference_model))
    return relative_to(found, reference_model)


def references_of(model: Any) -> sed_points.References | None:
    """Return the fluxes of a ``SkyModel`` or spectrum that points are made multiples of, of ``None`` nothing.

    Raises ``ConfigTypeError`` for anything else.
    """
    if model is None:
        return None
    spectrum = getattr(model, "spectral_model", model)
    if not isinstance(spectrum, SpectralModel):
        raise ConfigTypeError(
            f"reference_model: expected a SkyModel or a spectral model, got a {type(model).__name__}."
        )
    return lambda energy, bounds: estimate.spectrum_fluxes(spectrum, bounds, energy)


def relative_to(ds: xr.Dataset, model: Any) -> xr.Dataset:
    """Return points that are multiples of a model; raises ``ConfigError`` where their file says that of another one."""
    references = references_of(model)
    if references is not None:
        energy, own = ds["energy"].values, ds["ref_dnde"].values
        away = np.abs(references(energy, ds["energy_bounds"].values)["ref_dnde"] / own - 1)
        if not away.max() <= SAME_REFERENCE:
            at = int(away.argmax())
            raise ConfigError(
                f"reference_model: these points are norms, multiples of a spectrum of {own[at]:.4g} cm-2 s-1 TeV-1 at "
                f"{energy[at]:.4g} TeV, from which the model deviates by {away[at]:.1%}; give the one that they were "
                "estimated with, or none."
            )
    return ds


def plain_table(points: Table) -> HduTable:
    """Return a table of astropy as readers of files take it."""
    return hdus.table_of_columns(points, Path("table"), "TABLE")
