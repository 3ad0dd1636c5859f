"""``xgamma verify``: whether a store is sound, and its rows those that Gammapy makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import click

from xgamma.cli.console import (
    examples,
    json_option,
    print_facts,
    print_json,
    print_table,
    size_text,
    some,
)
from xgamma.cli.places import PlaceType, opened_store, store_argument
from xgamma.errors import ConfigError, ExitCode, MissingInputError
from xgamma.formats.local_files import local_path
from xgamma.store import Store
from xgamma.upkeep.against_gammapy import Comparison, compare_with_gammapy
from xgamma.upkeep.verify import VerifyReport, verify

# Some seconds of Gammapy.
GAMMAPY_SAMPLE = 5
HINT = "Where xgamma departs from Gammapy on purpose is in the documentation: decisions, number 4."


@click.command(
    "verify",
    epilog=examples(
        "xgamma verify store",
        "xgamma verify store --sample 20",
        "xgamma verify store --against gammapy --datastore $GAMMAPY_DATA/hess-dl3-dr1",
    ),
)
@store_argument
@click.option("--sample", type=click.IntRange(min=0), metavar="N", help="Reduce N rows again and compare.")
@click.option(
    "--against",
    type=click.Choice(["gammapy"]),
    help="Compare N rows with what Gammapy makes of their runs.",
)
@click.option(
    "--datastore",
    metavar="PATH",
    type=PlaceType(),
    help="Where the FITS files are, if not where they were ingested from.",
)
@click.option(
    "--exclusion",
    metavar="FILE",
    type=PlaceType(),
    help="The exclusion mask of the rows, which the store does not hold.",
)
@json_option
def verify_command(
    store: str,
    sample: int | None,
    against: str | None,
    datastore: str | None,
    exclusion: str | None,
    as_json: bool,
) -> ExitCode:
    """Read all of STORE, compare it with its records, and say what is wrong and what to do; writes nothing.

    Compared are the metadata, the digest of every group, the schema of spectra, and ledgers with the events read; with
    --sample also rows drawn at random with what their runs give now, bit for bit. Exit code 6 when something is wrong.

    With --against gammapy rows drawn at random (N is 5 by default) are compared instead with what the installed
    Gammapy makes of the FITS files of their runs, and the largest deviations are printed. Exit code 6 when counts,
    acceptances, numbers of off regions or masks differ, another deviation is above 1e-6, or Gammapy cannot reduce a
    row; 3 when nothing could be compared.
    """
    place = opened_store(store)
    if against is not None:
        return _against_gammapy(place, GAMMAPY_SAMPLE if sample is None else sample, datastore, exclusion, as_json)
    unused = [name for name, value in (("--datastore", datastore), ("--exclusion", exclusion)) if value is not None]
    if unused:
        raise ConfigError(f"{unused[0]} is read with --against gammapy only; add that, or leave it out.")
    report = verify(place, sample or 0)
    if as_json:
        print_json(_report_document(place.url, report))
    else:
        _print_report(store, report, sample or 0)
    return ExitCode.FAULT if report.faults else ExitCode.DONE


def _report_document(url: str, report: VerifyReport) -> dict[str, object]:
    return {
        "store": url,
        "sound": not report.faults,
        "faults": [dataclasses.asdict(fault) for fault in report.faults],
        "products": report.products,
        "bytes": report.nbytes,
        "metadata": {"compared": report.metadata, "not_compared": dict(report.metadata_unknown)},
        "ledgers": {"compared": report.ledgers, "not_compared": dict(report.ledgers_unknown)},
        "rows": report.rows,
        "recomputed": {"compared": report.again.count, "not_possible": dict(report.again.impossible)},
        "attempts_without_record": list(report.unpublished),
    }


def _print_report(store: str, report: VerifyReport, sample: int) -> None:
    facts = {
        "products": f"{report.products}, {size_text(report.nbytes)}",
        "ledgers": _counted(report.ledgers, "compared with the events read", report.ledgers_unknown),
    }
    if report.metadata_unknown:
        facts["metadata"] = _counted(report.metadata, "compared with their records", report.metadata_unknown)
    if sample:
        counts = f"reduced again, of {report.rows}"
        facts["rows"] = _counted(report.again.count, counts, report.again.impossible, "not possible for")
    if report.unpublished:
        facts["left over"] = f"{some(len(report.unpublished), 'attempt')} without a record"
    print_facts(facts, f"{some(len(report.faults), 'fault')} in {store}" if report.faults else f"{store} is sound:")
    for fault in report.faults:
        click.echo(f"\n{fault.where}  {fault.what}\n  {fault.message}\n  {fault.remedy}")
    if report.unpublished:
        text = "No reader sees an attempt without a record: its writer is at work or was killed, or the record was "
        click.echo(f"{text}deleted. xgamma gc {store} deletes it after a day.", err=True)


def _counted(count: int, what: str, others: Mapping[str, int], verb: str = "not compared") -> str:
    return "; ".join([f"{count} {what}", *(f"{verb} {number}: {why}" for why, number in others.items())])


def _against_gammapy(
    store: Store, sample: int, datastore: str | None, exclusion: str | None, as_json: bool
) -> ExitCode:
    """Compare a sample of rows with Gammapy, print what was found, and return the exit code."""
    files = None if datastore is None else local_path(datastore)
    if files is not None and not files.exists():
        raise MissingInputError(f"--datastore: there is no {files}. Expected a release of FITS files.")
    mask = None if exclusion is None else local_path(exclusion)
    found = compare_with_gammapy(store, sample, datastore=files, exclusion=mask)
    if as_json:
        print_json(_comparison_document(store.url, found))
    else:
        _print_comparison(found)
    if not found.agrees:
        return ExitCode.FAULT
    return ExitCode.DONE if found.compared else ExitCode.INPUT


def _comparison_document(url: str, found: Comparison) -> dict[str, object]:
    return {
        "store": url,
        "against": f"gammapy {found.version}",
        "agrees": found.agrees,
        "rows": found.rows,
        "compared": found.compared,
        "deviations": [
            {
                **dataclasses.asdict(deviation.quantity),
                "largest": deviation.largest if deviation.largest < float("inf") else None,
                "row": deviation.row,
                "too_large": deviation.is_too_large,
            }
            for deviation in found.deviations
        ],
        "refused": [{"row": name, "message": message} for name, message in found.refused],
        "not_possible": dict(found.impossible),
    }


def _print_comparison(found: Comparison) -> None:
    rows = [
        {
            "quantity": deviation.quantity.name,
            "largest deviation": f"{deviation.largest:.2g}",
            "allowed": f"{deviation.quantity.limit:.2g}",
            "how": deviation.quantity.how,
            "row": deviation.row if deviation.largest else "-",
            "verdict": "differs" if deviation.is_too_large else "-",
        }
        for deviation in found.deviations
    ]
    print_table(rows)
    click.echo(f"{some(len(found.compared), 'row')} of {found.rows} compared with Gammapy {found.version}.")
    for name, message in found.refused:
        click.echo(f"Gammapy cannot reduce row {name!r}: {message}")
    for reason, number in found.impossible.items():
        click.echo(f"{some(number, 'row')} cannot be compared: {reason}.")
    if not found.agrees:
        click.echo(f"They differ. {HINT}")
