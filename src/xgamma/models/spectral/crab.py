"""Published spectra of the Crab nebula, to compare with.

Sources: Aharonian et al. 2004 (ApJ 614, 897; HEGRA); Aharonian et al. 2006 (A&A 457, 899; H.E.S.S.); Albert et al. 2008
(ApJ 674, 1037) and Aleksic et al. 2015 (JHEAp 5, 30; MAGIC); Meyer, Horns & Zechlin 2010 (A&A 523, A2).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import UnknownNameError, did_you_mean
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.cutoffs import ExpCutoffPowerLawSpectralModel, LogParabolaSpectralModel
from xgamma.models.spectral.model import DENSITY, SpectralModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel

# Powers of log10(E / TeV), from the highest, for log10 of E2 dN/dE in erg cm-2 s-1.
MEYER = (-0.00449161, 0.0, 0.0473174, -0.179475, -0.53616, -10.2708)
TEV_PER_ERG = float(u.erg.to(u.TeV))


class MeyerCrabSpectralModel(SpectralModel):
    """The spectrum of Meyer, Horns & Zechlin (2010), times ``norm``."""

    tag = ("MeyerCrabSpectralModel", "meyer")
    norm = Parameter("norm", 1.0, is_norm=True, interp="log", frozen=True)

    @staticmethod
    def evaluate(energy: FloatArray, norm: float) -> FloatArray:  # type: ignore[override]
        """Return dN/dE in cm-2 s-1 TeV-1."""
        energy_flux = 10.0 ** np.polyval(MEYER, np.log10(energy))
        return np.asarray(norm * TEV_PER_ERG * energy_flux / energy**2)

    @property
    def unit(self) -> u.UnitBase:
        """cm-2 s-1 TeV-1."""
        return DENSITY

    @property
    def canonical_unit(self) -> u.UnitBase:
        """cm-2 s-1 TeV-1."""
        return DENSITY


def _flux(value: float) -> u.Quantity:
    return u.Quantity(value, DENSITY)


CRAB: dict[str, Callable[[], SpectralModel]] = {
    "meyer": MeyerCrabSpectralModel,
    "hegra": lambda: PowerLawSpectralModel(amplitude=_flux(2.83e-11), index=2.62),
    "hess_pl": lambda: PowerLawSpectralModel(amplitude=_flux(3.45e-11), index=2.63),
    "hess_ecpl": lambda: ExpCutoffPowerLawSpectralModel(
        amplitude=_flux(3.76e-11), index=2.39, lambda_=1 / (14.3 * u.TeV)
    ),
    # Published for log10 of the energy.
    "magic_lp": lambda: LogParabolaSpectralModel(
        amplitude=_flux(3.23e-11), alpha=2.47, beta=0.24 / np.log(10), reference="1 TeV"
    ),
    "magic_ecpl": lambda: ExpCutoffPowerLawSpectralModel(
        amplitude=_flux(3.80e-11), index=2.21, lambda_=1 / (6.0 * u.TeV)
    ),
}


def create_crab_spectral_model(reference: str = "meyer") -> SpectralModel:
    """Return a published spectrum of the Crab nebula: meyer, hegra, hess_pl, hess_ecpl, magic_lp or magic_ecpl.

    Raises ``UnknownNameError``.
    """
    if reference not in CRAB:
        raise UnknownNameError(f"There is no spectrum {reference!r} of the Crab nebula.{did_you_mean(reference, CRAB)}")
    return CRAB[reference]()
