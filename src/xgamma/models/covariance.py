"""``Covariance``: a matrix that knows whose numbers it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.models.parameters import Parameter, Parameters


class Covariance:
    """The covariance of ``parameters``, each in its own unit.

    Parameters
    ----------
    parameters
        In the order of rows and columns.
    data
        Shape (parameter, parameter); zeros for frozen parameters. Diagonal from the errors when absent.
    """

    def __init__(self, parameters: Parameters, data: npt.ArrayLike | None = None) -> None:
        self.parameters = parameters
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
    def assemble(cls, parameters: Parameters, blocks: Iterable[Covariance | None]) -> Covariance:
        """Return the matrix over ``parameters`` filled from ``blocks`` in turn; the diagonal is the errors squared."""
        result = cls(parameters, np.zeros((len(parameters), len(parameters))))
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
        return Covariance(chosen, self.data[np.ix_(places, places)])

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
        return f"Covariance of {', '.join(self.parameters.names)}\n{self.data}"
