"""Temporal models made of tables: light curves, and phase curves with an ephemeris; lines between their nodes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import astropy
import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy.time import Time

from xgamma.axes import FloatArray
from xgamma.dialects import card_number
from xgamma.errors import ConfigError, InputError, LaterError
from xgamma.formats.fits.encoding import Cards, Column, Hdu
from xgamma.formats.fits.hdus import fits_content
from xgamma.formats.local_files import local_path, write_files
from xgamma.models.parameters import Parameter
from xgamma.models.tabulated import Tabulated, named_file, table_bytes
from xgamma.models.temporal.model import TemporalModel, elapsed
from xgamma.plot import spectrum as plot_spectrum
from xgamma.times import SECONDS_PER_DAY

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines between nodes that do not descend; beside them the first and the last value hold."""

    x: FloatArray
    y: FloatArray

    def __call__(self, at: FloatArray) -> FloatArray:
        """Return the values."""
        return np.asarray(np.interp(at, self.x, self.y))

    @cached_property
    def sums(self) -> FloatArray:
        """The integral from the first node to each."""
        areas = 0.5 * np.diff(self.x) * (self.y[1:] + self.y[:-1])
        return np.concatenate([[0.0], np.cumsum(areas)])

    @cached_property
    def moment(self) -> float:
        """The integral of the values times the distance from the first node."""
        x, y = self.x - self.x[0], self.y
        first, second = x[:-1] * (2 * y[:-1] + y[1:]), x[1:] * (y[:-1] + 2 * y[1:])
        return float((np.diff(x) * (first + second)).sum() / 6.0)

    def area(self, at: FloatArray) -> FloatArray:
        """Return the integral from the first node on, exactly."""
        piece = np.clip(np.searchsorted(self.x, at, side="right") - 1, 0, len(self.x) - 1)
        return np.asarray(self.sums[piece] + 0.5 * (at - self.x[piece]) * (self.y[piece] + self(at)))


def _lines(x: npt.ArrayLike, y: npt.ArrayLike, owner: str) -> Lines:
    """Return lines between nodes; raises ``ConfigError`` where they are none."""
    nodes, values = np.atleast_1d(np.asarray(x, dtype=float)), np.atleast_1d(np.asarray(y, dtype=float))
    if nodes.shape != values.shape or nodes.ndim != 1 or not nodes.size:
        raise ConfigError(f"{owner}: expected one norm a node, got {values.shape} norms for {nodes.shape} nodes.")
    lacking = int((~np.isfinite(nodes) | ~np.isfinite(values)).sum())
    if lacking:
        raise ConfigError(f"{owner}: {lacking} of its {nodes.size} rows hold no number; leave them out of the table.")
    if (np.diff(nodes) < 0).any():
        raise ConfigError(f"{owner}: expected nodes in ascending order, got others; sort the table.")
    if (values < 0).any():
        raise ConfigError(
            f"{owner}: a factor of a flux is not negative, and {(values < 0).sum()} of its norms are; set them to 0."
        )
    return Lines(nodes, values)


def _read_table(filename: str, what: str) -> Table:
    path = named_file(filename, what)
    try:
        table: Table = astropy.table.Table.read(path)
    except Exception as error:  # of a damaged file its readers raise anything
        raise InputError(f"The {what} {path} is no table of FITS or ECSV: {error}.") from None
    return table


def _column(table: Table, name: str, owner: str) -> u.Quantity:
    found = {str(column).upper(): column for column in table.colnames}
    if name not in found:
        raise InputError(f"{owner}: expected a column {name}, got {', '.join(table.colnames)}.")
    column = table[found[name]]
    values = np.asarray(np.ma.filled(np.ma.asarray(column, dtype=float), np.nan), dtype=float)
    return u.Quantity(values, getattr(column, "unit", None) or "")


