"""Maps in files and norms at positions, kept as documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from xgamma.axes import FloatArray
from xgamma.errors import LaterError
from xgamma.models.spatial.model import SpatialModel


class _KeptSpatialModel(SpatialModel):
    """A model that is read and written, and not evaluated."""

    takes_any_parameter = True

    def _density(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> NoReturn:
        raise LaterError(f"{self.tag[0]} is kept in the model document; evaluating it comes with a later version.")


class TemplateSpatialModel(_KeptSpatialModel):
    """A map in a file."""

    tag = ("TemplateSpatialModel", "template")


class TemplateNDSpatialModel(_KeptSpatialModel):
    """A map in a file with axes that are parameters."""

    tag = ("TemplateNDSpatialModel", "templateND")


class PiecewiseNormSpatialModel(_KeptSpatialModel):
    """Norms at given positions."""

    tag = ("PiecewiseNormSpatialModel", "piecewise-norm")
