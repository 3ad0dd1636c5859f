"""Whether a store is sound: its bytes, and whether the products of an analysis agree with each other.

A sample of rows can be reduced again from the events in the store and compared bit for bit.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from xgamma import schema
from xgamma.errors import DataError, StoreError
from xgamma.execute import progress_bar
from xgamma.ingest.part import STEP_VERSION
from xgamma.ingest.release import part_key
from xgamma.ingest.stored import stored_versions
from xgamma.schema import Kind
from xgamma.schema.tables import is_of_type
from xgamma.store import Record, Store, digest
from xgamma.store.integrity import Fault, check_labels, check_product, read_contents, record_fault
from xgamma.upkeep.recompute import NO_RUN, Recomputed, StoredRow, recomputed, run_of_row

NO_SUM = "their records are of xgamma 0.1.0, which did not write down a sum of the metadata"
NO_ROWS = "the store does not hold all of their rows"


@dataclass
class VerifyReport:
    """What was verified, and what was not.

    Parameters
    ----------
    products, nbytes
        How many products were read, and the size of their arrays.
    faults
        All that is wrong.
    unpublished
        Attempts without a record, which are no products.
    metadata, metadata_unknown
        How many products have the metadata that their record says, or not, and how many it says nothing of, by reason.
    ledgers
        Rows and stacks whose ledger was compared with the events read.
    ledgers_unknown
        How many were not, by reason.
    rows
        All rows of reductions.
    again
        The rows that were reduced again.
    """

    products: int = 0
    nbytes: int = 0
    faults: list[Fault] = field(default_factory=list)
    unpublished: tuple[str, ...] = ()
    metadata: int = 0
    metadata_unknown: Counter[str] = field(default_factory=Counter)
    ledgers: int = 0
    ledgers_unknown: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    again: Recomputed = field(default_factory=Recomputed)


@dataclass
class _Seen:
    """What is known of the products that were read so far.

    ``runs`` are the places of each version of a run by id and run key, ``events`` the events of the runs of a part,
    ``damaged`` the keys of parts with faults; ``rows`` the rows, ``ledgers`` the events in their ledgers by row key.
    """

    events: dict[str, np.ndarray] = field(default_factory=dict)
    runs: dict[int, dict[str, tuple[str, int]]] = field(default_factory=dict)
    damaged: set[str] = field(default_factory=set)
    ledgers: dict[str, np.ndarray] = field(default_factory=dict)
    rows: list[StoredRow] = field(default_factory=list)


def verify(store: Store, sample: int = 0, seed: int | None = None) -> VerifyReport:
    """Read a whole store and return what is wrong with it; nothing is written.

    Parameters
    ----------
    store
        Where the products are.
    sample
        How many rows are reduced again, drawn at random from those whose recipe and run the store holds.
    seed
        Of the draw; ``None`` draws other rows each time.

    Returns
    -------
    Report
        The faults, and how much was looked at.

    Examples
    --------
    >>> verify(Store("memory://")).faults
    []
    """
    contents = read_contents(store)
    report = VerifyReport(len(contents.records), sum(record.nbytes for record in contents.records))
    report.faults += contents.faults
    report.unpublished = contents.unpublished
    report.metadata = sum(record.metadata != "" for record in contents.records)
    report.metadata_unknown.update(NO_SUM for record in contents.records if record.metadata == "")
    seen = _Seen()
    # Runs, then rows, then their stacks: what a product is compared with has been read.
    first: dict[str, int] = {Kind.DL3: 0, Kind.ROWS: 1}
    order = sorted(contents.records, key=lambda record: (first.get(record.kind, 2), record.key))
    with progress_bar("Verifying", len(order)) as advance:
        for record in order:
            report.faults += _product_faults(store, record, seen, report)
            advance()
    report.faults += check_labels(store, contents.records)
    report.faults += _tag_faults(store, seen)
    if sample > 0:
        records = {record.key: record for record in contents.records if record.kind in (Kind.DL3, Kind.ROWS)}
        random = np.random.default_rng(seed)
        report.again = recomputed(store, records, seen.rows, frozenset(seen.damaged), sample, random)
        differ = [record_fault(store, Kind.ROWS, key, message, "recomputed") for key, message in report.again.differ]
        report.faults += differ
    return report


def _product_faults(store: Store, record: Record, seen: _Seen, report: VerifyReport) -> list[Fault]:
    """Return what is wrong with one product, by itself and beside those that were ``seen``."""
    checked = check_product(store, record)
    if checked.faults and record.kind == Kind.DL3:
        seen.damaged.add(record.key)
    if checked.root is None:
        return checked.faults
    checks: dict[str, Check] = {Kind.DL3: _check_part, Kind.ROWS: _check_rows, Kind.STACK: _check_stack}
    check = checks.get(record.kind)
    found = [] if check is None else _messages(check, record, checked.root, seen, report)
    return checked.faults + [record_fault(store, record.kind, record.key, text, what) for what, text in found]


Found = Iterator[tuple[str, str]]
Check = Callable[[Record, xr.Dataset, _Seen, VerifyReport], Found]


def _messages(
    check: Check, record: Record, root: xr.Dataset, seen: _Seen, report: VerifyReport
) -> list[tuple[str, str]]:
    try:
        return list(check(record, root, seen, report))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        # The digests hold, so it is the texts of the record that do not fit.
        return [("record", f"The record does not fit what the product holds: {type(error).__name__}: {error}.")]


def _check_part(record: Record, obs: xr.Dataset, seen: _Seen, report: VerifyReport) -> Found:
    runs = [(int(run["obs_id"]), str(run["run_key"])) for run in record.texts["runs"]]
    release, run_keys = str(record.texts["release"]), [key for _, key in runs]
    keys = [part_key(version, release, run_keys) for version in range(1, STEP_VERSION + 1)]
    if obs["obs_id"].values.tolist() != [obs_id for obs_id, _ in runs]:
        yield "record", "The runs that the record names are not those of the table of runs."
    elif not record.supersedes and record.key not in keys:
        yield "record", "The key is not that of the runs which the record names."
    else:
        seen.events[record.key] = obs["event_size"].values
        for number, (obs_id, key) in enumerate(runs):
            seen.runs.setdefault(obs_id, {})[key] = (record.key, number)


def _check_rows(record: Record, rows: xr.Dataset, seen: _Seen, report: VerifyReport) -> Found:
    yield from _schema_faults(rows)
    names, keys = rows["dataset"].values.tolist(), list(record.texts["rows"])
    if len(keys) != len(names) or (not record.supersedes and record.key != digest(keys)):
        yield "record", "The rows that the record names are not those of its key."
        return
    if record.texts["recipe"] != digest(record.provenance["recipe"]):
        yield "record", "The recipe in the record is not the one that the rows were made by."
        return
    report.rows += len(keys)
    totals = rows["ledger"].values.sum(axis=-1)
    for number, key in enumerate(keys):
        versions = seen.runs.get(int(rows["obs_id"].values[number]), {})
        found = run_of_row(str(record.texts["recipe"]), key, rows["interval"].values[number], versions)
        part, obs = (None, -1) if found is None else found
        seen.rows.append(StoredRow(record.key, number, part, obs))
        seen.ledgers[key] = totals[number]
        if part is None:
            report.ledgers_unknown[NO_RUN] += 1
            continue
        report.ledgers += 1
        read = int(seen.events[part][obs])
        if (totals[number] != read).any():
            total = _numbers(totals[number])
            yield "ledger", f"The ledger of row {names[number]!r} adds up to {total} events, its run has {read}."


def _check_stack(record: Record, stack: xr.Dataset, seen: _Seen, report: VerifyReport) -> Found:
    yield from _schema_faults(stack)
    if not all(key in seen.ledgers for key in record.inputs):
        report.ledgers_unknown[NO_ROWS] += 1
        return
    report.ledgers += 1
    expected = np.sum([seen.ledgers[key] for key in record.inputs], axis=0)
    total = stack["ledger"].values.sum(axis=(0, -1))
    if (total != expected).any():
        yield "ledger", f"The ledger adds up to {_numbers(total)} events, those of its rows to {_numbers(expected)}."


def _numbers(values: np.ndarray) -> str:
    return ", ".join(str(value) for value in values.tolist())


def _schema_faults(ds: xr.Dataset) -> Found:
    try:
        schema.validate(ds)
    except DataError as error:
        yield "schema", str(error)


def _tag_faults(store: Store, seen: _Seen) -> Iterator[Fault]:
    try:
        tags = store.tags()
    except StoreError:  # a tag that is no JSON has its fault already
        return
    for name, content in tags.items():
        runs = content.get("runs", {})
        if not is_of_type(runs, "mapping of mapping of text"):  # the same
            continue
        held = {str(obs_id): set(versions) for obs_id, versions in seen.runs.items()}
        if any(key not in held.get(obs_id, ()) for each in runs.values() for obs_id, key in each.items()):
            # Runs may have been ingested while the others were read; a record that is damaged has its fault already.
            with contextlib.suppress(StoreError):
                held = {str(obs_id): set(versions) for obs_id, versions in stored_versions(store).items()}
        lost = [obs_id for each in runs.values() for obs_id, key in each.items() if key not in held.get(obs_id, ())]
        if lost:
            yield Fault(
                f"_tags/{name}.json",
                "label",
                f"Of {len(lost)} runs the store does not hold the version that was tagged: {', '.join(lost[:5])}.",
                "Ingest those files again, or tag the store anew.",
            )
