"""``GTI``: good time intervals, as views of rows and runs hand them out."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import xarray as xr
from astropy import units as u
from astropy.table import Table
from astropy.time import Time

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.times import clipped_gti, interval_seconds, merged_gti, time_from_seconds

NAMES = ("gti", "bound")


class GTI:
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

    @property
    def data(self) -> xr.DataArray:
        """Dims (gti, bound), seconds since the epoch."""
        return xr.DataArray(self._rows, dims=NAMES, attrs={"units": "s", "mjdref": self._mjdref, "time_scale": "tt"})

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        ends = [] if not len(self) else [f"from {self.time_start.min().isot} to {self.time_stop.max().isot} TT"]
        return f"<GTI: {', '.join([f'{len(self)} intervals', f'{self.time_sum:.1f}', *ends])}>"

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
        return Table({"START": self.time_start, "STOP": self.time_stop})

    def union(self) -> GTI:
        """Return the intervals sorted, with those that touch or overlap in one."""
        return GTI(merged_gti(self._rows), self._mjdref)

    def select_time(self, time_interval: Any) -> GTI:
        """Return the part of the intervals between two times; raises ``ConfigError`` unless the first is earlier."""
        start, stop = time_interval
        return GTI(clipped_gti(self._rows, *interval_seconds(start, stop, self._mjdref)), self._mjdref)
