"""The reference of flux points: the spectrum whose multiples they are, positive and of a size that can be measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.fit.terms import CountsTerm
from xgamma.models.models import Models, SkyModel
from xgamma.models.spectral.model import ScaleSpectralModel, SpectralModel

log = logging.getLogger("xgamma.estimate")

FEW_COUNTS = 1e-3
"""A spectrum that predicts fewer counts in all bins together is no measure for one that can be measured."""


@dataclass(frozen=True)
class Reference:
    """The spectrum that a norm of 1 stands for.

    Parameters
    ----------
    source
        The model of the source.
    shape
        Its spectrum, or a copy with another amplitude where that is 0.
    factor
        The reference is ``factor`` times ``shape``.
    """

    source: SkyModel
    shape: SpectralModel
    factor: float

    def signal(self, term: CountsTerm) -> FloatArray:
        """Return the counts that the reference predicts in each bin of a term."""
        signal = signal_of(term, self.source, self.shape)
        return signal if self.factor == 1.0 else self.factor * signal

    def fluxes(self, bounds: FloatArray) -> dict[str, FloatArray]:
        """Return dN/dE and E2 dN/dE at the centres of ``bounds`` in TeV, shape (bin, 2), and integrals over them.

        In cm-2 s-1 TeV-1 and TeV cm-2 s-1; cm-2 s-1 and TeV cm-2 s-1.
        """
        return spectrum_fluxes(
            self.shape if self.factor == 1.0 else ScaleSpectralModel(self.shape, norm=self.factor), bounds
        )


def spectrum_fluxes(
    spectrum: SpectralModel, bounds: FloatArray, energy: FloatArray | None = None
) -> dict[str, FloatArray]:
    """Return dN/dE and E2 dN/dE of a spectrum at energies, by default the centres of ``bounds``, and integrals.

    See ``Reference.fluxes``.
    """
    center = centers(bounds) if energy is None else energy
    dnde = spectrum.dnde(center)
    low, high = u.Quantity(bounds[:, 0], "TeV"), u.Quantity(bounds[:, 1], "TeV")
    return {
        "ref_dnde": dnde,
        "ref_flux": spectrum.integral(low, high).to_value("cm-2 s-1"),
        "ref_eflux": spectrum.energy_flux(low, high).to_value("TeV cm-2 s-1"),
        "ref_e2dnde": dnde * center**2,
    }


def centers(bounds: FloatArray) -> FloatArray:
    """Return the geometric means of bounds of shape (bin, 2)."""
    return np.asarray(np.exp(0.5 * (np.log(bounds[:, 1]) + np.log(bounds[:, 0]))))


def reference_of(source: SkyModel, terms: Sequence[CountsTerm]) -> Reference:
    """Return the reference for the bins of some terms: the spectrum of the source as it is, where that is positive.

    A negative one is turned over. One that predicts next to nothing, as a fit of an empty sky leaves it, is scaled to
    one predicted count in all bins together. So the fluxes do not depend on where a fit of the amplitude ended.

    Raises
    ------
    ConfigError
        For a spectrum that predicts nothing at any amplitude, or no numbers.
    """
    shape = visible_spectrum(source)
    with np.errstate(over="ignore"):
        counts = float(sum(signal_of(term, source, shape).sum() for term in terms))
    return reference_for(source, shape, counts if any(len(term.dataset) for term in terms) else None)


def reference_for(
    source: SkyModel, shape: SpectralModel, counts: float | None, where: str = "flux_points"
) -> Reference:
    """Return the reference of a source whose spectrum ``shape`` predicts so many counts; ``None`` without bins.

    See ``reference_of``, also for what it raises.
    """
    if counts is not None and (not np.isfinite(counts) or counts == 0.0):
        raise ConfigError(
            f"{where}.source: the spectrum of {source.name!r} predicts {'no numbers' if counts else 'no counts'} "
            "in the bins of these datasets; set other values of its parameters."
        )
    if counts is None or abs(counts) >= FEW_COUNTS:
        return Reference(source, shape, -1.0 if counts is not None and counts < 0 else 1.0)
    log.warning(
        "%s: the spectrum of %r predicts %.1g counts; norms are multiples of one that predicts 1 count.",
        where.replace("_", " ").capitalize(),
        source.name,
        counts if shape is source.spectral_model else 0.0,
    )
    return Reference(source, shape, 1.0 / counts)


def visible_spectrum(source: SkyModel) -> SpectralModel:
    """Return the spectrum of a source, or a copy with the norm 1 where that is 0."""
    spectrum = source.spectral_model
    norm = spectrum.norm_parameter
    if norm is None or norm.value != 0:
        return spectrum
    shape = spectrum.copy()
    shape.parameters[spectrum.parameters.index(norm)].value = 1.0
    return shape


def without_time(models: Models, source: SkyModel) -> Models:
    """Return the models with a source that does not depend on time, which shares its other parts."""
    if source.temporal_model is None:
        return models
    steady = SkyModel(
        source.spectral_model, source.spatial_model, None, source.name, source.apply_irf, source.datasets_names
    )
    return Models([steady if model is source else model for model in models])


def signal_of(term: CountsTerm, source: SkyModel, shape: SpectralModel) -> FloatArray:
    """Return the counts that a source with the spectrum ``shape`` predicts in each bin of a term."""
    own = [signal for signal in term.signals if signal.model is source]
    if shape is source.spectral_model or not own:
        return sum((signal([]) for signal in own), np.zeros(len(term.dataset)))
    return term.folding.fold(source).fold(shape.flux(term.folding.edges))
