"""``xgamma doctor``: versions, threads, disk, data, optional packages, completion, and whether a store is well."""

from __future__ import annotations

import click

from xgamma.check import Finding, findings_of_setup, findings_of_store
from xgamma.cli.console import examples, json_option, print_json
from xgamma.cli.places import PlaceType, opened_store
from xgamma.errors import ExitCode


@click.command("doctor", epilog=examples("xgamma doctor", "xgamma doctor out", "xgamma doctor --json"))
@click.argument("place", required=False, type=PlaceType())
@json_option
def doctor_command(place: str | None, as_json: bool) -> ExitCode:
    """Look at the installation, and at the store of PLACE, and say what is missing or slow and what to do.

    Versions of packages, threads of linear algebra, disk, $GAMMAPY_DATA, optional packages; of a store its products,
    damaged records and runs that failed. Exit code 6 when something is wrong.
    """
    found = findings_of_setup()
    if place is not None:
        found += findings_of_store(opened_store(place))
    if as_json:
        print_json([finding._asdict() for finding in found])
    else:
        _print(found)
    return ExitCode.FAULT if any(finding.is_wrong for finding in found) else ExitCode.DONE


def _print(found: list[Finding]) -> None:
    width = max(len(finding.what) for finding in found)
    for finding in found:
        mark = click.style("!", fg="red", bold=True) if finding.is_wrong else " "
        click.echo(f"{mark} {finding.what:<{width}}  {finding.state}")
        if finding.remedy:
            click.echo(f"  {'':<{width}}  {finding.remedy}")
