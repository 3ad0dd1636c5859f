"""Derivatives of spectra in their parameters, against differences."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from xgamma.models.parameters import Parameter
from xgamma.models.spectral import absorption, crab, cutoffs, powerlaws, templates
from xgamma.models.spectral.model import ScaleSpectralModel, SpectralModel

ENERGY = np.geomspace(0.3, 30.0, 9)
AMPLITUDE = "3e-11 cm-2 s-1 TeV-1"


class Wavy(SpectralModel):
    """A user's own spectrum, without derivatives."""

    tag = ("WavyOfTheTests",)
    amplitude = Parameter("amplitude", 1e-12, "cm-2 s-1 TeV-1", is_norm=True)
    depth = Parameter("depth", 0.3)

    @staticmethod
    def evaluate(energy, amplitude, depth):
        return amplitude * energy**-2.0 * (1.0 + depth * np.sin(np.log(energy)))


class Steeper(cutoffs.ExpCutoffPowerLawSpectralModel):
    """A spectrum that evaluates something else than its base, whose derivatives would be wrong."""

    tag = ("SteeperOfTheTests",)

    @staticmethod
    def evaluate(energy, index, amplitude, reference, lambda_, alpha):
        return amplitude * (energy / reference) ** (-2.0 * index) * np.exp(-((lambda_ * energy) ** alpha))


def power_law(**values):
    return powerlaws.PowerLawSpectralModel(**({"index": 2.3, "amplitude": AMPLITUDE} | values))


def piecewise(interp="log"):
    return templates.PiecewiseNormSpectralModel([0.5, 3.0, 20.0] * u.TeV, norms=[0.8, 1.3, 0.7], interp=interp)


def absorbed(redshift):
    table = [[0.99, 0.9, 0.7], [0.8, 0.6, 0.2], [0.5, 0.1, 0.01]]
    ebl = absorption.EBLAbsorptionNormSpectralModel([0.1, 1, 100] * u.TeV, [0.1, 0.2, 0.5], table, redshift)
    return power_law() * ebl


SPECTRA = {
    "ebl": lambda: absorbed(0.15),
    "ebl, beyond its table": lambda: absorbed(0.6),
    "pl": power_law,
    "pl, index 1": lambda: power_law(index=1.0),
    "pl, close to index 1": lambda: power_law(index=1.0 + 3e-5),
    "pl, negative": lambda: power_law(amplitude="-1e-13 cm-2 s-1 TeV-1"),
    "pl, nothing": lambda: power_law(amplitude="0 cm-2 s-1 TeV-1"),
    "pl, other units": lambda: power_law(amplitude="3e-7 m-2 s-1 TeV-1", reference="900 GeV"),
    "pl-norm": lambda: powerlaws.PowerLawNormSpectralModel(tilt=0.2, norm=1.3),
    "pl-2": lambda: powerlaws.PowerLaw2SpectralModel(index=2.4, amplitude="3e-11 cm-2 s-1"),
    "bpl": lambda: powerlaws.BrokenPowerLawSpectralModel(index2=3.0, amplitude=AMPLITUDE, ebreak="1.03 TeV"),
    "sbpl": lambda: powerlaws.SmoothBrokenPowerLawSpectralModel(index2=3.0, amplitude=AMPLITUDE),
    "gauss": lambda: powerlaws.GaussianSpectralModel(amplitude="3e-11 cm-2 s-1", mean="2 TeV"),
    "ecpl": lambda: cutoffs.ExpCutoffPowerLawSpectralModel(index=2.2, amplitude=AMPLITUDE, lambda_="0.08 TeV-1"),
    "ecpl, no cut-off": lambda: cutoffs.ExpCutoffPowerLawSpectralModel(amplitude=AMPLITUDE, lambda_="0 TeV-1"),
    "ecpl, curved": lambda: cutoffs.ExpCutoffPowerLawSpectralModel(amplitude=AMPLITUDE, alpha=0.7),
    "ecpl-norm": lambda: cutoffs.ExpCutoffPowerLawNormSpectralModel(norm=0.8, index=0.1),
    "ecpl-3fgl": lambda: cutoffs.ExpCutoffPowerLaw3FGLSpectralModel(amplitude=AMPLITUDE),
    "secpl-3fgl": lambda: cutoffs.SuperExpCutoffPowerLaw3FGLSpectralModel(amplitude=AMPLITUDE, index_2=0.8),
    "secpl-4fgl": lambda: cutoffs.SuperExpCutoffPowerLaw4FGLSpectralModel(
        amplitude=AMPLITUDE, expfactor=2e-6, index_2=0.8
    ),
    "secpl-4fgl-dr3": lambda: cutoffs.SuperExpCutoffPowerLaw4FGLDR3SpectralModel(amplitude=AMPLITUDE, index_2=0.6),
    "lp": lambda: cutoffs.LogParabolaSpectralModel(amplitude=AMPLITUDE, alpha=2.3, beta=0.2),
    "lp2": lambda: cutoffs.LogParabola2SpectralModel(amplitude=AMPLITUDE, alpha=2.3, beta=0.2, escale="2 TeV"),
    "lp-norm": lambda: cutoffs.LogParabolaNormSpectralModel(norm=0.7, alpha=0.1, beta=0.05),
    "meyer": crab.MeyerCrabSpectralModel,
    "piecewise": piecewise,
    "piecewise, linear": lambda: piecewise("lin"),
    "sum": lambda: power_law() + cutoffs.LogParabolaSpectralModel(amplitude=AMPLITUDE, beta=0.2),
    "difference": lambda: power_law() - power_law(index=2.1, amplitude="1e-12 cm-2 s-1 TeV-1"),
    "product": lambda: power_law() * piecewise() * powerlaws.PowerLawNormSpectralModel(),
    "scaled": lambda: ScaleSpectralModel(power_law(), norm=1.4),
    "a user's": Wavy,
    "a user's of another": lambda: Steeper(amplitude=AMPLITUDE),
}  # fmt: skip


