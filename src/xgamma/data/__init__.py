"""The import path of Gammapy's ``data``: runs of a release, without an analysis."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import astropy
import numpy as np

from xgamma.analysis.selected import selected
from xgamma.config.requests import release_of, selection_of
from xgamma.config.sections import ObservationsConfig
from xgamma.datasets import GTI
from xgamma.datasets.event_list import EventList
from xgamma.datasets.observations import Observation, Observations
from xgamma.description import Described, Description, Facts, Sheet, ends
from xgamma.digits import number_text, some
from xgamma.errors import InputError
from xgamma.gammapy_methods import SaysInstead
from xgamma.gammapy_names import later_names
from xgamma.plot import figures as plot_figures
from xgamma.plot import runs as plot_runs
from xgamma.store import Store

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


__all__ = ["GTI", "DataStore", "EventList", "Observation", "Observations"]


__getattr__ = later_names(__name__)


class DataStore(SaysInstead, Described):
    """The runs of a release, read into a store when they are asked for.

    Parameters
    ----------
    place
        A folder with index files, a file of one, a url, or a store of xgamma.
    store
        Where the runs are kept, a path or a url; by default in memory.

    Raises
    ------
    MissingInputError
        When there is no release.

    Examples
    --------
    >>> observations = DataStore.from_dir("$GAMMAPY_DATA/hess-dl3-dr1").get_observations([23523])  # doctest: +SKIP
    """

    def __init__(self, place: str | PathLike[str], store: str | PathLike[str] = "memory://") -> None:
        self.place, self._store = str(place), Store(str(store))
        self._facts = release_of(self._section()).facts()

    @classmethod
    def from_dir(cls, base_dir: str | PathLike[str], store: str | PathLike[str] = "memory://") -> Self:
        """Return the runs of a folder."""
        return cls(base_dir, store)

    def _section(self, **others: Any) -> ObservationsConfig:
        return ObservationsConfig(**{"datastore": self.place, **others})

    def __repr__(self) -> str:
        return f"<DataStore {self.place}: {some(len(self.obs_ids), 'run')}>"

    def _description(self) -> Description:
        facts = list(self._facts.values())
        numbers, more = ends(len(facts))
        rows = [
            (str(one.obs_id), one.target, *(number_text(float(value), 5) for value in (one.ra, one.dec, one.zenith)))
            for one in (facts[number] for number in numbers)
        ]
        heads = ("run", "target", "ra [deg]", "dec [deg]", "zenith [deg]")
        about = Facts([("Place", self.place), ("Runs", some(len(facts), "run")), ("Kept in", self._store.url)])
        return Description(type(self).__name__, [about, *([Sheet(heads, rows, more)] if rows else [])])

    def plot_pointings(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw where the runs pointed, a marker for each target where they are few."""
        facts = list(self._facts.values())
        places = np.array([(float(one.ra), float(one.dec)) for one in facts]).reshape(-1, 2)
        return plot_runs.plot_pointings(places[:, 0], places[:, 1], [one.target for one in facts], ax, **style)

    def peek(self, figsize: tuple[float, float] = (7, 5)) -> Figure:
        """Draw where the runs pointed in a new figure, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot_pointings(ax)
        plot_figures.show_title(ax, some(len(self.obs_ids), "run"))
        return figure

    def info(self, show: bool = True) -> str | None:
        """Print what is there as ``print`` does, or return it as text where ``show`` is false."""
        if not show:
            return str(self)
        print(self)
        return None

    @property
    def obs_ids(self) -> list[int]:
        """The observation ids of all runs."""
        return list(self._facts)

    @property
    def obs_table(self) -> Table:
        """What the index says of each run."""
        facts = list(self._facts.values())
        columns = {"OBS_ID": "obs_id", "RA_PNT": "ra", "DEC_PNT": "dec", "ZEN_PNT": "zenith", "OBJECT": "target"}
        table = astropy.table.Table(
            {name: [getattr(fact, attribute) for fact in facts] for name, attribute in columns.items()}
        )
        for name in ("RA_PNT", "DEC_PNT", "ZEN_PNT"):
            table[name].unit = "deg"
        return table

    def get_observations(
        self, obs_id: Sequence[int] | None = None, required_irf: Any = "full-enclosure", skip_missing: bool = False
    ) -> Observations:
        """Return runs, by default all.

        Parameters
        ----------
        obs_id
            Their observation ids.
        required_irf
            Responses that a run must have, or ``full-enclosure``, ``point-like``, ``all-optional``.
        skip_missing
            Whether runs that cannot be read are left out.

        Raises
        ------
        UnknownNameError
            For an id that the release does not have.
        InputError
            When a run cannot be read, unless ``skip_missing``.
        """
        section = self._section(
            obs_ids=[] if obs_id is None else [int(each) for each in obs_id], required_irf=required_irf
        )
        chosen = selected(release_of(section), selection_of(section))
        holdings = chosen.release.load(chosen.obs_ids, self._store)
        if holdings.failures and not skip_missing:
            raise InputError(f"Run {holdings.failures[0].name} cannot be read: {holdings.failures[0].message}")
        return chosen.observations(holdings)

    def obs(self, obs_id: int, required_irf: Any = "full-enclosure") -> Observation:
        """Return one run; raises as ``get_observations``."""
        return self.get_observations([obs_id], required_irf)[0]
