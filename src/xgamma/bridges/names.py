"""How Gammapy names the parameters of models, which its files and its objects share; loads nothing of it."""

from __future__ import annotations

import re
from collections.abc import Sequence


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
