"""``Observations``: the runs of an analysis, each a view of its events, good time and responses in the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import astropy
import numpy as np
from astropy import units as u
from astropy.time import Time

from xgamma.axes import IntArray
from xgamma.datasets import event_list, responses, run_frame, text, titles
from xgamma.description import Described, Description, Sheet, ends, facts
from xgamma.digits import decimals, some
from xgamma.errors import ConfigError, DataError, UnknownNameError, did_you_mean
from xgamma.events import IRF_ROLES, Part, Rows, good_time
from xgamma.gammapy_methods import SaysInstead
from xgamma.plot import figures as plot_figures
from xgamma.plot import runs as plot_runs
from xgamma.select import Selection, rows_of, selection_order
from xgamma.times import inside_interval, interval_seconds, time_from_seconds

if TYPE_CHECKING:
    import pandas as pd
    from astropy.coordinates import SkyCoord
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.datasets.event_list import GTI, EventList
    from xgamma.datasets.responses import Response
    from xgamma.ingest import Holdings


class Pointing(NamedTuple):
    """Where the telescopes of a run pointed, ICRS degrees."""

    ra: float
    dec: float

    @property
    def fixed_icrs(self) -> SkyCoord:
        """The direction."""
        return astropy.coordinates.SkyCoord(self.ra, self.dec, unit="deg", frame="icrs")

    def get_icrs(self, obstime: Time | None = None) -> SkyCoord:
        """Return the direction, which is the same at all times."""
        return self.fixed_icrs

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the direction as a marker."""
        return plot_runs.plot_pointings(np.array([self.ra]), np.array([self.dec]), [""], ax, **style)

    def peek(self, figsize: tuple[float, float] = (5, 4)) -> Figure:
        """Draw the direction in a new figure, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot(ax)
        plot_figures.show_title(ax, "Pointing")
        return figure


@dataclass(frozen=True, eq=False)
class Observation(SaysInstead, Described):
    """One selected run, or the piece of a run inside an interval.

    Parameters
    ----------
    part, obs
        The part that holds the run, and its number there.
    start, stop
        The selected interval in seconds since the epoch of the part, infinite where none was selected.
    name
        The name of the row.

    Examples
    --------
    >>> analysis.observations["23523"].events.select_energy([1, 10] * u.TeV)  # doctest: +SKIP
    """

    part: Part
    obs: int
    start: float
    stop: float
    name: str

    def __repr__(self) -> str:
        return f"<Observation {self.name}: {self.target or 'no target'}, {self.livetime:.0f} s, {self.telescope}>"

    def _description(self) -> Description:
        notes = " ".join(note.text for note in self.part.notes(self.obs))
        more = {"telescope": self.telescope, "responses": ", ".join(self.available_irfs), "notes": notes}
        rows = [*zip(text.RUN, text.run_words(self), strict=True), *more.items()]
        return Description(f"Observation {self.name}", facts([row for row in rows if row[1]]))

    def _fact(self, name: str) -> float:
        return float(self.part.runs[name].values[self.obs])

    @property
    def _mjdref(self) -> float:
        return float(self.part.runs.attrs["mjdref"])

    @property
    def obs_id(self) -> int:
        """The observation id."""
        return int(self.part.runs["obs_id"].values[self.obs])

    @property
    def target(self) -> str:
        """What was observed, in the words of the release."""
        return str(self.part.runs.attrs["target"][self.obs])

    @property
    def telescope(self) -> str:
        """What observed it."""
        return str(self.part.runs.attrs["telescope"][self.obs])

    @property
    def ra(self) -> float:
        """Right ascension of the pointing, deg."""
        return self._fact("ra_pnt")

    @property
    def dec(self) -> float:
        """Declination of the pointing, deg."""
        return self._fact("dec_pnt")

    @property
    def pointing(self) -> Pointing:
        """Where the telescopes pointed."""
        return Pointing(self.ra, self.dec)

    def get_pointing_icrs(self, time: Time | None = None) -> SkyCoord:
        """Return where the telescopes pointed, which is the same at all times."""
        return self.pointing.get_icrs(time)

    # --- time

    @property
    def tstart(self) -> Time:
        """The start of the first good time of the run."""
        return time_from_seconds(self._fact("tstart"), self._mjdref)

    @property
    def tstop(self) -> Time:
        """The stop of the last good time of the run."""
        return time_from_seconds(self._fact("tstop"), self._mjdref)

    @property
    def tmid(self) -> Time:
        """The time between both."""
        return time_from_seconds(0.5 * (self._fact("tstart") + self._fact("tstop")), self._mjdref)

    @property
    def livetime(self) -> float:
        """Good time of the run without dead time, s."""
        return self._fact("livetime")

    @property
    def gti(self) -> GTI:
        """Good time, in the interval if one was selected."""
        return event_list.GTI(good_time(self.part, self.rows)[0], self._mjdref)

    @property
    def observation_time_duration(self) -> u.Quantity:
        """Good time, in the interval if one was selected."""
        return self.gti.time_sum

    @property
    def observation_live_time_duration(self) -> u.Quantity:
        """The same without dead time."""
        return u.Quantity(self.observation_time_duration * self._fact("deadc"))

    @property
    def observation_dead_time_fraction(self) -> float:
        """The share of dead time."""
        return 1.0 - self._fact("deadc")

    def select_time(self, time_interval: Sequence[Time]) -> Observation:
        """Return the part of the run between two times; raises ``ConfigError`` unless the first is earlier."""
        first, last = time_interval
        start, stop = interval_seconds(first, last, self._mjdref)
        return replace(self, start=max(start, self.start), stop=min(stop, self.stop))

    # --- events and responses

    @property
    def rows(self) -> Rows:
        """The run as a row of its part."""
        return Rows(np.array([self.obs]), np.array([self.start]), np.array([self.stop]), (self.name,))

    @cached_property
    def events(self) -> EventList:
        """The events, also those outside of good time; in the interval if one was selected."""
        first, size = (int(self.part.runs[f"event_{what}"].values[self.obs]) for what in ("start", "size"))
        data = self.part.events.isel(event=slice(first, first + size)).load()
        if np.isfinite(self.start) or np.isfinite(self.stop):
            data = data.isel(event=inside_interval(data["time"].values, self.start, self.stop))
        return event_list.EventList(data, self.pointing)

    @property
    def available_irfs(self) -> list[str]:
        """The responses that the run has."""
        return [role for role in IRF_ROLES if self._fact(f"{role}_table") >= 0]

    @property
    def available_hdus(self) -> list[str]:
        """What the run has."""
        return ["events", "gti", *self.available_irfs]

    def response(self, role: str) -> Response:
        """Return a response by role; raises ``DataError`` where the run has none."""
        if role not in self.available_irfs:
            known = ", ".join(self.available_irfs) or "no responses"
            raise DataError(f"Run {self.name} has no response {role!r}; it has {known}.")
        number, row = (int(self._fact(f"{role}_{what}")) for what in ("table", "row"))
        return responses.RESPONSES[role](self.part.table_of(number).isel(irf=[row]).load())

    @cached_property
    def aeff(self) -> Response:
        """The effective area."""
        return self.response("aeff")

    @cached_property
    def edisp(self) -> Response:
        """The energy dispersion."""
        return self.response("edisp")

    @cached_property
    def psf(self) -> Response:
        """The point spread function."""
        return self.response("psf")

    @cached_property
    def bkg(self) -> Response:
        """The background rate."""
        return self.response("bkg")

    @cached_property
    def rad_max(self) -> Response:
        """The radius of the on-region that point-like responses hold for."""
        return self.response("rad_max")

    def peek(self, figsize: tuple[float, float] = (13, 7)) -> Figure:
        """Draw the events and all responses in a new figure, and return it."""
        roles = self.available_irfs
        figure, axes = plot_figures.panels(1 + len(roles), figsize)
        self.events.plot_image(axes[0])
        for role, ax in zip(roles, axes[1:], strict=True):
            self.response(role).plot(ax)
        facts = (self.target, self.telescope, titles.duration(float(self.observation_live_time_duration.value)))
        plot_figures.show_title(figure, f"Run {self.name}", *facts)
        return figure


class Observations(Described, Sequence[Observation]):
    """The selected runs.

    Parameters
    ----------
    holdings
        The parts that hold them.
    rows
        The rows of each part.
    dropped
        Why the other runs are not there, by criterion and observation id.
    """

    def __init__(
        self,
        holdings: Holdings,
        rows: Sequence[tuple[str, Rows]],
        dropped: Mapping[str, Mapping[int, str]] | None = None,
    ) -> None:
        self.holdings = holdings
        self.rows = tuple(rows)
        self.dropped = dict(dropped or {})

    @property
    def ids(self) -> list[str]:
        """The observation ids, as text."""
        ids = [str(obs_id) for part, rows in self.pieces for obs_id in part.column("obs_id", rows.obs)]
        return [ids[row] for row in selection_order(self.rows)]

    @property
    def pieces(self) -> list[tuple[Part, Rows]]:
        """The parts that hold the runs, and their rows."""
        return [(self.holdings.parts[key], rows) for key, rows in self.rows]

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.rows)

    @overload
    def __getitem__(self, key: int | str) -> Observation: ...
    @overload
    def __getitem__(self, key: slice) -> Observations: ...

    def __getitem__(self, key: int | str | slice) -> Observation | Observations:
        """Return one run by number or by name, or some; raises ``UnknownNameError`` for another name."""
        order = selection_order(self.rows)
        if isinstance(key, slice):
            return self._some(order[key])
        if isinstance(key, str):
            names = [name for _, rows in self.rows for name in rows.names]
            if key not in names:
                raise UnknownNameError(f"There is no observation {key!r}.{did_you_mean(key, names)}")
            return self._row(names.index(key))
        return self._row(int(order[key]))

    def _row(self, number: int) -> Observation:
        """Return a row counted one part after the other."""
        for part, rows in self.pieces:
            if number < len(rows):
                ends = float(rows.start[number]), float(rows.stop[number])
                return Observation(part, int(rows.obs[number]), *ends, rows.names[number])
            number -= len(rows)
        raise IndexError("There are fewer observations.")

    def _some(self, numbers: IntArray) -> Observations:
        first, kept = 0, list[tuple[str, Rows]]()
        for key, rows in self.rows:
            own = np.flatnonzero(np.isin(np.arange(first, first + len(rows)), numbers))
            place = np.array([int(np.flatnonzero(numbers == first + row)[0]) for row in own], dtype=np.int64)
            names = tuple(rows.names[row] for row in own)
            if len(own):
                kept.append((key, Rows(rows.obs[own], rows.start[own], rows.stop[own], names, place)))
            first += len(rows)
        return Observations(self.holdings, kept, self.dropped)

    def __iter__(self) -> Iterator[Observation]:
        return (self._row(int(number)) for number in selection_order(self.rows))

    def __repr__(self) -> str:
        return (
            f"<Observations: {some(len(self), 'run')}: {', '.join(self.ids[:10])}{', ...' if len(self) > 10 else ''}>"
        )

    def select_time(self, time_intervals: Any) -> Observations:
        """Return the pieces of whole runs inside an interval of two times, or inside each of several.

        A run that lies in several of them gives several pieces, named ``<id>-1``, ``<id>-2``; one that lies in none is
        left out.

        Raises
        ------
        ConfigError
            When intervals overlap or run backwards, or the runs were cut before.
        """
        if any(np.isfinite([rows.start, rows.stop]).any() for _, rows in self.rows):
            raise ConfigError("select_time: these are pieces of runs already; cut the whole runs once.")
        given = (
            [time_intervals] if isinstance(time_intervals[0], Time) and time_intervals[0].isscalar else time_intervals
        )
        intervals = tuple((start, stop) for start, stop in given)
        ids = [int(obs_id) for obs_id in self.ids]
        rows = rows_of(self.holdings.parts, self.holdings.places, ids, Selection(intervals=intervals))
        return Observations(self.holdings, rows, self.dropped)

    @property
    def table(self) -> pd.DataFrame:
        """The observation table: one row for each selected run, ``tstart`` and ``tstop`` as MJD in TT, deg, s."""
        return run_frame.run_frame(self.pieces).iloc[selection_order(self.rows)]

    # --- pictures

    def plot_pointings(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw where the runs pointed, a marker for each target."""
        table = self._filled_table()
        targets = [str(name) for name in table["target"]]
        return plot_runs.plot_pointings(table["ra_pnt"].to_numpy(), table["dec_pnt"].to_numpy(), targets, ax, **style)

    def _plot_column(self, name: str, quantity: str, unit: str, ax: Axes) -> None:
        table = self._filled_table()
        bounds, values = table[["tstart", "tstop"]].to_numpy(float), table[name].to_numpy(float)
        plot_runs.plot_over_date(bounds, values, quantity, unit, ax)

    def _filled_table(self) -> pd.DataFrame:
        if not len(self):
            raise DataError("There are no observations to draw.")
        return self.table.assign(rate=lambda table: table["events"] / table["livetime"].where(table["livetime"] > 0))

    def peek(self, figsize: tuple[float, float] = (13, 4)) -> Figure:
        """Draw pointings, and zenith angle and rate of events over time, in a new figure, and return it."""
        figure, (pointings, zenith, rate) = plot_figures.panels(3, figsize)
        self.plot_pointings(pointings)
        self._plot_column("zenith", "Zenith angle", "deg", zenith)
        self._plot_column("rate", "Rate of events", "s-1", rate)
        table = self.table
        names = [
            name for column in ("target", "telescope") if len(name := ", ".join(dict.fromkeys(table[column]))) < 40
        ]
        plot_figures.show_title(figure, some(len(self), "run"), *names, titles.duration(float(table["livetime"].sum())))
        return figure

    def _description(self) -> Description:
        numbers, more = ends(len(self))
        runs = [text.run_words(self._row(int(number))) for number in selection_order(self.rows)[numbers]]
        livetime = sum(float(part.column("livetime", rows.obs).sum()) for part, rows in self.pieces) / 3600
        telescopes = {str(part.runs.attrs["telescope"][obs]) for part, rows in self.pieces for obs in rows.obs}
        left = [f"{some(len(ids), 'run')} by {criterion}" for criterion, ids in self.dropped.items() if ids]
        about = {
            "Runs": some(len(self), "run"),
            "Livetime of whole runs": f"{decimals(livetime)} h",
            "Telescope": ", ".join(sorted(telescopes)),
            "Left out": ", ".join(left),
        }
        shown = [Sheet(text.RUN, runs, more)] if runs else []
        return Description("Observations", [*facts([row for row in about.items() if row[1]]), *shown])
