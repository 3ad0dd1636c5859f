"""``xgamma verify``: whether a store is sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import click

from xgamma.analysis.verify import Report, verify
from xgamma.cli.console import json_option, print_facts, print_json, size_text, some, store_argument
from xgamma.cli.products import opened_store

DAMAGED = 6


@click.command("verify")
@store_argument
@click.option("--sample", type=click.IntRange(min=0), default=0, metavar="N", help="Reduce N rows again and compare.")
@json_option
def command(store: str, sample: int, as_json: bool) -> int:
    """Read all of STORE, compare it with its records, and say what is wrong and what to do; writes nothing.

    Compared are the digest of every group, the schema of spectra, and ledgers with the events read; with --sample also
    rows drawn at random with what their runs give now, bit for bit. Exit code 6 when something is wrong.
    """
    place = opened_store(store)
    report = verify(place, sample)
    if as_json:
        print_json(_document(place.url, report))
    else:
        _print(store, report, sample)
    return DAMAGED if report.faults else 0


def _document(url: str, report: Report) -> dict[str, object]:
    return {
        "store": url,
        "sound": not report.faults,
        "faults": [dataclasses.asdict(fault) for fault in report.faults],
        "products": report.products,
        "bytes": report.nbytes,
        "ledgers": {"compared": report.ledgers, "not_compared": dict(report.ledgers_unknown)},
        "rows": report.rows,
        "recomputed": {"compared": report.again.count, "not_possible": dict(report.again.impossible)},
        "attempts_without_record": list(report.unpublished),
    }


def _print(store: str, report: Report, sample: int) -> None:
    facts = {
        "products": f"{report.products}, {size_text(report.nbytes)}",
        "ledgers": _counted(report.ledgers, "compared with the events read", report.ledgers_unknown),
    }
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