class TableModel(Tabulated, TemporalModel):
    """A temporal model whose values are in a file or were given; the file is opened when they are first needed."""

    what: ClassVar[str] = ""

    @property
    def lines(self) -> Lines:
        """The nodes and norms."""
        raise NotImplementedError

    def tables(self) -> list[bytes]:
        """Return nodes and norms; the file is opened for it."""
        return table_bytes(self.lines.x, self.lines.y)

    def _validate_table(self, column: str) -> None:
        if not isinstance(self.rest.get(column), Mapping):
            raise ConfigError(f"{self.tag[0]}: expected a table of {column.upper()} and NORM, or its file, got none.")

    def origins(self) -> list[str]:
        """Return the file and the digest of its table."""
        table = hashlib.sha256(b"".join(self.tables())).hexdigest()[:12]
        return [f"{self.what}: {Path(self.filename).name or 'no file'}, table {table}"]

    def _take(self, filename: str | Path, overwrite: bool, content: bytes) -> None:
        target = local_path(filename or self.filename or "")
        if not target.name:
            raise ConfigError(f"{self.tag[0]}.write: expected the name of a file, got none.")
        write_files({target: content}, overwrite=overwrite)
        self.filename = target


class LightCurveTemplateTemporalModel(TableModel):
    """The lines of a table of TIME since `t_ref` and NORM, whose first and last norm hold beside it.

    Made by ``read`` or ``from_table``.
    """

    tag = ("LightCurveTemplateTemporalModel", "template")
    what = "light-curve template"
    t_ref = Parameter("t_ref", 51544.0, "d", frozen=True)

    @classmethod
    def from_table(cls, table: Table, filename: str | Path = "", scale: str = "utc") -> Self:
        """Return the model of a table with TIME, NORM, and its epoch in ``meta`` (MJDREFI, MJDREFF, TIMESYS, TIMEUNIT).

        An epoch without TIMESYS is taken in ``scale``. Raises ``InputError``, ``ConfigError``.
        """
        model = cls(scale)
        model.rest |= {"filename": str(filename)} if filename else {}
        model.__dict__["_loaded"] = lines, epoch = _light_curve(table, model._owner, scale)
        model.t_ref.value = epoch
        if not filename:
            model.rest |= {
                "time": {"data": lines.x.tolist(), "unit": "d"},
                "norm": {"data": lines.y.tolist(), "unit": ""},
            }
        return model

    @classmethod
    def read(cls, filename: str | Path, format: str = "table") -> Self:
        """Read a table in FITS or ECSV; raises ``MissingInputError``, ``InputError``, ``ConfigError``."""
        _validate_format(format, cls.tag[0])
        return cls.from_table(_read_table(str(filename), cls.what), filename)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the model; its file is opened when its values are needed, at once where ``t_ref`` is not said."""
        model = super().from_document(document, shared)
        if not model.filename and not isinstance(model.rest.get("norm"), Mapping):
            raise ConfigError(f"{cls.tag[0]}: expected the 'filename' of a table of TIME and NORM, got none.")
        if model.filename and not document.get("parameters"):
            model.t_ref.value = model._loaded[1]
        return model

    @cached_property
    def _loaded(self) -> tuple[Lines, float]:
        """The lines over days, and the epoch of the table."""
        if not self.filename:
            self._validate_table("time")
            time, norm = ([float(one) for one in self.rest[name]["data"]] for name in ("time", "norm"))
            return _lines(time, norm, self._owner), self.t_ref.value
        _validate_format(str(self.rest.get("format", "table")), self.tag[0])
        return _light_curve(_read_table(self.filename, self.what), self._owner, self.scale)

    @property
    def lines(self) -> Lines:
        """The norms over days since ``t_ref``."""
        return self._loaded[0]

    def _factor(self, time: FloatArray, values: Mapping[str, float]) -> FloatArray:
        return self.lines(time)

    def _integral(self, start: FloatArray, stop: FloatArray, values: Mapping[str, float]) -> FloatArray:
        return np.asarray(self.lines.area(stop) - self.lines.area(start))

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        return {"t_ref": float(np.ptp(self.lines.x)) / len(self.lines.x) or 1.0}

    def problem(self, gti: FloatArray, mjdref: float) -> str:
        """Read the table, which may raise."""
        _ = self.lines
        return ""

    def remark(self, gti: FloatArray, mjdref: float) -> str:
        """Return how much good time lies beside the table."""
        days, nodes = self._days(gti, mjdref, self._named(None)), self.lines.x
        inside = np.clip(days, nodes[0], nodes[-1])
        beside = np.nansum(np.diff(days, axis=-1)) - np.nansum(np.diff(inside, axis=-1))
        return f"lies beside its table for {beside:.3g} d, where its first or last norm holds" if beside > 1e-9 else ""

    def write(self, filename: str | Path = "", overwrite: bool = False) -> None:
        """Write the table as FITS; raises ``OutputExistsError``, ``OutputError``."""
        day = np.floor(self.t_ref.quantity.to_value(u.d))
        fraction = float(self.t_ref.quantity.to_value(u.d) - day)
        header: Cards = {"MJDREFI": int(day), "MJDREFF": fraction, "TIMESYS": self.scale, "TIMEUNIT": "d"}
        columns = [
            Column("TIME", np.asarray(self.lines.x, float), "d"),
            Column("NORM", np.asarray(self.lines.y, float)),
        ]
        self._take(filename, overwrite, fits_content([Hdu("", columns, header)]))
        for name in ("time", "norm"):
            self.rest.pop(name, None)

    def to_table(self) -> Table:
        """Return TIME and NORM."""
        meta = {"TIMESYS": self.scale, "MJDREFI": 0, "MJDREFF": self.t_ref.quantity.to_value(u.d), "TIMEUNIT": "d"}
        return astropy.table.Table({"TIME": u.Quantity(self.lines.x, "d"), "NORM": self.lines.y}, meta=meta)


def _validate_format(name: str, owner: str) -> None:
    if name != "table":
        raise LaterError(
            f"{owner}: a template of format {name!r} depends on the energy, which comes with a later version; "
            "give a table of TIME and NORM."
        )


def _light_curve(table: Table, owner: str, scale: str) -> tuple[Lines, float]:
    """Return lines over days, and their epoch, an MJD in ``scale``."""
    meta = {str(key).upper(): value for key, value in table.meta.items()}
    time, norm = _column(table, "TIME", owner), _column(table, "NORM", owner)
    unit = time.unit if time.unit.is_equivalent(u.d) else meta.get("TIMEUNIT")
    try:
        days = time.value * float(u.Unit(unit).to(u.d))
        norms = norm.to_value("")
    except (TypeError, ValueError, u.UnitConversionError):
        raise InputError(f"{owner}: expected TIME in a unit of time and NORM without one; say TIMEUNIT.") from None
    whole, fraction = card_number(meta, "MJDREFI"), card_number(meta, "MJDREFF")
    if whole is None:
        whole, fraction = card_number(meta, "MJDREF"), None
    if whole is None:
        raise InputError(f"{owner}: expected the epoch of TIME as MJDREFI and MJDREFF, got none.")
    given = str(meta.get("TIMESYS") or scale).lower()
    if given not in TemporalModel.scales:
        raise InputError(f"{owner}: expected TIMESYS {', '.join(TemporalModel.scales)}, got {given!r}.")
    epoch = whole + (fraction or 0.0)
    if given != scale:
        epoch = float(getattr(Time(whole, fraction or 0.0, format="mjd", scale=given), scale).mjd)
    return _lines(days, norms, owner), epoch


class TemplatePhaseCurveTemporalModel(TableModel):
    """The lines of a table of PHASE and NORM, at the phase `phi_ref + f0 t + f1 t^2 / 2 + f2 t^3 / 6` since `t_ref`.

    Phases are nodes on a circle: after the last the line goes on to the first of the next turn.

    Parameters
    ----------
    table
        PHASE from 0 to 1, and NORM.
    filename
        Where the table is from, which a document names.
    normalize
        Whether the norms are divided by their mean over a turn.
    scale
        The time scale of ``t_ref``.
    **values
        The ephemeris.
    """

    tag = ("TemplatePhaseCurveTemporalModel", "template-phase")
    what = "phase curve"
    t_ref = Parameter("t_ref", 48442.5, "d", frozen=True)
    phi_ref = Parameter("phi_ref", 0.0, frozen=True)
    f0 = Parameter("f0", 29.946923, "s-1", frozen=True)
    f1 = Parameter("f1", 0.0, "s-2", frozen=True)
    f2 = Parameter("f2", 0.0, "s-3", frozen=True)

    def __init__(
        self,
        table: Any = None,
        filename: str | Path = "",
        normalize: bool = True,
        scale: str = "utc",
        **values: Any,
    ) -> None:
        super().__init__(scale, **values)
        self.rest |= {"filename": str(filename)} if filename else {}
        self.rest["normalize"] = _is_flag(normalize, self.tag[0])
        if table is not None:
            phase, norm = _phases(table, self._owner)
            self.__dict__["_given"] = phase, norm
            if not filename:
                self.rest |= {"phase": {"data": phase.tolist()}, "norm": {"data": norm.tolist()}}
            _ = self.lines

    @classmethod
    def read(cls, path: str | Path, normalize: bool = True, **values: Any) -> Self:
        """Read a table in FITS or ECSV; raises ``MissingInputError``, ``InputError``, ``ConfigError``."""
        return cls(_read_table(str(path), cls.what), path, normalize, **values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Build the model; its file is opened when its values are needed."""
        model = super().from_document(document, shared)
        if not model.filename and not isinstance(model.rest.get("phase"), Mapping):
            raise ConfigError(f"{cls.tag[0]}: expected the 'filename' of a table of PHASE and NORM, got none.")
        _is_flag(model.normalize, cls.tag[0])
        return model

    @property
    def normalize(self) -> bool:
        """Whether the norms are divided by their mean over a turn."""
        return self.rest.get("normalize", True)  # type: ignore[no-any-return]

    @cached_property
    def _given(self) -> tuple[FloatArray, FloatArray]:
        if not self.filename:
            self._validate_table("phase")
            phase, norm = (np.array(self.rest[name]["data"], dtype=float) for name in ("phase", "norm"))
            return _phases({"PHASE": phase, "NORM": norm}, self._owner)
        return _phases(_read_table(self.filename, self.what), self._owner)

    @cached_property
    def _turn(self) -> Lines:
        """The norms over one turn from the first node on, as they are given."""
        phase, norm = self._given
        if phase[0] == 0.0 and phase[-1] == 1.0:
            return _lines(phase, norm, self._owner)
        return _lines([*phase, phase[0] + 1.0], [*norm, norm[0]], self._owner)

    @cached_property
    def lines(self) -> Lines:
        """The norms over one turn from the first node on, as they enter the flux."""
        turn = self._turn
        mean = float(turn.sums[-1])
        if self.normalize and not mean > 0:
            raise ConfigError(f"{self._owner}: all norms are 0, and there is no mean to divide them by.")
        return Lines(turn.x, turn.y / mean) if self.normalize else turn

    def phase(self, time: Time) -> FloatArray:
        """Return the phase at times, from 0 to 1."""
        (seconds, mjdref), named = elapsed(time), self._named(None)
        return np.asarray(_turns(self._days(seconds, mjdref, named) * SECONDS_PER_DAY, named) % 1.0)

    def _factor(self, time: FloatArray, values: Mapping[str, float]) -> FloatArray:
        lines = self.lines
        return lines(lines.x[0] + (_turns(time * SECONDS_PER_DAY, values) - lines.x[0]) % 1.0)

    def _integral(self, start: FloatArray, stop: FloatArray, values: Mapping[str, float]) -> FloatArray:
        """Return the integral in days: the mean, and what the incomplete turns at both ends add, by parts.

        Exact for a constant frequency; one that changes adds terms of second order in the change of a turn.
        """
        lines = self.lines
        mean = float(lines.sums[-1])
        # Without a mean of its own, what incomplete turns add averages out where the frequency changes.
        middle = 0.5 * mean - lines.moment
        rest = []
        for edge in (start, stop):
            seconds = edge * SECONDS_PER_DAY
            turn = (_turns(seconds, values) - lines.x[0]) % 1.0
            beyond = lines.area(lines.x[0] + turn) - mean * turn - middle
            rest.append(beyond / _frequency(seconds, values) / SECONDS_PER_DAY)
        return np.asarray(mean * (stop - start) + rest[1] - rest[0])

    def _steps(self, values: Mapping[str, float], longest: float) -> dict[str, float]:
        seconds = longest * SECONDS_PER_DAY
        turns = {"phi_ref": 1.0, "f0": 1.0 / seconds, "f1": 2.0 / seconds**2, "f2": 6.0 / seconds**3}
        return turns | {"t_ref": 1.0 / abs(values["f0"] or 1.0) / SECONDS_PER_DAY}

    def problem(self, gti: FloatArray, mjdref: float) -> str:
        """Return that the ephemeris stands still, where it does; reads the table, which may raise."""
        _ = self.lines
        seconds = self._days(gti, mjdref, self._named(None)) * SECONDS_PER_DAY
        frequency = _frequency(seconds, self._named(None))
        return "" if np.nanmin(frequency) > 0 else "has a frequency of 0 or less; correct f0, f1 and f2"

    def write(self, path: str | Path = "", overwrite: bool = False) -> None:
        """Write the table as FITS, with the norms as they were given; raises ``OutputExistsError``, ``OutputError``."""
        columns = [
            Column(name, np.asarray(array, float)) for name, array in zip(("PHASE", "NORM"), self._given, strict=True)
        ]
        self._take(path, overwrite, fits_content([Hdu("", columns)]))
        for name in ("phase", "norm"):
            self.rest.pop(name, None)

    def _remarks(self) -> list[tuple[str, str]]:
        if "_turn" not in self.__dict__:
            return []
        how = f"divided by their mean over a turn, {self._turn.sums[-1]:.4g}" if self.normalize else "as they are given"
        return [("Norms", how)]

    def plot_phasogram(self, ax: Axes | None = None, n_points: int = 100, **style: Any) -> Axes:
        """Draw one turn; ``style`` is passed to ``Axes.plot``."""
        phase, lines = np.linspace(0.0, 1.0, n_points), self.lines
        return plot_spectrum.plot_factor(phase, lines(lines.x[0] + (phase - lines.x[0]) % 1.0), "Phase", ax, **style)


