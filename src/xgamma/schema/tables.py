"""What a specification is made of, the check of Datasets against it, and laws that several kinds of product share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from xgamma.errors import did_you_mean, shortened
from xgamma.schema.arrays import NamedArray, NamedArrays

if TYPE_CHECKING:
    import numpy.typing as npt

CONVENTIONS = "CF-1.12"


class Kind(StrEnum):
    """The kinds of products, as paths of a store have them; each is made from those before it."""

    DL3 = "dl3"
    ROWS = "rows"
    STACK = "stack"
    FIT = "fit"
    POINTS = "flux-points"
    LIGHT_CURVE = "light-curve"
    FIT_EACH = "fit-each"
    POINTS_EACH = "flux-points-each"
    EXCESS_MAP = "excess-map"
    PICTURE = "picture"

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


Law = Callable[[NamedArrays], Iterator[Violation]]
"""A law of the values of one group; the first line of its docstring is the law."""
PartLaw = Callable[[Mapping[str, NamedArrays]], Iterator[Violation]]
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
    variables_of: Callable[[NamedArrays], Mapping[str, Variable]] | None = None


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


_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "number": (int, float),
    "whole number": (int,),
    "true or false": (bool,),
    "mapping": (dict,),
}

_USUAL = {"text": str, "whole number": int, "true or false": bool, "mapping": dict}
"""The types that most values have, which need no further look."""


def is_of_type(value: Any, name: str) -> bool:
    """Whether a value of JSON is of a type, ``list of TYPE`` and ``mapping of TYPE`` included.

    >>> is_of_type(["a"], "list of text"), is_of_type(True, "number"), is_of_type({"a": 1}, "mapping of text")
    (True, False, False)
    """
    return _test_of(name)(value)


@cache
def _test_of(name: str) -> Callable[[Any], bool]:
    """Return the test of a type, made once: a store of thousands of products has as many records of a dozen fields."""
    container, _, inner = name.partition(" of ")
    if inner:
        passes = _test_of(inner)
        if container == "list":
            return lambda value: isinstance(value, list) and all(map(passes, value))
        return lambda value: isinstance(value, dict) and all(map(passes, value.values()))
    types, may_be_bool = _TYPES[name], name == "true or false"
    return lambda value: isinstance(value, types) and (may_be_bool or not isinstance(value, bool))


def field_violations(document: Mapping[str, Any], fields: Mapping[str, Attribute], where: str) -> Iterator[Violation]:
    """Yield what is wrong with the fields of a document; those that are not specified are passed over."""
    for name, spec in fields.items():
        # As a rule all is well: of thousands of records nothing else is asked.
        if type(document.get(name)) is _USUAL.get(spec.type) and spec.value is None:
            continue
        if name not in document:
            if spec.required:
                yield _wrong_field(where, name, spec, "nothing")
        elif not is_of_type(document[name], spec.type) or spec.value not in (None, document[name]):
            yield _wrong_field(where, name, spec, shortened(repr(document[name])))


def _wrong_field(where: str, name: str, spec: Attribute, found: str) -> Violation:
    return Violation(f"{where} {name}".strip(), spec.type if spec.value is None else repr(spec.value), found)


def variable_violations(ds: NamedArrays, variables: Mapping[str, Variable]) -> Iterator[Violation]:
    """Yield what is wrong with dims, units and types, and what is missing; nothing is read."""
    for name, spec in variables.items():
        if name in ds.variables:
            yield from _variable_violations(ds.variables[name], name, spec)
        elif spec.required or (spec.needed_with and spec.needed_with in ds.variables):
            near = did_you_mean(name, [str(other) for other in ds.variables if other not in variables])
            yield Violation(name, f"a variable {_dims(spec.dims)}", f"none{near.rstrip('.')}")


def _dims(dims: tuple[Any, ...]) -> str:
    return f"({', '.join(map(str, dims))})"


def _variable_violations(variable: NamedArray, name: str, spec: Variable) -> Iterator[Violation]:
    if variable.dims != spec.dims:
        yield Violation(
            name, f"the dims {_dims(spec.dims)}", _dims(variable.dims), "use transpose, rename or expand_dims"
        )
    units = variable.attrs.get("units")
    if spec.units not in (None, units):
        yield Violation(name, f"attrs['units'] = {spec.units!r}", repr(units))
    if not _fits(variable.dtype, spec.dtype):
        yield Violation(
            name,
            f"the type {spec.dtype if spec.dtype == NAMES else np.dtype(spec.dtype)}",
            str(variable.dtype),
            "use astype",
        )


def _fits(dtype: np.dtype[Any], wanted: str) -> bool:
    if wanted == NAMES:
        return dtype.kind in "UTO"
    widest = np.dtype(wanted)
    return dtype.kind == widest.kind and dtype.itemsize <= widest.itemsize


def group_violations(ds: NamedArrays, group: Group) -> list[Violation]:
    """Return what is wrong with one group; its values are looked at only where all else is right."""
    variables = group.variables if group.variables_of is None else group.variables_of(ds)
    found = [*field_violations(ds.attrs, group.attrs, "attrs"), *variable_violations(ds, variables)]
    return found or [violation for law in group.laws for violation in law(ds)]


def group_named(product: Product, name: str) -> Group | None:
    """Return the specification of a group, ``None`` for a group that a reader passes over."""
    return next((group for pattern, group in product.groups.items() if fnmatchcase(name, pattern)), None)


def product_violations(groups: Mapping[str, NamedArrays], product: Product) -> list[Violation]:
    """Return what is wrong with the groups of one product."""
    found = [
        Violation(name or "root", "a group", "none")
        for name in product.groups
        if not name.endswith("*") and name not in groups
    ]
    for name, ds in groups.items():
        group = group_named(product, name)
        if group is not None:
            found += [violation.inside(name) for violation in group_violations(ds, group)]
    return found or [violation for law in product.laws for violation in law(groups)]


# --- laws


def axis_law(name: str, *, contiguous: bool = True) -> Law:
    """Return the law of one bin axis."""

    def law(ds: NamedArrays) -> Iterator[Violation]:
        """The bins of an axis ascend and hold their centres; each begins where the one before it ends."""
        bounds = f"{name}_bounds"
        if ds[name].attrs.get("bounds") != bounds:
            yield Violation(name, f"attrs['bounds'] = {bounds!r}", repr(ds[name].attrs.get("bounds")))
        if ds.sizes.get("bound") != 2:
            yield Violation(bounds, "2 bounds of each bin", str(ds.sizes.get("bound")))
            return
        low, high = ds[bounds].values.T
        center = ds[name].values
        if not (np.all(low < high) and np.all(np.diff(low) > 0) and np.all((low <= center) & (center <= high))):
            yield Violation(bounds, "ascending bins that hold their centres", _some(ds[bounds].values))
        elif contiguous and not np.array_equal(low[1:], high[:-1]):
            yield Violation(bounds, "bins that begin where the one before ends", _some(ds[bounds].values))

    return law


def apart(name: str) -> Law:
    """Return the law of an axis whose bins need not touch."""

    def law(ds: NamedArrays) -> Iterator[Violation]:
        """The bins of the axis ascend and hold their centres; there may be gaps between them."""
        yield from axis_law(name, contiguous=False)(ds)

    return law


def unique_names(ds: NamedArrays) -> Iterator[Violation]:
    """Each row has a name of its own."""
    names = ds.variables["dataset"].values.tolist()
    if len(set(names)) < len(names):
        yield Violation("dataset", "a unique name for each row in the coordinate 'dataset'", str(names))


def flags_law(name: str) -> Law:
    """Return the law of one variable of flags."""

    def law(ds: NamedArrays) -> Iterator[Violation]:
        """A flag is one of `flag_values`, and each of those has its word in `flag_meanings`."""
        if name not in ds.variables:
            return
        values, words = ds[name].attrs.get("flag_values"), ds[name].attrs.get("flag_meanings")
        if not isinstance(values, list) or not isinstance(words, str) or len(values) != len(words.split()):
            yield Violation(name, "flag_values with a word for each in flag_meanings", f"{values!r} and {words!r}")
        elif not np.isin(ds[name].values, values).all():
            unknown = sorted(set(ds[name].values.ravel().tolist()) - set(values))
            yield Violation(name, "values of flag_values", f"{unknown[:5]}")

    return law


def _some(values: npt.NDArray[np.float64]) -> str:
    shown = ", ".join(f"{low:g} to {high:g}" for low, high in values[:5].tolist())
    return shown + (", ..." if len(values) > 5 else "")
