"""``Norms``: what the views of flux points and of light curves share, the numbers of a DL5 Dataset as attributes."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import xarray as xr
from astropy import units as u

from xgamma import models
from xgamma.axes import FloatArray
from xgamma.datasets import sed_table
from xgamma.datasets.sed_table import ERRORS
from xgamma.errors import ConfigError, did_you_mean
from xgamma.estimate.flux_points_parameters import IS_UL_BELOW
from xgamma.formats.sed import table as sed_columns
from xgamma.formats.sed.kinds import QUANTITIES as SED_TYPES
from xgamma.gammapy_methods import SaysInstead, refused
from xgamma.schema.arrays import Arrays, dataset_of

PLOT_UNITS = {
    "dnde": "cm-2 s-1 TeV-1",
    "e2dnde": "erg cm-2 s-1",
    "flux": "cm-2 s-1",
    "eflux": "erg cm-2 s-1",
    "norm": "",
}
NUMBERS = ("ts", "sqrt_ts", "stat", "stat_null", "stat_scan", "npred", "npred_excess", "counts", "counts_left_out")
FLAGS = ("success", "is_ul")
THRESHOLD = "sqrt_ts_threshold_ul"
QUANTITIES = (
    *(f"{sed_type}{error}" for sed_type in (*SED_TYPES, "norm") for error in ("", *ERRORS)),
    *(f"ref_{sed_type}" for sed_type in SED_TYPES),
    *("e_min_fit", "e_max_fit"),
)


class Norms(SaysInstead):
    """Norms of a reference spectrum, and what follows from them: quantities of astropy, and arrays without a unit.

    Parameters
    ----------
    data
        A DL5 Dataset; what its variables say is an attribute.
    """

    quantities: ClassVar[tuple[str, ...]] = QUANTITIES
    numbers: ClassVar[tuple[str, ...]] = (*NUMBERS, *FLAGS)

    def __init__(self, data: Arrays) -> None:
        sed_table.validate_flux_points(data)
        self.arrays = data

    @property
    def data(self) -> xr.Dataset:
        """The Dataset."""
        return dataset_of(self.arrays)

    def __getattr__(self, name: str) -> Any:
        if name in self.quantities and self.has(name):
            return sed_table.quantity(self.data, name)
        if name in self.numbers and name in self.data:
            return self.data[name].values
        kind = type(self).__name__
        known = did_you_mean(name, self.available_quantities)
        raise refused(type(self), name, f"{kind} has no {name!r} here.{known}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.available_quantities]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def has(self, name: str) -> bool:
        """Whether a quantity such as ``dnde_ul`` can be given."""
        return sed_table.has_quantity(self.data, name)

    @property
    def available_quantities(self) -> list[str]:
        """The names of the attributes that this product has."""
        return [name for name in (*self.quantities, *self.numbers) if self.has(name)]

    def intrinsic(self, spectrum: models.SpectralModel) -> Self:
        """Return the points without the absorption in a spectrum, of which they are taken to have the shape.

        Reference fluxes are divided by its transmission, those of bins by that averaged over the bin; norms, errors and
        limits stay as they are, and an error of the absorption does not enter.
        """
        plain, bounds = models.intrinsic(spectrum), (self.energy_min, self.energy_max)
        at = spectrum(self.energy_ref) / plain(self.energy_ref)
        shares = {
            "ref_dnde": at,
            "ref_e2dnde": at,
            "ref_flux": spectrum.integral(*bounds) / plain.integral(*bounds),
            "ref_eflux": spectrum.energy_flux(*bounds) / plain.energy_flux(*bounds),
        }
        changed = {
            name: self.data[name].copy(data=(self.data[name] / xr.DataArray(share.to_value(""), dims="energy")).values)
            for name, share in shares.items()
        }
        return type(self)(self.data.assign(changed))

    @property
    def sqrt_ts_threshold_ul(self) -> float:
        """The significance below which a point is best shown as its upper limit; setting it sets ``is_ul`` anew."""
        return float(self.data.attrs.get(THRESHOLD, IS_UL_BELOW))

    @sqrt_ts_threshold_ul.setter
    def sqrt_ts_threshold_ul(self, threshold: float) -> None:
        shown = self.data["success"].values.astype(bool) & (self.data["sqrt_ts"].values < threshold)
        is_ul = self.data["is_ul"].copy(data=shown)
        self.arrays = self.data.assign(is_ul=is_ul).assign_attrs({THRESHOLD: float(threshold)})

    @property
    def energy_ref(self) -> u.Quantity:
        """Reference energies, the geometric means of the edges."""
        return u.Quantity(self.data["energy"].values, "TeV")

    @property
    def energy_min(self) -> u.Quantity:
        """Lower edges."""
        return u.Quantity(self._edges()[:, 0], "TeV")

    @property
    def energy_max(self) -> u.Quantity:
        """Upper edges."""
        return u.Quantity(self._edges()[:, 1], "TeV")

    @property
    def norm_scan(self) -> FloatArray:
        """The norms of the profile of each point, in the dims of ``stat_scan``."""
        return sed_columns.scanned_norms(self.data)

    @property
    def has_stat_profiles(self) -> bool:
        """Whether there is a likelihood profile for each point."""
        return "stat_scan" in self.data

    def _edges(self) -> FloatArray:
        return np.asarray(self.data["energy_bounds"].values)


def plot_unit(sed_type: str) -> str:
    """Return the unit of a kind of flux in pictures; raises ``ConfigError`` for one that cannot be drawn."""
    if sed_type not in PLOT_UNITS:
        raise ConfigError(f"sed_type: there is no {sed_type!r} to draw.{did_you_mean(sed_type, PLOT_UNITS)}")
    return PLOT_UNITS[sed_type]


def drawn(ds: xr.Dataset, sed_type: str) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return values, errors downwards and upwards (stacked first), and limits (NaN if none), in the unit of pictures.

    Raises ``ConfigError`` for a kind that cannot be drawn.
    """
    unit = plot_unit(sed_type)
    value = sed_table.quantity(ds, sed_type)
    limit = sed_table.quantity(ds, f"{sed_type}_ul") if "norm_ul" in ds else np.nan * value
    down, up = (error.to_value(unit) for error in sed_table.errors(ds, sed_type))
    return value.to_value(unit), np.stack([down, up]), limit.to_value(unit)
