"""``EventList`` and ``GTI``: events of one run or of several, and the good time that they were taken in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import astropy
import numpy as np
import xarray as xr
from astropy import units as u
from astropy.time import Time

from xgamma.axes import BoolArray, FloatArray
from xgamma.datasets import geom, titles
from xgamma.description import Described, Description, Facts, Sheet, ends
from xgamma.digits import decimals, number_text, some
from xgamma.errors import ConfigError, DataError, UnknownNameError, did_you_mean
from xgamma.gammapy_methods import SaysInstead
from xgamma.geometry import separation, tangent_plane
from xgamma.plot import figures as plot_figures
from xgamma.plot import runs as plot_runs
from xgamma.shapes import union_holds
from xgamma.times import (
    SECONDS_PER_DAY,
    clipped_gti,
    inside_interval,
    interval_seconds,
    merged_gti,
    second_text,
    span_text,
    time_from_seconds,
)
from xgamma.units import canonical

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


NEEDED = ("ra", "dec", "energy", "time")
EPOCH = "2000-01-01"
"""What quantities of time are counted from where nothing else is said, as in Gammapy."""
EVENTS = 6
"""How many events are shown."""


class GTI(SaysInstead, Described):
    """Good time intervals; all times are TT.

    Parameters
    ----------
    seconds
        Starts and stops since ``mjdref``, shape (interval, 2).
    mjdref
        The epoch, MJD in TT.
    """

    def __init__(self, seconds: FloatArray, mjdref: float) -> None:
        rows = np.asarray(seconds, dtype=float).reshape(-1, 2)
        self._rows, self._mjdref = rows[np.isfinite(rows).all(axis=1)], mjdref

    @classmethod
    def from_time_intervals(cls, time_intervals: Any) -> Self:
        """Return intervals from pairs of ``Time``, counted from the first start; raises ``ConfigError`` for none."""
        given = list(time_intervals)
        if not given:
            raise ConfigError("GTI: expected at least one interval, got none.")
        mjdref = float(given[0][0].tt.mjd)
        return cls(np.array([interval_seconds(start, stop, mjdref) for start, stop in given]), mjdref)

    @classmethod
    def create(cls, start: Any, stop: Any, reference_time: Any = None) -> Self:
        """Return intervals from starts and stops: times, or quantities since a reference time (by default 2000 in TT).

        Raises ``ConfigError`` where an interval does not start before it stops.
        """
        epoch = Time(EPOCH, scale="tt") if reference_time is None else Time(reference_time)
        starts, stops = (
            (each if isinstance(each, Time) else epoch + u.Quantity(each)).reshape(-1) for each in (start, stop)
        )
        mjdref = float(epoch.tt.mjd)
        return cls(np.array([interval_seconds(*pair, mjdref) for pair in zip(starts, stops, strict=True)]), mjdref)

    @property
    def data(self) -> xr.DataArray:
        """Dims (gti, bound), seconds since the epoch."""
        attrs = {"units": "s", "mjdref": self._mjdref, "time_scale": "tt"}
        return xr.DataArray(self._rows, dims=("gti", "bound"), attrs=attrs)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        ends = [] if not len(self) else [f"from {self.time_start.min().isot} to {self.time_stop.max().isot} TT"]
        return f"<GTI: {', '.join([some(len(self), 'interval'), f'{self.time_sum:.1f}', *ends])}>"

    def _description(self) -> Description:
        numbers, more = ends(len(self))
        days = self._mjdref + self._rows / SECONDS_PER_DAY
        rows = [(span_text(*days[number]), number_text(float(np.diff(self._rows[number])[0]))) for number in numbers]
        total = [("Intervals", f"{len(self):,}"), ("Good time", f"{decimals(float(self.time_sum.to_value('h')), 3)} h")]
        return Description("GTI", [Facts(total), *([Sheet(("TT", "length [s]"), rows, more)] if rows else [])])

    @property
    def time_ref(self) -> Time:
        """The epoch."""
        return Time(self._mjdref, format="mjd", scale="tt")

    @property
    def time_start(self) -> Time:
        """The start of each interval."""
        return time_from_seconds(self._rows[:, 0], self._mjdref)

    @property
    def time_stop(self) -> Time:
        """The stop of each interval."""
        return time_from_seconds(self._rows[:, 1], self._mjdref)

    @property
    def mjd_bounds(self) -> tuple[float, float]:
        """The first start and the last stop, MJD in TT; NaN without an interval."""
        if not len(self):
            return np.nan, np.nan
        return float(self.time_start.mjd.min()), float(self.time_stop.mjd.max())

    @property
    def time_intervals(self) -> list[Time]:
        """Start and stop of each interval."""
        return [time_from_seconds(row, self._mjdref) for row in self._rows]

    @property
    def time_delta(self) -> u.Quantity:
        """The length of each interval."""
        return u.Quantity(self._rows[:, 1] - self._rows[:, 0], "s")

    @property
    def time_sum(self) -> u.Quantity:
        """The length of all intervals together."""
        return u.Quantity(self.time_delta.sum())

    @property
    def table(self) -> Table:
        """The intervals as a table of ``START`` and ``STOP``."""
        return astropy.table.Table({"START": self.time_start, "STOP": self.time_stop})

    def union(self) -> GTI:
        """Return the intervals sorted, with those that touch or overlap in one."""
        return GTI(merged_gti(self._rows), self._mjdref)

    def select_time(self, time_interval: Any) -> GTI:
        """Return the part of the intervals between two times; raises ``ConfigError`` unless the first is earlier."""
        start, stop = time_interval
        return GTI(clipped_gti(self._rows, *interval_seconds(start, stop, self._mjdref)), self._mjdref)

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the intervals, and how much good time has been collected after each."""
        return plot_runs.plot_intervals(self._mjdref + self._rows / SECONDS_PER_DAY, ax, **style)

    def peek(self, figsize: tuple[float, float] = (7, 4)) -> Figure:
        """Draw the intervals in a new figure, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot(ax)
        plot_figures.show_title(ax, some(len(self), "interval"), titles.duration(float(self.time_sum.value)))
        return figure


class EventList(SaysInstead, Described):
    """Events: positions, energies, times and whatever else their files hold.

    Parameters
    ----------
    data
        Columns with the dim ``event``: ``ra`` and ``dec`` (deg, ICRS), ``energy`` (TeV), ``time`` (s since
        ``attrs["mjdref"]``, TT) and others.
    pointing
        Where the telescopes pointed, ICRS longitude and latitude in deg; ``None`` where that is not one place.

    Raises
    ------
    DataError
        When a column is missing.
    """

    def __init__(self, data: xr.Dataset, pointing: tuple[float, float] | None = None) -> None:
        missing = [name for name in NEEDED if name not in data]
        if missing:
            raise DataError(f"EventList: expected the columns {', '.join(NEEDED)}, got none called {missing[0]!r}.")
        self.data, self.pointing = data, pointing

    def __len__(self) -> int:
        return self.data.sizes["event"]

    def __repr__(self) -> str:
        return f"<EventList: {some(len(self), 'event')}>"

    def _description(self) -> Description:
        numbers, more = ends(len(self), EVENTS)
        days = float(self.data.attrs["mjdref"]) + self._column("time") / SECONDS_PER_DAY
        names = {"energy": 4, "ra": 6, "dec": 6}
        columns = {name: self._column(name) for name in names}
        rows = [
            (second_text(days[number]), *(number_text(float(columns[name][number]), names[name]) for name in names))
            for number in numbers
        ]
        about = [("Events", f"{len(self):,}"), ("Columns", ", ".join(map(str, self.data.data_vars)))]
        if len(self):
            energy = columns["energy"]
            about.append(("Energies", f"{number_text(energy.min(), 3)} - {number_text(energy.max(), 3)} TeV"))
        if self.pointing is not None:
            about.append(("Pointing", f"{self.pointing[0]:.3f}, {self.pointing[1]:.3f} deg (icrs)"))
        heads = ("time (TT)", "energy [TeV]", "ra [deg]", "dec [deg]")
        return Description("EventList", [Facts(about), *([Sheet(heads, rows, more)] if rows else [])])

    # --- columns

    def _column(self, name: str) -> FloatArray:
        return np.asarray(self.data[name].values, dtype=float)

    @property
    def table(self) -> Table:
        """All columns, named as in FITS: ``RA``, ``DEC``, ``ENERGY``, ``TIME`` and others."""
        columns = [
            astropy.table.Column(array.values, name=str(name).upper(), unit=array.attrs.get("units") or None)
            for name, array in self.data.data_vars.items()
        ]
        return astropy.table.Table(columns, meta={"MJDREF": float(self.data.attrs["mjdref"]), "TIMESYS": "TT"})

    @property
    def radec(self) -> SkyCoord:
        """ICRS positions."""
        return astropy.coordinates.SkyCoord(self._column("ra"), self._column("dec"), unit="deg", frame="icrs")

    @property
    def galactic(self) -> SkyCoord:
        """Galactic positions."""
        return astropy.coordinates.SkyCoord(self.radec.galactic)

    @property
    def energy(self) -> u.Quantity:
        """Reconstructed energies."""
        return u.Quantity(self._column("energy"), "TeV")

    @property
    def time(self) -> Time:
        """Arrival times (TT)."""
        return time_from_seconds(self._column("time"), float(self.data.attrs["mjdref"]))

    @property
    def pointing_radec(self) -> SkyCoord:
        """Where the telescopes pointed; raises ``DataError`` where that is not one place."""
        return astropy.coordinates.SkyCoord(*self._center(), unit="deg", frame="icrs")

    def _center(self) -> tuple[float, float]:
        if self.pointing is None:
            raise DataError("The events have no common pointing; take those of one run.")
        return self.pointing

    @property
    def offset(self) -> u.Quantity:
        """Separations from the pointing; raises ``DataError`` where that is not one place."""
        return u.Quantity(separation(self._column("ra"), self._column("dec"), *self._center()), "deg")

    # --- fewer events

    def select_row_subset(self, row_specifier: Any) -> Self:
        """Return some events, chosen by a mask, a slice or numbers."""
        return type(self)(self.data.isel(event=np.arange(len(self))[row_specifier]), self.pointing)

    def select_energy(self, energy_range: Any) -> Self:
        """Return the events from the first energy to below the second."""
        low, high = (canonical(edge, "TeV", "energy_range") for edge in _pair(energy_range, "energy_range"))
        return self._between(self._column("energy"), low, high)

    def select_time(self, time_interval: Any, inverted: bool = False) -> Self:
        """Return the events from the first time to before the second, or all others."""
        start, stop = _pair(time_interval, "time_interval")
        ends = interval_seconds(start, stop, float(self.data.attrs["mjdref"]))
        return self.select_row_subset(inside_interval(self._column("time"), *ends) ^ inverted)

    def select_offset(self, offset_band: Any) -> Self:
        """Return the events from the first separation from the pointing to below the second."""
        low, high = (canonical(edge, "deg", "offset_band") for edge in _pair(offset_band, "offset_band"))
        return self._between(self.offset.value, low, high)

    def select_region(self, regions: Any) -> Self:
        """Return the events in a region or in any of several; raises ``ConfigTypeError`` for what is no region."""
        given = [geom.normalize_region(region) for region in (regions if isinstance(regions, Sequence) else [regions])]
        shapes = [shape for shape in given if shape is not None]
        return self.select_row_subset(union_holds(shapes, self._column("ra"), self._column("dec")))

    def select_parameter(self, parameter: str, values: Any, is_range: bool = True) -> Self:
        """Return the events with values of a column in a range, its end excluded, or with one of some values.

        ``values`` have the unit of the column; raises ``UnknownNameError`` for a column that is not there.
        """
        name = next((str(known) for known in self.data if str(known).upper() == parameter.upper()), None)
        if name is None:
            raise UnknownNameError(
                f"There is no column {parameter!r}.{did_you_mean(parameter.lower(), map(str, self.data))}"
            )
        own = self.data[name].values
        if isinstance(values, tuple | list) and any(isinstance(each, u.Quantity) for each in values):
            values = u.Quantity(values)
        plain = values.to_value(self.data[name].attrs.get("units", "")) if isinstance(values, u.Quantity) else values
        if not is_range:
            return self.select_row_subset(np.isin(own, np.atleast_1d(plain)))
        return self._between(own, *_pair(plain, "values"))

    def _between(self, values: Any, low: Any, high: Any) -> Self:
        chosen: BoolArray = (values >= low) & (values < high)
        return self.select_row_subset(chosen)

    @classmethod
    def from_stack(cls, event_lists: Sequence[EventList]) -> Self:
        """Return the events of several lists, with the columns that all of them have; they have no pointing.

        Raises ``ConfigError`` for an empty list.
        """
        if not event_lists:
            raise ConfigError("EventList: expected at least one list to stack, got none.")
        first = event_lists[0].data
        common = [name for name in first if all(name in each.data for each in event_lists)]
        mjdref = float(first.attrs["mjdref"])
        aligned = [with_epoch(each.data[common], mjdref) for each in event_lists]
        return cls(xr.concat(aligned, "event", combine_attrs="override"))

    # --- pictures

    def plot_energy(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw how many events there are of each energy."""
        return plot_runs.plot_event_energies(self._column("energy"), ax, **style)

    def plot_time(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the rate of events over time."""
        return plot_runs.plot_event_rate(self._column("time"), ax, **style)

    def plot_offset2_distribution(self, ax: Axes | None = None, center: SkyCoord | None = None, **style: Any) -> Axes:
        """Draw how many events there are over the square of the separation from a position, by default the pointing."""
        return plot_runs.plot_event_offsets(self._separation(center), ax, **style)

    def plot_energy_offset(self, ax: Axes | None = None, center: SkyCoord | None = None, **style: Any) -> Axes:
        """Draw how many events there are over energy and separation from a position, by default the pointing."""
        return plot_runs.plot_event_energy_offset(self._column("energy"), self._separation(center), ax, **style)

    def _separation(self, center: SkyCoord | None) -> FloatArray:
        at = self._center() if center is None else (float(center.icrs.ra.deg), float(center.icrs.dec.deg))
        return separation(self._column("ra"), self._column("dec"), *at)

    def plot_image(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw an image of the events on the plane tangent at the pointing, north up and east to the left."""
        lon, lat = self._column("ra"), self._column("dec")
        plane = tangent_plane(lon, lat, *self._center())
        return plot_runs.plot_event_image(plane.x, plane.y, ax, **style)

    def peek(self, figsize: tuple[float, float] = (12, 7)) -> Figure:
        """Draw image, separations, energies and rate in a new figure, and return it."""
        figure, axes = plot_figures.panels(5, figsize)
        draw = (self.plot_image, self.plot_offset2_distribution, self.plot_energy_offset, self.plot_energy)
        for method, ax in zip((*draw, self.plot_time), axes, strict=True):
            method(ax)
        plot_figures.show_title(figure, some(len(self), "event"))
        return figure


def with_epoch(data: xr.Dataset, mjdref: float) -> xr.Dataset:
    """Return events with their times counted from another epoch."""
    shift = (float(data.attrs["mjdref"]) - mjdref) * SECONDS_PER_DAY
    return data if shift == 0 else data.assign(time=data["time"] + shift)


def _pair(values: Any, name: str) -> tuple[Any, Any]:
    if len(values) != 2:
        raise ConfigError(f"{name}: expected two ends, got {len(values)}.")
    return values[0], values[1]
