"""Models with the values and errors of a catalogue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from astropy import units as u

from xgamma.dialects import fits_unit
from xgamma.errors import InputError
from xgamma.models import SpatialModel, SpectralModel

Spectrum = TypeVar("Spectrum", bound=SpectralModel)
Place = TypeVar("Place", bound=SpatialModel)

Value = tuple[float, str]
"""A number and its unit."""

# Of a Gaussian in two dimensions: how many sigma a circle has that holds 95 % and 68 % of it.
SIGMAS_OF_95, SIGMAS_OF_68 = math.sqrt(-2 * math.log(0.05)), math.sqrt(-2 * math.log(0.32))


def fitted_spectrum(kind: type[Spectrum], values: Mapping[str, Value], errors: Mapping[str, float]) -> Spectrum | None:
    """Return a spectrum with values and errors; ``None`` where the catalogue lacks one of the values.

    Parameters
    ----------
    kind
        The model.
    values
        A number and its unit for each parameter.
    errors
        In the units of the values. Their sign does not count; one that is missing (NaN) is 0, none.
    """
    if not all(math.isfinite(value) for value, _ in values.values()):
        return None
    model = kind(**_quantities(values))
    _set_errors(model, errors)
    return model


def fitted_place(kind: type[Place], frame: str, values: Mapping[str, Value], errors: Mapping[str, float]) -> Place:
    """Return a position or morphology with values and errors, see ``fitted_spectrum``.

    Raises ``InputError`` where the catalogue lacks one of the values.
    """
    lacking = [name for name, (value, _) in values.items() if not math.isfinite(value)]
    if lacking:
        raise InputError(
            f"A {kind.__name__} of the catalogue has no {' and '.join(lacking)}: its row lacks the numbers."
        )
    model = kind(frame=frame, **_quantities(values))
    _set_errors(model, errors)
    return model


def _quantities(values: Mapping[str, Value]) -> dict[str, u.Quantity]:
    return {name: u.Quantity(value, fits_unit(unit)) for name, (value, unit) in values.items()}


def _set_errors(model: Any, errors: Mapping[str, float]) -> None:
    for name, error in errors.items():
        getattr(model, name).error = abs(error) if math.isfinite(error) else 0.0


def ellipse(major: float, minor: float) -> float:
    """Return the eccentricity of an ellipse of two semi-axes; 0 where the smaller is missing or not above 0."""
    return math.sqrt(1 - (minor / major) ** 2) if 0 < minor < major else 0.0


def longitude_error(error: float, lat: float) -> float:
    """Return the error of a longitude from that on the sky, both in degrees."""
    return error / math.cos(math.radians(lat))
