"""``DatasetList``: datasets in order, indexed by number and name, with the models they share."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
from astropy import units as u
from astropy.time import Time

from xgamma.axes import BoolArray
from xgamma.datasets.binned_row import BinnedRow
from xgamma.datasets.fitted import Fitted
from xgamma.datasets.inputs import normalize_models
from xgamma.description import Described
from xgamma.errors import ConfigError, ConfigTypeError, UnknownNameError, did_you_mean
from xgamma.models.models import Models
from xgamma.models.parameters import Parameters

if TYPE_CHECKING:
    from xgamma.datasets.flux_points_dataset import FluxPointsDataset

TOLERANCE = 1e-6
"""Seconds."""


def validate_names(names: Sequence[str]) -> None:
    """Raise ``ConfigError`` where two datasets have one name."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"Two datasets are called {twice!r}. Give one another name with copy(name=...).")


class DatasetList(Described, MutableSequence[Any]):
    """Views in order, with unique names; see ``Datasets``."""

    def __init__(self, datasets: Any = (), unused: Iterable[BinnedRow[Any]] = ()) -> None:
        given = [datasets] if isinstance(datasets, Fitted) else datasets
        self._views: list[Any] = [_view(dataset) for dataset in given]
        self.unused = list(unused)
        validate_names(self.names)
        self._share_empty_models()

    def _share_empty_models(self) -> None:
        # What is appended to the models of a collection without any reaches every row.
        rows = [*self._views, *self.unused]
        if rows and not any(view.models_key for view in rows):
            self.models = rows[0].models

    # --- rows

    @overload
    def __getitem__(self, key: int | str) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> Self: ...

    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, slice):
            return type(self)(self._views[key])
        return self._views[self.index(key) if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._views)

    @property
    def names(self) -> list[str]:
        """The names of the rows, in order."""
        return [view.name for view in self._views]

    def index(self, key: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a name or of a view; raises ``UnknownNameError``."""
        name = key.name if isinstance(key, Fitted) else key
        names = self.names
        if name not in names[start:stop]:
            raise UnknownNameError(f"There is no dataset called {name!r}.{did_you_mean(str(name), names)}")
        return names.index(name, start)

    def __setitem__(self, key: Any, dataset: Any) -> None:
        """Put a row in the place of another; raises ``ConfigError`` when a third one has its name."""
        if isinstance(key, slice):
            raise ConfigError("Datasets: expected a number or a name, got a slice; set one dataset at a time.")
        place = self.index(key) if isinstance(key, str) else key
        views = list(self._views)
        views[place] = _view(dataset)
        self._hold(views)

    def __delitem__(self, key: Any) -> None:
        """Take out a row by number or name, or a slice of them."""
        del self._views[self.index(key) if isinstance(key, str) else key]

    def insert(self, index: int, value: Any) -> None:
        """Add a row before a place; raises ``ConfigError`` when its name is there already."""
        views = list(self._views)
        views.insert(index, _view(value))
        self._hold(views)

    def append(self, value: Any) -> None:
        """Add a row at the end; raises ``ConfigError`` when its name is there already."""
        self.insert(len(self), value)

    def extend(self, values: Iterable[Any]) -> None:
        """Add rows at the end; raises ``ConfigError`` when a name is there twice then, and adds none."""
        self._hold([*self._views, *map(_view, values)])

    def remove(self, value: Any) -> None:
        """Take out a row, given as such or by name; raises ``UnknownNameError`` where there is none."""
        del self._views[self.index(value)]

    def reverse(self) -> None:
        """Turn the order."""
        self._views.reverse()

    def __add__(self, other: Any) -> Self:
        more = [other] if isinstance(other, Fitted) else other
        return type(self)([*self._views, *more])

    def copy(self) -> Self:
        """Return independent copies of the rows, with the same models."""
        return type(self)([view.copy() for view in self._views], [view.copy() for view in self.unused])

    def _hold(self, views: list[Any]) -> None:
        names = [view.name for view in views]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConfigError(f"There is a dataset called {twice!r} already; give a copy(name=...).")
        self._views = views
        self._share_empty_models()

    # --- what they have in common

    @property
    def is_all_same_type(self) -> bool:
        """Whether all are of one class."""
        return len({type(view) for view in self._views}) == 1

    @property
    def energy_axes_are_aligned(self) -> bool:
        """Whether all spectra have the same bins of reconstructed energy, to 1e-9."""
        axes = [view.energy_axis for view in self._first_of_groups()]
        return all(axis.is_close(axes[0]) for axis in axes)

    @property
    def is_all_same_energy_shape(self) -> bool:
        """Whether all spectra have as many bins of reconstructed energy."""
        return len({view.energy_axis.nbin for view in self._first_of_groups()}) == 1

    @property
    def contributes_to_stat(self) -> BoolArray:
        """Whether each has any bin or point in use, shape (dataset,)."""
        return np.array([bool(np.any(view.mask)) for view in self._views], dtype=bool)

    @property
    def energy_ranges(self) -> tuple[u.Quantity, u.Quantity]:
        """The first and the last edge of reconstructed energy of each spectrum, each of shape (dataset,)."""
        edges = np.array([view.energy_axis.edges[[0, -1]] for view in self._rows]).reshape(-1, 2)
        return u.Quantity(edges[:, 0], "TeV"), u.Quantity(edges[:, 1], "TeV")

    def select_time(self, time_min: Time, time_max: Time) -> Self:
        """Return the spectra whose good time lies wholly between two times, to a microsecond."""
        kept = []
        for view in self._rows:
            gti = view.gti
            inside = gti.select_time((time_min, time_max))
            lost = u.Quantity(gti.time_sum - inside.time_sum).to_value("s")
            if len(gti) and abs(lost) <= TOLERANCE:
                kept.append(view)
        return type(self)(kept)

    @property
    def _rows(self) -> list[BinnedRow[Any]]:
        return [view for view in self._views if isinstance(view, BinnedRow)]

    @property
    def _points(self) -> list[FluxPointsDataset]:
        return [view for view in self._views if not isinstance(view, BinnedRow)]

    def _first_of_groups(self) -> list[BinnedRow[Any]]:
        return list({id(view.arrays): view for view in reversed(self._rows)}.values())

    # --- models

    @property
    def models(self) -> Models:
        """The models that all rows share, none before they are set; setting them sets them on every row.

        Raises
        ------
        ConfigError
            When single rows were given models of their own.
        """
        if len({view.models_key for view in self._views}) > 1:
            raise ConfigError(
                "The datasets hold different models. Set datasets.models once for all of them, and say with "
                "datasets_names which model belongs to which dataset."
            )
        return self._views[0].models if self._views else Models([])

    @models.setter
    def models(self, models: Any) -> None:
        shared = normalize_models(models)
        for view in (*self._views, *self.unused):
            view.models = shared

    @property
    def parameters(self) -> Parameters:
        """The parameters of the models, none before they are set."""
        return self.models.parameters


def _view(dataset: Any) -> Fitted:
    if not isinstance(dataset, Fitted):
        raise ConfigTypeError(
            f"Expected a dataset of a spectrum, of maps or of flux points, got a {type(dataset).__name__}; use "
            "Datasets.from_xarray for Datasets of xarray."
        )
    return dataset