def _is_flag(value: Any, owner: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{owner}.normalize: expected true or false, got {value!r}.")
    return value


def _phases(table: Any, owner: str) -> tuple[FloatArray, FloatArray]:
    """Return phases and norms of a table; raises ``ConfigError`` for phases outside of a turn."""
    columns = astropy.table.Table(dict(table)) if isinstance(table, Mapping) else table
    phase, norm = (_column(columns, name, owner).to_value("") for name in ("PHASE", "NORM"))
    if np.nanmin(phase, initial=0.0) < 0 or np.nanmax(phase, initial=0.0) > 1:
        raise ConfigError(
            f"{owner}: expected phases from 0 to 1, got {np.nanmin(phase):g} to {np.nanmax(phase):g}; give them as "
            "fractions of a turn."
        )
    _lines(phase, norm, owner)
    return phase, norm


def _turns(seconds: FloatArray, values: Mapping[str, float]) -> FloatArray:
    f0, f1, f2 = (values[name] for name in ("f0", "f1", "f2"))
    return np.asarray(values["phi_ref"] + seconds * (f0 + seconds / 2.0 * (f1 + seconds / 3.0 * f2)))


def _frequency(seconds: FloatArray, values: Mapping[str, float]) -> FloatArray:
    return np.asarray(values["f0"] + seconds * (values["f1"] + seconds / 2.0 * values["f2"]))
