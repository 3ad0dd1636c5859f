"""Temporal models, kept as documents: parameters and files are read and written back, not evaluated yet."""

from __future__ import annotations

from typing import ClassVar

from xgamma.models.parameters import Parameter
from xgamma.models.unevaluated import KeptComponent


class TemporalModel(KeptComponent):
    """A dependence on time; ``t_ref`` is an MJD in days."""

    type: ClassVar[str] = "temporal"


class ConstantTemporalModel(TemporalModel):
    """Always 1."""

    tag = ("ConstantTemporalModel", "const")


class LinearTemporalModel(TemporalModel):
    """A straight line."""

    tag = ("LinearTemporalModel", "linear")
    alpha = Parameter("alpha", 1.0)
    beta = Parameter("beta", 0.0, "d-1")
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)


class ExpDecayTemporalModel(TemporalModel):
    """An exponential decay."""

    tag = ("ExpDecayTemporalModel", "exp-decay")
    t0 = Parameter("t0", 1.0, "d")
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)


class GaussianTemporalModel(TemporalModel):
    """A Gaussian flare."""

    tag = ("GaussianTemporalModel", "gauss")
    t_ref = Parameter("t_ref", 51544.0, "d")
    sigma = Parameter("sigma", 1.0, "d")


class GeneralizedGaussianTemporalModel(TemporalModel):
    """A flare with different rise and decay."""

    tag = ("GeneralizedGaussianTemporalModel", "gengauss")
    t_ref = Parameter("t_ref", 51544.0, "d")
    t_rise = Parameter("t_rise", 1.0, "d")
    t_decay = Parameter("t_decay", 1.0, "d")
    eta = Parameter("eta", 0.5)


class PowerLawTemporalModel(TemporalModel):
    """A power law of the time since ``t_ref``."""

    tag = ("PowerLawTemporalModel", "powerlaw")
    alpha = Parameter("alpha", 1.0)
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)
    t0 = Parameter("t0", 1.0, "d", frozen=True)


class SineTemporalModel(TemporalModel):
    """A sine around 1."""

    tag = ("SineTemporalModel", "sinus")
    amp = Parameter("amp", 1.0)
    omega = Parameter("omega", 1.0, "rad d-1")
    t_ref = Parameter("t_ref", 51544.0, "d")


class LightCurveTemplateTemporalModel(TemporalModel):
    """A light curve in a file."""

    tag = ("LightCurveTemplateTemporalModel", "template")
    t_ref = Parameter("t_ref", 51544.0, "d")


class TemplatePhaseCurveTemporalModel(TemporalModel):
    """A phase curve in a file and the ephemeris."""

    tag = ("TemplatePhaseCurveTemporalModel", "template-phase")
    t_ref = Parameter("t_ref", 48442.5, "d", frozen=True)
    phi_ref = Parameter("phi_ref", 0.0, frozen=True)
    f0 = Parameter("f0", 29.946923, "s-1", frozen=True)
    f1 = Parameter("f1", 0.0, "s-2", frozen=True)
    f2 = Parameter("f2", 0.0, "s-3", frozen=True)
