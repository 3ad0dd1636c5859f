"""Models as plain values: what passes a bridge. Loads nothing of Gammapy."""

from __future__ import annotations

from typing import Any, NamedTuple

from xgamma.axes import FloatArray


class Described(NamedTuple):
    """Models as plain values.

    Parameters
    ----------
    document
        ``{"components": [...]}`` with every field of every parameter.
    names
        ``model.type.parameter`` of each parameter, in order.
    covariance
        Shape (parameter, parameter), each parameter in its own unit.
    """

    document: dict[str, Any]
    names: list[str]
    covariance: FloatArray
