"""What ``xgamma verify --against gammapy`` prints."""

from __future__ import annotations

import dataclasses

import click

from xgamma.cli.console import print_json, print_table, some
from xgamma.cli.products import DAMAGED
from xgamma.errors import MissingInputError
from xgamma.formats.local_files import local_path
from xgamma.store import Store
from xgamma.upkeep.against_gammapy import Comparison, compare_with_gammapy

NOTHING_COMPARED = 3
HINT = "Where xgamma departs from Gammapy on purpose is in the documentation: decisions, number 4."


def against_gammapy(store: Store, sample: int, datastore: str | None, exclusion: str | None, as_json: bool) -> int:
    """Compare a sample of rows with Gammapy, print what was found, and return the exit code."""
    files = None if datastore is None else local_path(datastore)
    if files is not None and not files.exists():
        raise MissingInputError(f"--datastore: there is no {files}. Expected a release of FITS files.")
    mask = None if exclusion is None else local_path(exclusion)
    found = compare_with_gammapy(store, sample, datastore=files, exclusion=mask)
    if as_json:
        print_json(_document(store.url, found))
    else:
        _print(found)
    if not found.agrees:
        return DAMAGED
    return 0 if found.compared else NOTHING_COMPARED


def _document(url: str, found: Comparison) -> dict[str, object]:
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


def _print(found: Comparison) -> None:
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
