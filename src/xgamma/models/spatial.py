"""Positions and morphologies, kept as documents: read and written back without loss; a spectrum asks where they are."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from xgamma.errors import LaterError
from xgamma.models.component import KeptComponent
from xgamma.models.parameters import Parameter


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

    def evaluate(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ``LaterError``."""
        raise LaterError(
            f"{self.tag[0]} is kept in the model document; evaluating a spatial model comes with a later version. "
            "Use a SkyModel with only a spectral model."
        )

    __call__ = evaluate


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
