"""Spatial and temporal models kept as documents: read and written back without loss, not evaluated yet."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, Self

from xgamma.errors import LaterError
from xgamma.models.component import Component, parameter_entries
from xgamma.models.parameters import Parameter


class KeptComponent(Component):
    """Parameters and whatever else stands in the document (frame, file name, ...), in the order it was read.

    ``rest`` holds what is not a parameter. Evaluating raises ``LaterError``.
    """

    takes_any_parameter: ClassVar[bool] = False
    """Whether the parameters are those of the document, as for templates with axes of their own."""

    def __init__(self, **values: Any) -> None:
        self.rest: dict[str, Any] = {}
        self._keys: list[str] = ["parameters"]
        super().__init__(**values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Keep parameters and everything else."""
        model = cls()
        if cls.takes_any_parameter:
            for name in parameter_entries(document, cls.tag[0]):
                if name not in model._order:
                    model._add_parameter(Parameter(name, 0.0))
        model.read_parameters(document, shared, quiet=cls.takes_any_parameter)
        model.rest = {key: copy.deepcopy(value) for key, value in document.items() if key not in ("type", "parameters")}
        model._keys = [key for key in document if key != "type"]
        return model

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return the document as it was read, with the parameters of now."""
        own = super().document(full_output, labels)
        everything = own | copy.deepcopy(self.rest)
        keys = [*self._keys, *(key for key in everything if key not in self._keys)]
        return {"type": own["type"]} | {key: everything[key] for key in keys if key != "type"}

    def evaluate(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ``LaterError``."""
        raise LaterError(
            f"{self.tag[0]} is kept in the model document; evaluating a {self.type} model comes with a later version. "
            "Use a SkyModel with only a spectral model."
        )

    __call__ = evaluate


class SpatialModel(KeptComponent):
    """A position or morphology in ``frame`` (icrs or galactic)."""

    type: ClassVar[str] = "spatial"

    def __init__(self, frame: str = "icrs", **values: Any) -> None:
        super().__init__(**values)
        self.rest, self._keys = {"frame": str(frame)}, ["frame", "parameters"]

    @property
    def frame(self) -> str:
        """The coordinate frame of ``lon_0`` and ``lat_0``."""
        return str(self.rest.get("frame", "icrs"))


class PointSpatialModel(SpatialModel):
    """A point."""

    tag = ("PointSpatialModel", "point")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)


class GaussianSpatialModel(SpatialModel):
    """A Gaussian, round or elongated."""

    tag = ("GaussianSpatialModel", "gauss")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    sigma = Parameter("sigma", 1.0, "deg", min=0.0)
    e = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
    phi = Parameter("phi", 0.0, "deg", frozen=True)


class GeneralizedGaussianSpatialModel(SpatialModel):
    """A generalised Gaussian."""

    tag = ("GeneralizedGaussianSpatialModel", "gauss-general")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    r_0 = Parameter("r_0", 1.0, "deg")
    eta = Parameter("eta", 0.5, min=0.01, max=1.0)
    e = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
    phi = Parameter("phi", 0.0, "deg", frozen=True)


class DiskSpatialModel(SpatialModel):
    """A disk with a soft edge."""

    tag = ("DiskSpatialModel", "disk")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    r_0 = Parameter("r_0", 1.0, "deg", min=0.0)
    e = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
    phi = Parameter("phi", 0.0, "deg", frozen=True)
    edge_width = Parameter("edge_width", 0.01, min=0.0, max=1.0, frozen=True)


class ShellSpatialModel(SpatialModel):
    """A projected shell of a given width."""

    tag = ("ShellSpatialModel", "shell")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    radius = Parameter("radius", 1.0, "deg")
    width = Parameter("width", 0.2, "deg")


class Shell2SpatialModel(SpatialModel):
    """A projected shell of a given relative width."""

    tag = ("Shell2SpatialModel", "shell2")
    lon_0 = Parameter("lon_0", 0.0, "deg")
    lat_0 = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
    r_0 = Parameter("r_0", 1.0, "deg")
    eta = Parameter("eta", 0.2, min=0.02, max=1.0)


class ConstantSpatialModel(SpatialModel):
    """The same value everywhere."""

    tag = ("ConstantSpatialModel", "const")
    value = Parameter("value", 1.0, "sr-1", frozen=True)


class TemplateSpatialModel(SpatialModel):
    """A map in a file."""

    tag = ("TemplateSpatialModel", "template")
    takes_any_parameter = True


class TemplateNDSpatialModel(SpatialModel):
    """A map in a file with axes that are parameters."""

    tag = ("TemplateNDSpatialModel", "templateND")
    takes_any_parameter = True


class PiecewiseNormSpatialModel(SpatialModel):
    """Norms at given positions."""

    tag = ("PiecewiseNormSpatialModel", "piecewise-norm")
    takes_any_parameter = True


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
