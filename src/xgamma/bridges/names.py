"""How Gammapy names the parameters of models, which its files and its objects share; loads nothing of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from xgamma.axes import FloatArray


def plain_name(name: str) -> str:
    """Return ``model.type.parameter``, without the half of a compound in which the parameter stands.

    >>> plain_name("crab.spectral.model1.index")
    'crab.spectral.index'
    """
    return re.sub(r"\.model[12](?=\.)", "", name)


def places_of(names: Sequence[str], among: Sequence[str]) -> list[int]:
    """Return where each name stands among others; the n-th of a name goes with the n-th.

    A compound of two power laws holds a name twice.

    >>> places_of(["index", "norm", "index"], ["norm", "index", "index"])
    [1, 0, 2]
    """
    free: dict[str, list[int]] = {}
    for place, name in enumerate(among):
        free.setdefault(name, []).append(place)
    return [free[name].pop(0) for name in names]


def places_of_either(names: Sequence[str], among: Sequence[str]) -> list[int] | None:
    """Return where each name stands among others, by their plain names where they are not the same; ``None``: nowhere.

    Gammapy 1 did not say in which part of a compound a parameter stands.

    >>> places_of_either(["x.a.index", "x.a.index"], ["x.a.model1.index", "x.a.model2.index"])
    [0, 1]
    """
    for spelling in (str, plain_name):
        found, known = ([spelling(name) for name in each] for each in (names, among))
        if not Counter(found) - Counter(known):
            return places_of(found, known)
    return None


class ModelValues(NamedTuple):
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
