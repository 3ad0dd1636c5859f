"""The sources of a plan as what events are drawn from: a spectrum, and the place where the photons come from."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.geometry import separation, to_frame
from xgamma.models import GaussianSpatialModel, Models, PointSpatialModel, SpatialModel
from xgamma.simulate.places import LARGEST, GridPlace, Place, RoundPlace, gauss_radius, point_radius, profile_radius
from xgamma.simulate.plan import Plan
from xgamma.simulate.truth import Spectrum, spectrum_from_document


class SimulatedSource(NamedTuple):
    """One source: its ``spectrum`` in cm-2 s-1 TeV-1 at energies in TeV, and the ``place`` of its photons."""

    name: str
    spectrum: Spectrum
    place: Place


def sources_of(plan: Plan) -> list[SimulatedSource]:
    """Return what shines in a plan: its models, or its source.

    Raises
    ------
    ConfigError
        When a spectral model is not known, a shape cannot be drawn from, or no source is in any field of view.
    """
    if plan.models is None:
        source = plan.source
        radius = gauss_radius(source.sigma) if source.sigma > 0 else point_radius
        place = RoundPlace(source.lon, source.lat, radius)
        return [SimulatedSource(source.name, spectrum_from_document(source.spectral), place)]
    models = Models.from_dict(plan.models)
    _validate_field(plan, models)
    return [
        SimulatedSource(model.name, model.spectral_model.dnde, _place_of(plan, model.name, model.spatial_model))
        for model in models
    ]


def about_first_model(plan: Plan) -> Plan:
    """Return a plan whose pointings lie about the first of its models; raises ``ConfigError`` if that has no centre."""
    first = Models.from_dict(plan.models)[0]
    center = _center(first.spatial_model)
    if center is None:
        raise ConfigError(f"simulation.models: {first.name} has no position to point at; give a plan with a source.")
    lon, lat = center
    return dataclasses.replace(plan, source=dataclasses.replace(plan.source, name=first.name, lon=lon, lat=lat))


def _place_of(plan: Plan, name: str, model: SpatialModel) -> Place:
    if model.is_energy_dependent:
        raise ConfigError(f"simulation.models: {name}: expected a shape that is the same at all energies.")
    center = _center(model)
    if isinstance(model, PointSpatialModel) and center:
        return RoundPlace(*center, point_radius)
    reach = model.reach()
    if center and not reach > 0:
        raise ConfigError(f"simulation.models: {name}: expected a size above 0 deg, got none; write a point.")
    if center and model.is_round():
        if isinstance(model, GaussianSpatialModel):
            # In closed form, without an end.
            return RoundPlace(*center, gauss_radius(model.canonical_values()[2]))
        return RoundPlace(*center, *profile_radius(model.profile, reach))

    def density(lon: FloatArray, lat: FloatArray) -> FloatArray:
        return model.density(*to_frame(lon, lat, "icrs", model.frame))

    if center and reach <= LARGEST:
        return GridPlace(density, reach, center)
    return GridPlace(density, plan.response.offset_max, None)


def _center(model: SpatialModel) -> tuple[float, float] | None:
    """Return the ICRS position of a model in deg, ``None`` where it has none."""
    center = model.center()
    if center is None:
        return None
    lon, lat = to_frame(*center, model.frame, "icrs")
    return float(lon), float(lat)


def _validate_field(plan: Plan, models: Models) -> None:
    """Raise unless one of the sources is in the field of view of a run."""
    runs = [plan.run(number) for number in range(min(plan.runs, len(plan.wobble_angles)))]
    pointing = np.array([(run.lon, run.lat) for run in runs]).T
    centers = [(_center(model.spatial_model), model.spatial_model.reach()) for model in models]
    apart = [separation(*center, *pointing).min() - reach if center else 0.0 for center, reach in centers]
    if min(apart) > plan.response.offset_max:
        raise ConfigError(
            f"simulation.models: the nearest source begins {min(apart):.3g} deg from the pointings, whose field of "
            f"view ends at {plan.response.offset_max:g} deg. They lie about simulation.source: let it be near one."
        )
