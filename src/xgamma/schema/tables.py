"""What a specification is made of: variables, attributes, groups, products; and ``Violation``, what breaks one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import xarray as xr

CONVENTIONS = "CF-1.12"


class Kind(StrEnum):
    """The kinds of products, as paths of a store have them; each is made from those before it."""

    DL3 = "dl3"
    ROWS = "rows"
    STACK = "stack"
    FIT = "fit"
    POINTS = "flux-points"

    # As any other text where a sentence quotes it.
    __repr__ = str.__repr__


NAMES = "names"


@dataclass(frozen=True)
class Violation:
    """One thing that is not as the format says: where, what was expected, what came, and what to do."""

    where: str
    expected: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        way_out = f"; {self.remedy}" if self.remedy else ""
        return f"{self.where}: expected {self.expected}, got {self.found}{way_out}."

    def inside(self, place: str) -> Violation:
        """Return the same violation, seen from the product or the store that holds it."""
        return replace(self, where=f"{place} {self.where}".strip())


@dataclass(frozen=True)
class Variable:
    """One variable of a group; files of other programs hold no ledger and no outcome, which are not required.

    Parameters
    ----------
    dims
        Its dims, in their order.
    units
        As FITS writes them, ``None`` where one unit cannot be said.
    dtype
        The widest type; a narrower one of the same kind may stand. ``NAMES`` are texts.
    long_name
        What it is.
    required, needed_with
        Whether it has to be there, or has to be where another variable is.
    """

    dims: tuple[str, ...]
    units: str | None
    dtype: str
    long_name: str
    required: bool = True
    needed_with: str = ""

    def attrs(self) -> dict[str, Any]:
        """Return its xarray attributes."""
        return {"units": self.units, "long_name": self.long_name}


@dataclass(frozen=True)
class Attribute:
    """One attribute of a group, or one field of a document.

    Parameters
    ----------
    type, meaning
        As JSON holds it, such as ``list of text``, and what it says.
    required
        Whether it has to be there.
    value
        The only one allowed, where there is one.
    along
        The dim of the root group along which the list runs.
    """

    type: str
    meaning: str
    required: bool = True
    value: Any = None
    along: str = ""


Law = Callable[[xr.Dataset], Iterator[Violation]]
"""A law of the values of one group; the first line of its docstring is the law."""
PartLaw = Callable[[Mapping[str, xr.Dataset]], Iterator[Violation]]
"""A law of several groups of one product."""


@dataclass(frozen=True)
class Group:
    """One group of a product: variables by name, attributes by name, and laws of the values.

    Where the variables depend on the Dataset, such as on the dims of its cells, ``variables_of`` returns them, and
    ``variables`` are those of the usual one.
    """

    title: str
    variables: Mapping[str, Variable]
    attrs: Mapping[str, Attribute]
    laws: tuple[Law, ...] = ()
    variables_of: Callable[[xr.Dataset], Mapping[str, Variable]] | None = None


@dataclass(frozen=True)
class Product:
    """One kind of product; the name of a group may end in ``*``, and such groups need not be there."""

    kind: str
    title: str
    groups: Mapping[str, Group]
    texts: Mapping[str, Attribute] = field(default_factory=dict)
    provenance: Mapping[str, Attribute] = field(default_factory=dict)
    laws: tuple[PartLaw, ...] = ()


def head(schema: str, version: int) -> dict[str, Any]:
    """Return the attributes by which a group says what it is."""
    return {"schema": schema, "schema_version": version, "Conventions": CONVENTIONS}


def head_attrs(schema: str, version: int) -> dict[str, Attribute]:
    """Return the specification of ``head``."""
    return {
        "schema": Attribute("text", "What the group is", value=schema),
        "schema_version": Attribute("whole number", "The version of this table", value=version),
        "Conventions": Attribute("text", "The conventions of attributes and bounds", False),
    }


def axis(name: str, units: str, long_name: str) -> dict[str, Variable]:
    """Return the two coordinates of a bin axis: centres, and edges as CF bounds."""
    return {
        name: Variable((name,), units, "f8", f"{long_name}, centre of the bin"),
        f"{name}_bounds": Variable((name, "bound"), units, "f8", f"{long_name}, lower and upper edge of the bin"),
    }


def requiring(variables: Mapping[str, Variable], *names: str) -> dict[str, Variable]:
    """Return the variables with some more of them required."""
    return {name: replace(spec, required=spec.required or name in names) for name, spec in variables.items()}
