"""Functions of other packages as spectra: their units, and the parameters that they take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, ConfigTypeError
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.model import DENSITY, SpectralModel
from xgamma.units import conversion

ENERGY_FLUX = u.Unit("TeV cm-2 s-1")


def wrapped(
    function: Callable[..., Any],
    parameters: Mapping[str, Any],
    unit: Any = DENSITY,
    energy_unit: Any = u.TeV,
    norm: str | None = None,
    name: str | None = None,
    quantities: bool = False,
) -> type[SpectralModel]:
    """Return a class of spectra that call a function.

    Parameters
    ----------
    function
        Of energies, shape (n,), and of the parameters by name. It returns an array of the shape of the energies.
    parameters
        Their defaults by name: a number, a quantity (``"0.1 G"``), or a ``Parameter``.
    unit
        What the function returns: dN/dE in any unit of it; E2 dN/dE in any unit of an energy flux; or a bare factor.
    energy_unit
        What it takes energies in.
    norm
        The parameter that the spectrum is proportional to; flux points need one.
    name
        Under which documents find it; that of the function by default.
    quantities
        Whether it takes and returns quantities; ``unit`` is then what they are converted to.

    Raises
    ------
    ConfigError
        For a unit that is none of these, or a norm that is no parameter.

    Examples
    --------
    >>> def nu_f_nu(energy, strength, slope):
    ...     return strength * energy**slope
    >>> Sed = wrapped(nu_f_nu, {"strength": 1e-11, "slope": -0.3}, "erg cm-2 s-1", "eV", norm="strength")
    >>> str(Sed(slope=0.0)(1 * u.TeV).to("TeV-1 cm-2 s-1").round(14))
    '6.24e-12 1 / (TeV s cm2)'
    """
    title = name or function.__name__
    canonical, power = _kind_of(u.Unit(unit), title)
    takes = u.Unit(energy_unit)
    if not takes.is_equivalent(u.TeV):
        raise ConfigError(f"{title}: expected energies in a unit of energy, got {str(takes) or 'no unit'}.")
    own = {key: _parameter(key, value, key == norm) for key, value in parameters.items()}
    if norm is not None and norm not in own:
        raise ConfigError(f"{title}: its norm {norm!r} is none of its parameters {', '.join(own)}.")
    per_tev, returned = conversion(u.TeV, takes), u.Unit(unit)
    factor = conversion(returned, canonical * u.TeV**power)

    def evaluate(energy: FloatArray, **values: float) -> FloatArray:
        at: Any = energy * per_tev
        given: dict[str, Any] = dict(values)
        if quantities:
            at = u.Quantity(at, takes)
            given = {key: u.Quantity(value, own[key].unit) for key, value in values.items()}
        found = function(at, **given)
        plain = u.Quantity(found).to_value(returned) if quantities else found
        if np.shape(plain) != np.shape(energy):
            raise ConfigError(
                f"{title}: expected an array of shape {np.shape(energy)} as the energies have it, got "
                f"{np.shape(plain)}; write the function for arrays."
            )
        return np.asarray(np.asarray(plain, dtype=float) * factor / energy**power)

    body = {
        **own,
        "tag": (title,),
        "takes_quantities": False,
        "evaluate": staticmethod(evaluate),
        "unit": property(lambda self: canonical),
        "canonical_unit": property(lambda self: canonical),
        "__doc__": function.__doc__ or f"Calls {title}.",
        "__module__": function.__module__,
    }
    return cast("type[SpectralModel]", type(title, (SpectralModel,), body))


def _parameter(name: str, value: Any, is_norm: bool) -> Parameter:
    if isinstance(value, Parameter):
        own = value.copy()
        own.name, own.is_norm = name, is_norm or own.is_norm
        return own
    if isinstance(value, bool) or not isinstance(value, int | float | str | u.Quantity):
        raise ConfigTypeError(f"{name}: expected a number, a quantity or a Parameter as its default, got {value!r}.")
    return Parameter(name, value, is_norm=is_norm, interp="log" if is_norm else "lin")


def _kind_of(unit: u.UnitBase, title: str) -> tuple[u.UnitBase, int]:
    """Return the unit of dN/dE, and the power of the energy that the values were multiplied with."""
    for canonical, power in ((DENSITY, 0), (u.dimensionless_unscaled, 0)):
        if unit.is_equivalent(canonical):
            return canonical, power
    if unit.is_equivalent(ENERGY_FLUX):
        return DENSITY, 2
    raise ConfigError(
        f"{title}: expected values in a unit of dN/dE such as cm-2 s-1 TeV-1, of E2 dN/dE such as erg cm-2 s-1, or "
        f"without one, got {unit}."
    )
