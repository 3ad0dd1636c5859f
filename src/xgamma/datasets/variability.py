"""How much a light curve varies, in each bin of energy: tables of the measures of ``xgamma.variability``.

Points without a flux or an error are taken out, and so are upper limits, which say little of the flux: a warning says
how many, and columns of the tables. ``with_limits=True`` keeps the fluxes of limits, as Gammapy does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
from astropy import units as u

from xgamma import variability
from xgamma.axes import BoolArray
from xgamma.datasets import sed_table
from xgamma.datasets.light_curve import LightCurve
from xgamma.datasets.norms import plot_unit
from xgamma.errors import ConfigTypeError, DataError

if TYPE_CHECKING:
    from astropy.table import Table


log = logging.getLogger(__name__)


def compute_lightcurve_fvar(lightcurve: LightCurve, flux_quantity: str = "flux", with_limits: bool = False) -> Table:
    """Return the fractional excess variance of each bin of energy; see ``xgamma.variability.compute_fvar``.

    Parameters
    ----------
    lightcurve
        The light curve.
    flux_quantity
        ``flux``, ``eflux``, ``dnde``, ``e2dnde`` or ``norm``.
    with_limits
        Whether upper limits count with their fluxes and errors.

    Returns
    -------
    astropy.table.Table
        ``min_energy``, ``max_energy``, ``fvar``, ``fvar_err``, ``significance``, ``n_points``, ``n_left_out``.

    Raises
    ------
    ConfigError, ConfigTypeError, DataError
        For another kind of flux, for what is no light curve, for one without errors.
    """
    flux, error, used = _series(lightcurve, flux_quantity, with_limits, "compute_lightcurve_fvar")
    value, value_err = variability.compute_fvar(flux, error)
    return _table(lightcurve, flux_quantity, used, _with_significance("fvar", value, value_err))


def compute_lightcurve_fpp(lightcurve: LightCurve, flux_quantity: str = "flux", with_limits: bool = False) -> Table:
    """Return the point-to-point excess variance; see ``compute_lightcurve_fvar`` and ``xgamma.variability``."""
    flux, error, used = _series(lightcurve, flux_quantity, with_limits, "compute_lightcurve_fpp")
    value, value_err = variability.compute_fpp(flux, error)
    return _table(lightcurve, flux_quantity, used, _with_significance("fpp", value, value_err))


def compute_lightcurve_chisq(lightcurve: LightCurve, flux_quantity: str = "flux", with_limits: bool = False) -> Table:
    """Return chi2 of a constant flux, its degrees of freedom and its p-value; see ``compute_lightcurve_fvar``."""
    flux, error, used = _series(lightcurve, flux_quantity, with_limits, "compute_lightcurve_chisq")
    chi2, p_value = variability.compute_chisq(flux, error)
    freedom = np.maximum(used.sum(axis=0) - 1, 0)
    return _table(lightcurve, flux_quantity, used, {"chi2": chi2, "dof": freedom, "p_value": p_value})


def compute_lightcurve_doublingtime(
    lightcurve: LightCurve, flux_quantity: str = "flux", with_limits: bool = False
) -> Table:
    """Return the shortest times of doubling and halving, with errors and when; see ``compute_lightcurve_fvar``.

    Returns
    -------
    astropy.table.Table
        ``doublingtime``, ``doubling_err``, ``doubling_coord`` (a time in TT: the earlier of the two points), and the
        same of halving. A masked time stands for none.
    """
    flux, error, used = _series(lightcurve, flux_quantity, with_limits, "compute_lightcurve_doublingtime")
    seconds = u.Quantity(lightcurve.data["time"].values, "s")
    found = variability.compute_flux_doubling(flux, error, seconds)
    columns: dict[str, Any] = {}
    for kind in ("doubling", "halving"):
        coord = found[f"{kind}_coord"].to_value("s")
        is_known = np.isfinite(coord)
        times = lightcurve.times_of(np.where(is_known, coord, seconds.value[0]))
        if not is_known.all():
            times[~is_known] = np.ma.masked
        columns |= {f"{kind}time": found[kind], f"{kind}_err": found[f"{kind}_err"], f"{kind}_coord": times}
    return _table(lightcurve, flux_quantity, used, columns)


def compute_lightcurve_structure_function(
    lightcurve: LightCurve, flux_quantity: str = "flux", with_limits: bool = False, tdelta_precision: int = 0
) -> dict[str, Any]:
    """Return the structure function of each bin of energy; see ``xgamma.variability.structure_function``.

    Returns
    -------
    dict
        ``distances``, time differences that agree in ``tdelta_precision`` decimals of a second, and
        ``structure_function``, shape (difference, energy), in the square of the unit of the flux.
    """
    name = "compute_lightcurve_structure_function"
    flux, error, _ = _series(lightcurve, flux_quantity, with_limits, name)
    seconds = u.Quantity(lightcurve.data["time"].values, "s")
    values, distances = variability.structure_function(flux, error, seconds, tdelta_precision)
    return {"distances": distances, "structure_function": u.Quantity(values, flux.unit**2)}


def compute_lightcurve_discrete_correlation(
    lightcurve1: LightCurve,
    lightcurve2: LightCurve | None = None,
    flux_quantity: str = "flux",
    tau: Any = None,
    with_limits: bool = False,
) -> dict[str, Any]:
    """Return the discrete correlation function of two light curves, or of one with itself.

    See ``xgamma.variability.discrete_correlation``; the lag is the time of the first light curve less that of the
    second.

    Parameters
    ----------
    lightcurve1, lightcurve2
        With the same number of bins of energy.
    flux_quantity, with_limits
        As in ``compute_lightcurve_fvar``.
    tau
        The width of the bins of lag; by default twice the mean distance of the times of the first.

    Returns
    -------
    dict
        ``bins``, the lags; ``discrete_correlation`` and ``discrete_correlation_err``, shape (lag, energy).
    """
    name = "compute_lightcurve_discrete_correlation"
    both = (lightcurve1, lightcurve1 if lightcurve2 is None else lightcurve2)
    (flux1, error1, _), (flux2, error2, _) = (_series(each, flux_quantity, with_limits, name) for each in both)
    epochs = [float(each.data.attrs["mjdref"]) for each in both]
    time1, time2 = (
        u.Quantity(each.data["time"].values + (epoch - epochs[0]) * 86400.0, "s")
        for each, epoch in zip(both, epochs, strict=True)
    )
    if tau is None:
        if len(time1) < 2:
            raise DataError(f"{name}: one point has no distances; give the width of the bins as tau.")
        tau = (time1[-1] - time1[0]) / (0.5 * len(time1))
    lags, value, error = variability.discrete_correlation(flux1, error1, flux2, error2, time1, time2, tau)
    return {"bins": lags, "discrete_correlation": value, "discrete_correlation_err": error}


def _series(
    lightcurve: LightCurve, flux_quantity: str, with_limits: bool, name: str
) -> tuple[u.Quantity, u.Quantity, BoolArray]:
    """Return fluxes and errors, shape (time, energy), NaN where a point is taken out, and which are used."""
    if not isinstance(lightcurve, LightCurve):
        raise ConfigTypeError(f"{name}: expected a LightCurve, got a {type(lightcurve).__name__}.")
    plot_unit(flux_quantity)
    flux = sed_table.quantity(lightcurve.data, flux_quantity)
    error = sed_table.symmetric_error(lightcurve.data, flux_quantity)
    is_known = np.isfinite(flux.value) & np.isfinite(error.value)
    is_limit = np.zeros(flux.shape, bool) if with_limits else np.asarray(lightcurve.is_ul, bool) & is_known
    used = is_known & ~is_limit
    if not used.all():
        log.warning(
            "%s: %d of %d points are left out: %d upper limits, %d without a flux or an error.",
            name, (~used).sum(), used.size, is_limit.sum(), (~is_known).sum(),
        )  # fmt: skip
    flux[~used], error[~used] = np.nan, np.nan
    return flux, error, used


def _with_significance(name: str, value: Any, error: Any) -> dict[str, Any]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {name: value, f"{name}_err": error, "significance": value / error}


def _table(lightcurve: LightCurve, flux_quantity: str, used: BoolArray, columns: Mapping[str, Any]) -> Table:
    held = {"min_energy": lightcurve.energy_min, "max_energy": lightcurve.energy_max, **columns}
    counts = {"n_points": used.sum(axis=0), "n_left_out": (~used).sum(axis=0)}
    return astropy.table.Table(astropy.table.QTable({**held, **counts}), meta={"quantity": flux_quantity})
