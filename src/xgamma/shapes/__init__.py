"""Shapes on the sky: what they are, which positions they hold, how they turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xgamma.axes import BoolArray, FloatArray
from xgamma.shapes.kinds import Annulus, Circle, Ellipse, Polygon, Rectangle
from xgamma.shapes.shape import Shape, rotated

__all__ = [
    "KINDS",
    "Annulus",
    "Circle",
    "Ellipse",
    "Polygon",
    "Rectangle",
    "Shape",
    "rotated",
    "shape_from",
    "union_holds",
]

KINDS: Mapping[str, type[Shape]] = {kind.kind: kind for kind in (Circle, Ellipse, Rectangle, Annulus, Polygon)}


def shape_from(document: Mapping[str, Any]) -> Shape:
    """Return the shape of a document, which may have been through JSON; raises what the shape raises."""
    values = {name: value for name, value in document.items() if name != "shape"}
    kind = KINDS[document.get("shape", Circle.kind)]
    if kind is Annulus:
        values = {name: shape_from(each) for name, each in values.items()}
    return kind(**values)


def union_holds(shapes: Sequence[Shape], lon: FloatArray, lat: FloatArray) -> BoolArray:
    """Return which ICRS positions lie in any of some shapes."""
    found = np.zeros(np.shape(lon), dtype=bool)
    for shape in shapes:
        found |= shape.holds(lon, lat)
    return found