EXPONENTS = ("index", "index1", "index2", "index_1", "index_2", "alpha", "beta", "tilt", "depth")


def sizes(model):
    """Return how far a parameter must move to be seen, shape (parameter, 1)."""
    usual = [
        max(abs(one.value), 0.1) if one.name in EXPONENTS else abs(one.value) or (1e-12 if one.is_norm else 0.1)
        for one in model.parameters
    ]
    return np.array(usual)[:, np.newaxis]


def assert_derivatives(gradient, function, model, wanted=None):
    """Compare derivatives with Richardson's extrapolation of differences, as far as numbers have digits."""
    start, size = model.parameters.value, sizes(model)

    def slopes(step):
        shifts = step * np.diag(size[:, 0])
        return np.array([(function(start + shift) - function(start - shift)) / (2 * step) for shift in shifts])

    with np.errstate(invalid="ignore", divide="ignore"):
        expected = (4.0 * slopes(5e-4) - slopes(1e-3)) / 3.0
    chosen = [place for place in wanted or range(len(start)) if np.isfinite(expected[place]).all()]
    assert len(chosen) >= len(wanted or start) - 1
    rows = [list(wanted or range(len(start))).index(place) for place in chosen]
    deviation = np.abs(size[chosen] * gradient()[rows] - expected[chosen]).max(axis=1)
    assert (deviation <= 3e-6 * np.abs(expected[chosen]).max(axis=1) + 1e-8 * np.abs(function(start)).max()).all()


@pytest.mark.parametrize("name", SPECTRA)
def test_derivatives_are_those_of_the_numbers(name):
    model = SPECTRA[name]()
    with np.errstate(invalid="ignore", divide="ignore"):
        assert_derivatives(partial(model.dnde_gradient, ENERGY), partial(model.dnde, ENERGY), model)
        assert_derivatives(partial(model.flux_gradient, ENERGY), partial(model.flux, ENERGY), model)


# Where the local index is 1 to some digits the integrals, and so their differences, lose as many.
INDICES, SIZES = st.floats(1.2, 5.0), st.floats(1e-14, 1e-9)


@given(INDICES, SIZES, st.booleans(), st.floats(0.01, 1.0), st.floats(0.3, 3.0))
def test_derivatives_hold_everywhere(index, size, is_negative, curvature, turn):
    amplitude = f"{-size if is_negative else size!r} cm-2 s-1 TeV-1"
    reference = {"index": index, "amplitude": amplitude}
    for model in (
        power_law(**reference),
        cutoffs.ExpCutoffPowerLawSpectralModel(**reference, lambda_=f"{curvature!r} TeV-1", alpha=turn),
        cutoffs.LogParabolaSpectralModel(alpha=index, beta=curvature - 0.4, amplitude=amplitude, reference="1 TeV"),
        power_law(**reference) * powerlaws.PowerLawNormSpectralModel(tilt=curvature - 0.4, norm=turn),
    ):
        free = [place for place, parameter in enumerate(model.parameters) if not parameter.frozen]
        assert_derivatives(partial(model.flux_gradient, ENERGY, wanted=free), partial(model.flux, ENERGY), model, free)


def test_some_derivatives_may_be_asked_for_in_any_order():
    model = power_law() * cutoffs.ExpCutoffPowerLawNormSpectralModel(norm=0.8)
    every = model.flux_gradient(ENERGY)
    assert every.shape == (8, 8)
    np.testing.assert_allclose(model.flux_gradient(ENERGY, wanted=[4, 1, 6]), every[[4, 1, 6]], rtol=1e-12)
    assert model.dnde_gradient(ENERGY, wanted=[]).shape == (0, 9)


def test_derivatives_are_taken_at_given_values():
    steep = power_law(index=3.0)
    np.testing.assert_array_equal(power_law().flux_gradient(ENERGY, [3.0, 3e-11, 1.0]), steep.flux_gradient(ENERGY))


def test_a_subclass_with_another_spectrum_does_not_inherit_derivatives():
    assert Steeper.log_gradient is SpectralModel.log_gradient
    assert set(cutoffs.ExpCutoffPowerLawSpectralModel().log_gradient(ENERGY, 2.0, 1.0, 1.0, 0.1, 1.0)) == {
        "index",
        "lambda_",
        "alpha",
    }


def test_zeros_in_a_spectrum_leave_the_derivatives_right():
    # Far beyond its cut-off nothing is left of a spectrum.
    model = cutoffs.ExpCutoffPowerLawSpectralModel(index=2.0, amplitude=AMPLITUDE, lambda_="30 TeV-1")
    assert model.dnde(ENERGY)[-1] == 0.0
    free = [0, 1, 3]
    assert_derivatives(partial(model.flux_gradient, ENERGY, wanted=free), partial(model.flux, ENERGY), model, free)
