"""What is simulated, as frozen values: a ``Source`` or models, an ``AnalyticResponse`` and the ``Plan`` of the runs.

The document is the model: ``plan_document`` writes what ``plan_from_document`` reads, with units, and the same document
stands in a catalogue file and beside every simulated release.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.formats.yaml_documents import read_yaml
from xgamma.geometry import destination
from xgamma.simulate.documents import choice, count, document_of, from_document, normalize_fields, quantity
from xgamma.simulate.truth import validated_models

# 2001-01-01T00:00:00 UTC in TT, the reference epoch of the releases in use.
MJDREFI, MJDREFF = 51910, 64.184 / 86400
MJD_ZERO = np.datetime64("1858-11-17T00:00:00", "ms")
SECONDS_PER_DAY = 86400.0


def power_law(index: float = 2.6, amplitude: float = 3.5e-11, reference: float = 1.0) -> dict[str, Any]:
    """Return the model document of a power law of an ``index``; amplitude in cm-2 s-1 TeV-1 at ``reference`` in TeV."""
    return {
        "type": "PowerLawSpectralModel",
        "parameters": [
            {"name": "index", "value": index},
            {"name": "amplitude", "value": amplitude, "unit": "cm-2 s-1 TeV-1"},
            {"name": "reference", "value": reference, "unit": "TeV", "frozen": True},
        ],
    }


@dataclass(frozen=True)
class Source:
    """A source of gamma rays: a point, or a Gaussian of width ``sigma``.

    Parameters
    ----------
    name
        The name of the source and of its model.
    lon, lat
        ICRS position in deg.
    sigma
        Width in deg; 0 is a point.
    spectral
        The document of a spectral model, as a models file has it, or the model itself; see ``power_law``.
    """

    name: str = "crab"
    lon: float = quantity(83.633, "deg")
    lat: float = quantity(22.014, "deg", minimum=-90.0)
    sigma: float = quantity(0.0, "deg", minimum=0.0)
    spectral: Any = field(default_factory=power_law)

    def __post_init__(self) -> None:
        normalize_fields(self, "source")
        if self.lat > 90:
            raise ConfigError(f"source.lat: expected at most 90 deg, got {self.lat} deg.")
        if not isinstance(self.spectral, Mapping):
            object.__setattr__(self, "spectral", self.spectral.to_dict()["spectral"])


@dataclass(frozen=True)
class AnalyticResponse:
    """An analytic instrument; energies in TeV, angles in deg. Its formulas are in ``xgamma.simulate.responses``.

    Parameters
    ----------
    enclosure
        ``full-enclosure``, or ``point-like``: the effective area then counts what falls within ``rad_max``.
    rad_max
        The radius of the directional cut, at 1 TeV if it is a table.
    rad_max_2d
        Whether a point-like cut depends on energy and is a table instead of a keyword.
    psf, psf_sigma
        The HDU class of the point spread function and the width of its core at 1 TeV.
    background, background_rate, background_index, background_width
        The HDU class, events per second in the field of view and all energies, spectral index, Gaussian width.
    background_turn
        The energy in TeV below which there is less background than its power law says; 0 for none.
    background_drawn
        Whether background events are drawn from the ``formula``, or from the ``table`` as readers interpolate it.
    background_gradient, fov_alignment
        By how much the logarithm of a ``bkg_3d`` rate grows for each deg northward in the field of view, and whether
        that lies along ``RADEC`` or turns on the sky with ``ALTAZ``.
    energy_min, energy_max, energy_bins, offset_max
        The axes of the tables.
    area, area_energy, area_width
        Effective area in m2 at high energies on axis, the energy where half of it is left, Gaussian width in offset.
    bias, resolution
        Mean and width of ln(reconstructed / true energy) at 1 TeV.
    lo_thres, hi_thres
        The safe energy range in the header of the effective area.
    """

    enclosure: str = choice("full-enclosure", "point-like")
    rad_max: float = quantity(0.11, "deg", above=0.0)
    rad_max_2d: bool = field(default=False)
    psf: str = choice("psf_table", "psf_3gauss", "psf_king")
    psf_sigma: float = quantity(0.05, "deg", above=0.0)
    background: str = choice("bkg_3d", "bkg_2d")
    background_rate: float = quantity(3.6, "s-1", minimum=0.0)
    background_index: float = field(default=2.7)
    background_width: float = quantity(1.8, "deg", above=0.0)
    background_turn: float = quantity(0.5, "TeV", minimum=0.0, added=True)
    background_drawn: str = choice("formula", "table", added=True)
    background_gradient: float = quantity(0.0, "deg-1", added=True)
    fov_alignment: str = choice("RADEC", "ALTAZ", added=True)
    energy_min: float = quantity(0.05, "TeV", above=0.0)
    energy_max: float = quantity(100.0, "TeV", above=0.0)
    energy_bins: int = count(48, minimum=4)
    offset_max: float = quantity(2.5, "deg", above=0.0)
    area: float = quantity(7.0e5, "m2", above=0.0)
    area_energy: float = quantity(2.0, "TeV", above=0.0)
    area_width: float = quantity(1.8, "deg", above=0.0)
    bias: float = field(default=0.02)
    resolution: float = field(default=0.15, metadata={"above": 0.0})
    lo_thres: float = quantity(0.4, "TeV", minimum=0.0)
    hi_thres: float = quantity(100.0, "TeV", above=0.0)

    def __post_init__(self) -> None:
        normalize_fields(self, "response")
        if not self.energy_min < self.energy_max:
            raise ConfigError(
                f"response: expected energy_min < energy_max, got {self.energy_min} and {self.energy_max} TeV."
            )
        if self.background == "bkg_2d" and (self.background_gradient or self.fov_alignment == "ALTAZ"):
            raise ConfigError("response.background: expected bkg_3d, as a gradient or ALTAZ needs two coordinates.")


@dataclass(frozen=True)
class Plan:
    """A simulated release: which runs, of what, with which instrument, from which seed.

    Parameters
    ----------
    name, telescope
        The name of the release, and TELESCOP in its headers.
    seed
        Run k draws from (seed, k): it does not change when there are more runs.
    runs, first_obs_id
        Number of runs and the observation id of the first.
    wobble, wobble_angles
        Offset of the pointings from the target, in deg, and its position angles (north through east), taken in turn.
    duration, intervals, gap
        Good time of a run in s, into how many intervals it is cut, and the time lost between two of them.
    dead_time
        Fraction of the good time in which the instrument is blind to gamma rays (1 - DEADC).
    start, runs_per_night, slew
        When the first run starts (ISO, in TT), runs in a night, seconds between two runs.
    efficiencies
        Factors on effective area and background, taken in turn by the runs.
    zenith
        The zenith angle written in headers, in deg; responses do not depend on it.
    compress
        Whether run files are gzipped.
    share_irfs
        Whether all runs refer to one file of responses (one for each efficiency) instead of having a copy each.
    source, response
        What shines and what sees it. The pointings lie about the position of the source.
    models
        Several sources of any shape, which shine instead of ``source``: ``Models``, their document, or the path of its
        file. Each has a spatial model and is constant in time.

    Examples
    --------
    >>> Plan(runs=2, duration=600.0).run(1).obs_id
    2
    """

    name: str = "simulated-crab"
    telescope: str = "XGAMMA-SIM"
    seed: int = count(2, minimum=0)
    runs: int = count(6, minimum=1)
    first_obs_id: int = count(1, minimum=0)
    wobble: float = quantity(0.5, "deg", minimum=0.0)
    wobble_angles: tuple[float, ...] = field(default=(0.0, 180.0, 90.0, 270.0), metadata={"each": "deg"})
    duration: float = quantity(1680.0, "s", above=0.0)
    intervals: int = count(1, minimum=1)
    gap: float = quantity(10.0, "s", above=0.0)
    dead_time: float = field(default=0.06, metadata={"minimum": 0.0})
    start: str = "2024-12-10T21:30:00"
    runs_per_night: int = count(12, minimum=1)
    slew: float = quantity(120.0, "s", minimum=0.0)
    efficiencies: tuple[float, ...] = field(default=(1.0,), metadata={"each": ""})
    zenith: float = quantity(46.0, "deg", minimum=0.0)
    compress: bool = field(default=True)
    share_irfs: bool = field(default=False)
    source: Source = field(default_factory=Source)
    response: AnalyticResponse = field(default_factory=AnalyticResponse)
    models: Any = field(default=None, metadata={"added": True})

    def __post_init__(self) -> None:
        normalize_fields(self, "simulation")
        if self.models is not None:
            object.__setattr__(self, "models", validated_models(self.models, "simulation.models"))
        object.__setattr__(self, "start", _iso(self.start))
        if not self.dead_time < 1:
            raise ConfigError(f"simulation.dead_time: expected a fraction below 1, got {self.dead_time}.")
        if min(self.efficiencies) <= 0:
            raise ConfigError(f"simulation.efficiencies: expected factors above 0, got {self.efficiencies}.")
        if self.runs_per_night * (self.elapsed + self.slew) > SECONDS_PER_DAY:
            raise ConfigError(
                f"simulation.runs_per_night: {self.runs_per_night} runs of {self.elapsed:g} s and slews of "
                f"{self.slew:g} s are longer than a day. Take fewer runs or shorter ones."
            )

    @property
    def elapsed(self) -> float:
        """Seconds from the start of a run to its end."""
        return self.duration + (self.intervals - 1) * self.gap

    @cached_property
    def first_start(self) -> float:
        """Start of the first run in s since the reference epoch."""
        days, rest = divmod(int((np.datetime64(self.start, "ms") - MJD_ZERO).astype(np.int64)), 86_400_000)
        return (days - MJDREFI) * SECONDS_PER_DAY + rest / 1000 - MJDREFF * SECONDS_PER_DAY

    def run(self, number: int) -> PlannedRun:
        """Return run ``number``, counted from 0: pointing, good time, efficiency."""
        night, slot = divmod(number, self.runs_per_night)
        start = self.first_start + night * SECONDS_PER_DAY + slot * (self.elapsed + self.slew)
        length = self.duration / self.intervals
        starts = start + np.arange(self.intervals) * (length + self.gap)
        angle = self.wobble_angles[number % len(self.wobble_angles)]
        lon, lat = destination(self.source.lon, self.source.lat, angle, self.wobble)
        return PlannedRun(
            number=number,
            obs_id=self.first_obs_id + number,
            lon=float(lon),
            lat=float(lat),
            gti=np.stack([starts, starts + length], axis=1),
            dead_time=self.dead_time,
            efficiency=self.efficiencies[number % len(self.efficiencies)],
        )

    def generator(self, number: int) -> np.random.Generator:
        """Return the generator that the events of run ``number`` are drawn with."""
        # Seeded by number, not spawned in a row: a run stays the same when there are more of them.
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))


@dataclass(frozen=True, eq=False)
class PlannedRun:
    """One run of a plan.

    Parameters
    ----------
    number, obs_id
        Its number in the plan, from 0, and its observation id.
    lon, lat
        The pointing in deg (ICRS).
    gti
        Good time in s since the reference epoch, shape (n, 2).
    dead_time, efficiency
        The fraction of time that is dead, and the factor on the effective area.
    """

    number: int
    obs_id: int
    lon: float
    lat: float
    gti: FloatArray
    dead_time: float
    efficiency: float

    @property
    def ontime(self) -> float:
        """Good time in s."""
        return float(np.diff(self.gti, axis=1).sum())

    @property
    def livetime(self) -> float:
        """Good time without the dead time, in s."""
        return self.ontime * (1.0 - self.dead_time)


def _iso(start: str) -> str:
    try:
        time = datetime.fromisoformat(start)
    except ValueError:
        time = datetime.min.replace(tzinfo=UTC)
    if time.tzinfo is not None:
        raise ConfigError(
            f"simulation.start: expected a time in TT without a zone, such as '2024-12-10T21:30:00', got {start!r}."
        )
    return time.isoformat()


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain text and numbers, with units."""
    return document_of(plan)


def plan_from_document(document: Any, where: str = "simulation") -> Plan:
    """Return the plan that a document declares; what it leaves out has its default. Errors begin with ``where``.

    Raises
    ------
    ConfigError
        For a key that is not known, a wrong type, unit or range, with the path of the key.
    """
    return from_document(Plan, document, where)


def read_plan(path: str | Path) -> Plan:
    """Read a plan from the key ``simulation`` of the file at ``path``: a catalogue, or the ``truth.yaml`` of a release.

    Its ``models`` may name a file, relative to the folder of the plan.

    Raises
    ------
    MissingInputError, InputError
        When there is no such file, or it is no file of text.
    ConfigError
        When it declares no simulation, or one that cannot be honoured.
    """
    document = read_yaml(Path(path), "simulation plan")
    if not isinstance(document, Mapping) or "simulation" not in document:
        raise ConfigError(f"{path} declares no simulation: expected a mapping with the key 'simulation'.")
    declared = document["simulation"]
    if isinstance(declared, Mapping) and isinstance(declared.get("models"), str):
        declared = {**declared, "models": Path(path).parent / declared["models"]}
    return plan_from_document(declared)
