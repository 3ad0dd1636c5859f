"""``Parameters``: the numbers of a model in the order of its document, with their table and ``Covariance``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

import astropy
import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import FloatArray
from xgamma.description import Correlations, Described, Description, Facts, Part, Sheet, ends
from xgamma.digits import some
from xgamma.errors import ConfigError, ConfigTypeError, UnknownNameError, did_you_mean
from xgamma.gammapy_methods import SaysInstead
from xgamma.models.parameter import Parameter, limits_text, state_text, unit_text, value_text
from xgamma.plot import matrix as plot_matrix
from xgamma.plot import parameters as plot_parameters

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


__all__ = ["Parameter", "Parameters", "link_labels", "parameters_table"]


class Parameters(SaysInstead, Described, Sequence[Parameter]):
    """Parameters in the order of a model document; a linked parameter is the same object at each of its places.

    Index with a position, a name (the first of that name), or a ``Parameter`` that is among them.

    Raises ``ConfigTypeError`` for anything else among them.
    """

    def __init__(self, parameters: Iterable[Parameter] = ()) -> None:
        self._parameters = tuple(parameters)
        for parameter in self._parameters:
            if not isinstance(parameter, Parameter):
                raise ConfigTypeError(f"Parameters: expected Parameter objects, got {parameter!r}.")

    @overload
    def __getitem__(self, key: int | str | Parameter) -> Parameter: ...
    @overload
    def __getitem__(self, key: slice) -> Parameters: ...

    def __getitem__(self, key: int | str | Parameter | slice) -> Parameter | Parameters:
        if isinstance(key, slice):
            return Parameters(self._parameters[key])
        return self._parameters[self.index(key)]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters)

    def __contains__(self, item: object) -> bool:
        return any(parameter is item or parameter.name == item for parameter in self._parameters)

    def __add__(self, other: Iterable[Parameter]) -> Parameters:
        return Parameters([*self._parameters, *other])

    def index(self, key: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a name, a ``Parameter`` or a position; raises ``UnknownNameError``, ``IndexError``."""
        if isinstance(key, int):
            return range(len(self._parameters))[key]
        for position, parameter in enumerate(self._parameters[start:stop], start):
            if parameter is key or parameter.name == key:
                return position
        name = key.name if isinstance(key, Parameter) else str(key)
        raise UnknownNameError(f"There is no parameter called {name!r}.{did_you_mean(name, set(self.names))}")

    @property
    def names(self) -> list[str]:
        """The names, in order."""
        return [parameter.name for parameter in self._parameters]

    @property
    def types(self) -> list[str]:
        """The part of the model that each belongs to: ``spectral``, ``spatial`` or ``temporal``."""
        return [parameter.type for parameter in self._parameters]

    @property
    def value(self) -> FloatArray:
        """The values, each in its own unit, shape (parameter,); may be set."""
        return np.array([parameter.value for parameter in self._parameters], dtype=float)

    @value.setter
    def value(self, values: Iterable[float]) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.value = float(value)

    @property
    def errors(self) -> FloatArray:
        """The standard errors, shape (parameter,)."""
        return np.array([parameter.error for parameter in self._parameters], dtype=float)

    @property
    def unique_parameters(self) -> Parameters:
        """Each linked parameter once, at its first place."""
        return Parameters({id(parameter): parameter for parameter in self._parameters}.values())

    @property
    def free_parameters(self) -> Parameters:
        """The unique parameters that are not frozen."""
        return Parameters(parameter for parameter in self.unique_parameters if not parameter.frozen)

    def select(self, name: str | None = None, type: str | None = None, frozen: bool | None = None) -> Parameters:
        """Return the parameters that match all that is given."""
        return Parameters(
            parameter
            for parameter in self._parameters
            if name in (None, parameter.name) and type in (None, parameter.type) and frozen in (None, parameter.frozen)
        )

    def freeze_all(self) -> None:
        """Freeze every parameter."""
        for parameter in self._parameters:
            parameter.frozen = True

    def unfreeze_all(self) -> None:
        """Free every parameter, also those that are frozen by default."""
        for parameter in self._parameters:
            parameter.frozen = False

    def check_limits(self) -> None:
        """Log a warning for each free value outside its limits."""
        for parameter in self._parameters:
            parameter.check_limits()

    def prior_stat_sum(self) -> float:
        """Return the sum of -2 ln of the densities of the priors at the values, each parameter once."""
        return float(sum(parameter.prior_stat_sum() for parameter in self.unique_parameters))

    @contextmanager
    def restore_status(self) -> Iterator[None]:
        """Put values, errors and frozen flags back at the end of a ``with`` block."""
        unique = list(self.unique_parameters)
        before = [(parameter.value, parameter.error, parameter.frozen) for parameter in unique]
        try:
            yield
        finally:
            for parameter, (value, error, frozen) in zip(unique, before, strict=True):
                parameter.value, parameter.error, parameter.frozen = value, error, frozen

    def to_dict(self) -> list[dict[str, Any]]:
        """Return every field of every parameter."""
        return [parameter.to_dict() for parameter in self._parameters]

    def to_table(self) -> Table:
        """Return the table type, name, value, unit, error, min, max, frozen, is_norm, link."""
        return parameters_table(self._parameters)

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the values with their errors within their limits in a new figure, and return it.

        Of many parameters the free ones are drawn, and of many of these the first and the last. Raises
        ``ConfigError`` where there are none.
        """
        if not self._parameters:
            raise ConfigError("There is no parameter to draw.")
        every = self.unique_parameters
        those = every if len(every) <= DRAWN else self.free_parameters or every
        numbers, more = ends(len(those), DRAWN)
        title = f"{some(len(every), 'parameter')}, {len(self.free_parameters)} free"
        rows = [_row(those[number]) for number in numbers]
        return plot_parameters.parameters_figure(rows, figsize, title, f"{more} more" if more else "")

    def __repr__(self) -> str:
        return f"Parameters({', '.join(self.names)})"

    def _description(self) -> Description:
        free = f"{some(len(self), 'parameter')}, {len(self.free_parameters)} free"
        places = [(one.type, one.name) for one in self]
        return Description("Parameters", [Facts([("Number", free)]), parameter_sheet(self, places, ("part",))])


LISTED = 100
"""How many parameters are shown."""
DRAWN = 20
"""How many are drawn."""


def _row(one: Parameter) -> plot_parameters.Row:
    value, error = float(one.value), float(one.error)
    return plot_parameters.Row(
        one.name, value, error, float(one.min), float(one.max), unit_text(one.unit), value_text(one), one.frozen
    )


def parameter_sheet(
    parameters: Sequence[Parameter],
    places: Sequence[Sequence[str]],
    heads: Sequence[str] = (),
    labels: Mapping[int, str] | None = None,
) -> Sheet:
    """Return a row for each parameter, with value and error, unit, limits and what a fit may do with it.

    Parameters
    ----------
    parameters
        In their order.
    places
        For each parameter what stands in the columns ``heads``, and its name.
    heads
        Columns before the name.
    labels
        Of those that are linked, by the identity of the object; by default those that stand here twice.
    """
    labels = link_labels(parameters) if labels is None else labels
    numbers, more = ends(len(parameters), LISTED)
    rows = [(*places[number], *_words(parameters[number], labels)) for number in numbers]
    return Sheet((*heads, "parameter", "value", "unit", "limits", "in a fit"), rows, more)


def _words(one: Parameter, labels: Mapping[int, str]) -> tuple[str, ...]:
    return value_text(one), unit_text(one.unit), limits_text(one), state_text(one, labels.get(id(one), ""))


_FORMATS = {"value": ".4e", "error": ".3e", "min": ".3e", "max": ".3e"}


def parameters_table(parameters: Sequence[Parameter], places: Sequence[Sequence[str]] | None = None) -> Table:
    """Return one row a parameter.

    ``places`` gives model, type and name of each place; without it there is no column of models. ``link`` holds the
    label of parameters that stand at more than one place.
    """
    labels = link_labels(parameters)
    heads = ["type", "name"] if places is None else ["model", "type", "name"]
    rows = [(parameter.type, parameter.name) for parameter in parameters] if places is None else places
    columns: dict[str, Any] = {head: [row[number] for row in rows] for number, head in enumerate(heads)}
    columns["value"] = [parameter.value for parameter in parameters]
    columns["unit"] = [unit_text(parameter.unit) for parameter in parameters]
    for name in ("error", "min", "max"):
        columns[name] = [float(getattr(parameter, name)) for parameter in parameters]
    for name in ("frozen", "is_norm"):
        columns[name] = [bool(getattr(parameter, name)) for parameter in parameters]
    columns["link"] = [labels.get(id(parameter), "") for parameter in parameters]
    table = astropy.table.Table(columns)
    for name, spelling in _FORMATS.items():
        table[name].format = spelling
    return table


def link_labels(parameters: Iterable[Parameter]) -> dict[int, str]:
    """Return ``{id(parameter): label}`` of those that stand at more than one place.

    A label that was read from a document stays; others are ``name@0001``, ``name@0002``, ... in order.
    """
    places: dict[int, list[Parameter]] = {}
    for parameter in parameters:
        places.setdefault(id(parameter), []).append(parameter)
    shared = [found[0] for found in places.values() if len(found) > 1]
    taken = {parameter.link for parameter in shared}
    labels: dict[int, str] = {}
    number = 0
    for parameter in shared:
        label = parameter.link
        while not label:
            number += 1
            candidate = f"{parameter.name}@{number:04d}"
            label = candidate if candidate not in taken else ""
        taken.add(label)
        labels[id(parameter)] = label
    return labels


class Covariance(SaysInstead, Described):
    """The covariance of ``parameters``, each in its own unit.

    Parameters
    ----------
    parameters
        In the order of rows and columns.
    data
        Shape (parameter, parameter); zeros for frozen parameters. Diagonal from the errors when absent.
    names
        What rows and columns are called, by default the names of the parameters.

    Raises
    ------
    ConfigError
        Unless ``data`` have a row and a column for each parameter.
    """

    def __init__(
        self, parameters: Parameters, data: npt.ArrayLike | None = None, names: Sequence[str] | None = None
    ) -> None:
        self.parameters = parameters
        self.names = list(parameters.names if names is None else names)
        matrix = np.diag(parameters.errors**2) if data is None else np.array(data, dtype=float)
        if matrix.shape != (len(parameters), len(parameters)):
            raise ConfigError(
                f"Covariance: expected a matrix of shape {(len(parameters), len(parameters))}, one row a parameter, "
                f"got {matrix.shape}."
            )
        self.data: FloatArray = matrix

    @classmethod
    def normalize(cls, parameters: Parameters, covariance: Any) -> Covariance:
        """Accept a ``Covariance``, a matrix over ``parameters``, or one over the unique of them."""
        data = np.asarray(getattr(covariance, "data", covariance), dtype=float)
        unique = parameters.unique_parameters
        if data.shape == (len(unique), len(unique)) != (len(parameters), len(parameters)):
            places = [unique.index(parameter) for parameter in parameters]
            data = data[np.ix_(places, places)]
        return cls(parameters, data)

    @classmethod
    def assemble(
        cls, parameters: Parameters, blocks: Iterable[Covariance | None], names: Sequence[str] | None = None
    ) -> Covariance:
        """Return the matrix over ``parameters`` filled from ``blocks`` in turn; the diagonal is the errors squared."""
        result = cls(parameters, np.zeros((len(parameters), len(parameters))), names)
        for block in blocks:
            if block is not None:
                result._fill(block)
        errors, variance = parameters.errors, np.diag(result.data)
        # A variance whose root is the error stays to the last bit, so that a file is written back as it was.
        kept = np.sqrt(np.maximum(variance, 0.0)) == errors
        np.fill_diagonal(result.data, np.where(kept, variance, errors**2))
        return result

    def _fill(self, block: Covariance) -> None:
        rows = {id(parameter): row for row, parameter in enumerate(block.parameters)}
        pairs = [(place, rows[id(own)]) for place, own in enumerate(self.parameters) if id(own) in rows]
        if pairs:
            places, found = (list(column) for column in zip(*pairs, strict=True))
            self.data[np.ix_(places, places)] = block.data[np.ix_(found, found)]

    def restrict(self, parameters: Iterable[Parameter]) -> Covariance:
        """Return the rows and columns of some of the parameters, in their order."""
        chosen = Parameters(parameters)
        places = [next(i for i, own in enumerate(self.parameters) if own is wanted) for wanted in chosen]
        return Covariance(chosen, self.data[np.ix_(places, places)], [self.names[place] for place in places])

    def to_xarray(self, correlation: bool = False) -> xr.DataArray:
        """Return the matrix, or the correlations, with the dims ``parameter, parameter_2`` and names on both."""
        dims, name = ("parameter", "parameter_2"), "correlation" if correlation else "covariance"
        values = self.correlation if correlation else self.data.copy()
        coords = {dim: (dim, np.array(self.names, dtype=str)) for dim in dims}
        units = [unit_text(parameter.unit) for parameter in self.parameters]
        attrs: dict[str, Any] = {"units": ""} if correlation else {"parameter_units": units}
        return xr.DataArray(values, coords, dims, name, attrs | {"long_name": name.capitalize()})

    def plot_correlation(
        self, ax: Axes | None = None, figsize: tuple[float, float] | None = None, **style: Any
    ) -> Axes:
        """Draw the correlations of the parameters that have an error; ``style`` is that of ``imshow``."""
        return plot_matrix.plot_correlation(*self._known(), ax, figsize, **style)

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw the correlations in a new figure, and return it."""
        return plot_matrix.correlation_figure(*self._known(), figsize, "Correlations")

    def _known(self) -> tuple[FloatArray, list[str]]:
        """Return the correlations of the parameters that have an error, and their names."""
        known = np.flatnonzero(np.diag(self.data) > 0)
        return self.correlation[np.ix_(known, known)], [self.names[place] for place in known]

    def set_errors(self) -> None:
        """Set the error of every parameter to the root of its variance; a variance that is not positive gives 0."""
        variance = np.diag(self.data)
        for parameter, value in zip(self.parameters, variance, strict=True):
            parameter.error = float(np.sqrt(value)) if value > 0 else (0.0 if value <= 0 else float("nan"))

    @property
    def correlation(self) -> FloatArray:
        """The correlation matrix; NaN where an error is 0."""
        sigma = np.sqrt(np.diag(self.data))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.data / np.outer(sigma, sigma))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.data.shape
        return rows, columns

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return np.array(self.data, dtype=dtype or float)

    def __repr__(self) -> str:
        return f"<Covariance of {some(len(self.names), 'parameter')}>"

    def correlations(self) -> Correlations:
        """Return those of the parameters that have an error, for people."""
        known = np.flatnonzero(np.diag(self.data) > 0)
        values = self.correlation[np.ix_(known, known)]
        return Correlations([self.names[place] for place in known], values.tolist())

    def _description(self) -> Description:
        found = self.correlations()
        rows = [
            (name, value_text(one), unit_text(one.unit))
            for name, one in zip(self.names, self.parameters, strict=True)
            if name in found.names
        ]
        numbers, more = ends(len(rows), LISTED)
        table = Sheet(("parameter", "value", "unit"), [rows[number] for number in numbers], more)
        fixed = len(self.names) - len(found.names)
        facts = Facts([("Parameters", f"{len(found.names)} with an error, {fixed} without")])
        parts: list[Part] = [facts, table, found] if rows else [facts]
        return Description("Covariance", parts)
