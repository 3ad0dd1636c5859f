"""Rows of a store beside what an installed Gammapy makes of the same FITS files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xgamma import bridges
from xgamma.errors import XgammaError
from xgamma.execute import progress_bar
from xgamma.formats.fits.regions import read_mask
from xgamma.geometry import separation
from xgamma.ingest.release import FitsRelease
from xgamma.ingest.stored import Origin, StoredRun, stored_versions
from xgamma.outcome import Outcome
from xgamma.reduce import select_rows
from xgamma.reduce.safe_mask import KIND as SAFE_MASK
from xgamma.registry import built_in
from xgamma.schema import Kind
from xgamma.store import Record, Store, digest
from xgamma.times import time_from_seconds
from xgamma.upkeep.recompute import NO_RUN, OTHER_VERSION, run_of_row

NOT_USED = "they are not used, of which Gammapy keeps no row"
NO_COUNTERPART = "Gammapy does not have their background or their safe mask"
OTHER_WAY = "Gammapy does not reduce several on-regions at once, or average energy dispersions over one"
OF_MAPS = "they are maps, which are not handed to Gammapy"
AT_POSITION = "their safe masks look at a position, which is not handed to Gammapy"
NO_MASK = "they have an exclusion mask, of which only the digest is recorded; give its file"
OTHER_MASK = "their exclusion mask is not the one that was given"
NO_PLACE = "where their FITS files were is not recorded; give the datastore"
NO_FILES = "their FITS files are not where they were; give the datastore"
OTHER_FILES = "their FITS files are not those that were ingested"
RELATIVE_LIMIT = 1e-6
ANGLE_LIMIT = 1e-6
# What Gammapy raises for a run that it cannot reduce is not documented.
NOT_REDUCED = (XgammaError, ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Quantity:
    """A number that is compared: how, and up to where both may differ."""

    name: str
    how: str
    limit: float


QUANTITIES = (
    Quantity("counts", "difference", 0.0),
    Quantity("counts_off", "difference", 0.0),
    Quantity("acceptance", "difference", 0.0),
    Quantity("acceptance_off", "difference", 0.0),
    Quantity("off regions", "degrees", ANGLE_LIMIT),
    Quantity("mask_safe", "bins", 0.0),
    Quantity("exposure", "relative", RELATIVE_LIMIT),
    Quantity("exposure_edisp", "relative", RELATIVE_LIMIT),
    # Probabilities: below 1e-8 Gammapy takes them for 0, which is much of a row that holds little.
    Quantity("edisp", "difference", RELATIVE_LIMIT),
    Quantity("livetime", "relative", RELATIVE_LIMIT),
    Quantity("ontime", "relative", RELATIVE_LIMIT),
)


@dataclass(frozen=True)
class Deviation:
    """The largest deviation of one quantity, and the row that has it."""

    quantity: Quantity
    largest: float
    row: str

    @property
    def is_too_large(self) -> bool:
        """Whether it exceeds the limit; what is not a number does."""
        return not self.largest <= self.quantity.limit


@dataclass
class Comparison:
    """What was compared with which version of Gammapy, and what was not.

    Parameters
    ----------
    version
        Of Gammapy.
    rows
        All rows of reductions in the store.
    compared
        The names of those that were reduced by Gammapy.
    deviations
        The largest of each quantity.
    refused
        Rows of ours that Gammapy could not reduce: name and its words.
    impossible
        How many could not be compared, by reason.
    """

    version: str
    rows: int = 0
    compared: list[str] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    impossible: Counter[str] = field(default_factory=Counter)

    @property
    def agrees(self) -> bool:
        """Whether Gammapy reduced all that it was asked to, and no deviation exceeds its limit."""
        return not self.refused and not any(deviation.is_too_large for deviation in self.deviations)


@dataclass(frozen=True)
class _Candidate:
    """A row of a product, its run, and the release that holds the files of the run."""

    product: str
    number: int
    name: str
    obs_id: int
    release: FitsRelease


def compare_with_gammapy(
    store: Store,
    sample: int,
    seed: int | None = None,
    datastore: Path | None = None,
    exclusion: Path | None = None,
) -> Comparison:
    """Reduce a sample of rows with Gammapy, from the FITS files that their runs were ingested from.

    Parameters
    ----------
    store
        Where the rows are.
    sample
        How many are drawn at random, from those that can be compared.
    seed
        Of the draw; ``None`` draws other rows each time.
    datastore
        Where the FITS files are; by default where they were when they were ingested.
    exclusion
        The file of the exclusion mask of the rows.

    Raises
    ------
    ConfigError
        When Gammapy is not installed.
    MissingInputError, InputError
        When the exclusion mask cannot be read.
    """
    gammapy = bridges.reduction
    result = Comparison(gammapy.VERSION)
    mask_digest = None if exclusion is None else read_mask(exclusion).digest
    records = {record.key: record for record in store.records(Kind.ROWS)}
    possible = list(_candidates(store, records.values(), datastore, mask_digest, result))
    random = np.random.default_rng(seed)
    chosen = sorted(random.choice(len(possible), min(sample, len(possible)), replace=False).tolist())
    mask = None if exclusion is None else gammapy.read_exclusion(exclusion)
    open_release = cache(gammapy.open_data_store)
    found: dict[str, list[tuple[float, str]]] = {quantity.name: [] for quantity in QUANTITIES}
    with progress_bar("Reducing with Gammapy", len(chosen)) as advance:
        for candidate in (possible[number] for number in chosen):
            recipe = records[candidate.product].provenance["recipe"]
            for name, deviation in _compared(store, candidate, recipe, mask, open_release, result).items():
                found[name].append((deviation, candidate.name))
            advance()
    worst = [Deviation(quantity, *_worst(found[quantity.name])) for quantity in QUANTITIES if found[quantity.name]]
    result.deviations = worst
    return result


def _compared(
    store: Store,
    candidate: _Candidate,
    recipe: Mapping[str, Any],
    mask: Any,
    open_release: Callable[..., Any],
    result: Comparison,
) -> dict[str, float]:
    """Return the deviations of one row, none where Gammapy cannot reduce it; what became of it enters ``result``."""
    ours = select_rows(store.open(Kind.ROWS, candidate.product), [candidate.number]).load()
    used = None if recipe["exclusion"] is None else mask
    if "://" in candidate.release.place:
        result.refused.append((candidate.name, "Gammapy reads releases on disks only; copy it and give --datastore"))
        return {}
    try:
        release = open_release(Path(candidate.release.place), **candidate.release.names.given)
        theirs = bridges.reduction.reduced_by_gammapy(release, _piece(candidate, ours), recipe, used)
    except NOT_REDUCED as error:
        result.refused.append((candidate.name, f"{type(error).__name__}: {error}"))
        return {}
    result.compared.append(candidate.name)
    return deviations(ours, theirs)


def _worst(found: Sequence[tuple[float, str]]) -> tuple[float, str]:
    return max(found, key=lambda one: np.nan_to_num(one[0], nan=np.inf))


def _piece(candidate: _Candidate, row: xr.Dataset) -> Any:
    start, stop = row["interval"].values[0]
    bounds = (np.nan_to_num([start, stop], neginf=-1e12, posinf=1e12)).tolist()
    is_cut = bool(np.isfinite([start, stop]).any())
    interval = time_from_seconds(np.array(bounds), float(row.attrs["mjdref"])) if is_cut else None
    return bridges.reduction.RunPiece(candidate.name, candidate.obs_id, interval)


def _candidates(
    store: Store, records: Iterable[Record], datastore: Path | None, mask: str | None, result: Comparison
) -> Iterator[_Candidate]:
    """Yield the rows that can be compared; the others are counted in ``result`` by reason."""
    versions = stored_versions(store)
    places = _Releases(store, datastore)
    for record in records:
        rows = store.open(Kind.ROWS, record.key)
        names, obs_ids = rows["dataset"].values.tolist(), rows["obs_id"].values.tolist()
        outcome, interval = rows["outcome"].values, rows["interval"].values
        result.rows += len(names)
        unknown = _unknown_recipe(record, mask)
        for number, row_key in enumerate(record.texts["rows"]):
            run = run_of_row(str(record.texts["recipe"]), row_key, interval[number], versions.get(obs_ids[number], {}))
            reason = unknown or (NOT_USED if outcome[number] != Outcome.USED else NO_RUN if run is None else None)
            release = places.release_of(obs_ids[number], run) if run is not None and reason is None else reason
            if isinstance(release, FitsRelease):
                yield _Candidate(record.key, number, names[number], obs_ids[number], release)
            else:
                result.impossible[str(release)] += 1


def _unknown_recipe(record: Record, mask: str | None) -> str | None:
    """Return why rows cannot be reduced by their recipe, ``None`` where they can."""
    document = record.provenance["recipe"]
    if digest(document) != record.texts["recipe"]:
        return OTHER_VERSION
    if document["space"]["type"] != "RegionSpace":
        return OF_MAPS
    if "safe_position" in document:
        return AT_POSITION
    if set(document["background"] or {}) - {"reflected", "wobble"} or set(document["safe_masks"]) - set(
        built_in(SAFE_MASK)
    ):
        return NO_COUNTERPART
    if len(document["space"]["regions"]) > 1 or not document.get("use_region_center", True):
        return OTHER_WAY
    if document["exclusion"] is None:
        return None
    return NO_MASK if mask is None else OTHER_MASK if mask != document["exclusion"] else None


class _Releases:
    """Which release holds the files of a run, and whether they are still those that were ingested."""

    def __init__(self, store: Store, datastore: Path | None) -> None:
        self._store = store
        self._given = datastore
        self._releases: dict[Origin, FitsRelease | None] = {}

    def release_of(self, obs_id: int, run: StoredRun) -> FitsRelease | str:
        """Return the release, or why there is none."""
        provenance = self._store.record(Kind.DL3, run.part).provenance
        if self._given is None and "datastore" not in provenance:
            return NO_PLACE
        origin = Origin(str(self._given)) if self._given else Origin.of(provenance)
        if origin not in self._releases:
            self._releases[origin] = _release_at(origin)
        release = self._releases[origin]
        if release is None or obs_id not in release.index.runs:
            return NO_FILES
        keys = release.run_keys(obs_id, self._store)
        return release if run.run_key in keys else OTHER_FILES if keys else NO_FILES


def _release_at(origin: Origin) -> FitsRelease | None:
    path = Path(origin.datastore)
    return FitsRelease(path.name, path, origin.names) if path.exists() else None


def deviations(ours: xr.Dataset, theirs: xr.Dataset) -> dict[str, float]:
    """Return the largest deviation of each quantity that one of two rows has, by its name."""
    found = {}
    for quantity in QUANTITIES:
        if quantity.name == "off regions":
            if "off_lon" in ours or "off_lon" in theirs:
                found[quantity.name] = _off_distance(ours, theirs)
        elif quantity.name in ours or quantity.name in theirs:
            found[quantity.name] = _deviation(quantity.how, ours.get(quantity.name), theirs.get(quantity.name))
    return found


def _deviation(how: str, ours: xr.DataArray | None, theirs: xr.DataArray | None) -> float:
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return np.inf
    one, other = ours.values.astype(float), theirs.values.astype(float)
    difference = np.abs(one - other)
    if how in ("difference", "bins"):
        return float(difference.sum() if how == "bins" else difference.max())
    scale = np.maximum(np.abs(one), np.abs(other))
    return float(np.max(np.where(difference == 0, 0.0, difference / np.where(scale == 0, 1.0, scale))))


def _off_distance(ours: xr.Dataset, theirs: xr.Dataset) -> float:
    """Return the largest distance of an off region to its counterpart in degrees, infinite for other numbers."""
    if "off_lon" not in ours or "off_lon" not in theirs or ours["off_lon"].shape != theirs["off_lon"].shape:
        return np.inf
    places = [ds[f"off_{part}"].values for ds in (ours, theirs) for part in ("lon", "lat")]
    if not np.array_equal(np.isnan(places[0]), np.isnan(places[2])):
        return np.inf
    return float(np.nanmax(separation(*places)))
