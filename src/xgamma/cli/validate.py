"""``xgamma validate``: whether a store, a product or a file is as the format says."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from xgamma.cli.console import json_option, print_json, some
from xgamma.datasets.files import FORMATS, read_datasets
from xgamma.datasets.inputs import normalize_spectrum
from xgamma.schema import FILE, product_violations
from xgamma.store.conformance import Conformance, validate

VIOLATED = 6
_FILES = tuple(ending for ending in FORMATS if ending != ".zarr")
SHOWN = 20


@click.command("validate")
@click.argument("url")
@json_option
def command(url: str, as_json: bool) -> int:
    """Compare what is at URL with the published format (docs/format.md) and say what differs; writes nothing.

    URL is a store, a product (STORE/KIND/KEY), or a Zarr group such as datasets.zarr; on a disk, in a bucket, or, for
    products, on the web. Datasets in FITS or OGIP files are read first, and what was read is compared. Layout,
    records, dims, units, types and the laws of the values are looked at, and not the bytes: that is xgamma verify.

    Exit code 6 when something is not as the format says, 3 when there is nothing of the kind at URL.
    """
    found = _validated_file(url) if url.lower().endswith(_FILES) else validate(url)
    if as_json:
        print_json(_document(url, found))
    else:
        _print(url, found)
    return VIOLATED if found.violations else 0


def _validated_file(path: str) -> Conformance:
    result = Conformance()
    for number, ds in enumerate(read_datasets(path)):
        result.products += 1
        result.violations += [
            violation.inside(f"{Path(path).name}[{number}]")
            for violation in product_violations({"": normalize_spectrum(ds)}, FILE)
        ]
    return result


def _document(url: str, found: Conformance) -> dict[str, object]:
    return {
        "url": url,
        "valid": not found.violations,
        "products": found.products,
        "documents": found.documents,
        "violations": [dataclasses.asdict(violation) for violation in found.violations],
        "skipped": found.skipped,
    }


def _print(url: str, found: Conformance) -> None:
    looked_at = f"{some(found.products, 'product')} and {some(found.documents, 'document')}"
    if not found.violations:
        click.echo(f"{url} is as the format says: {looked_at}.")
    else:
        click.echo(f"{some(len(found.violations), 'violation')} of the format in {url}, of {looked_at}:")
    for violation in found.violations:
        click.echo(f"  {violation}")
    for text in found.skipped[:SHOWN]:
        click.echo(f"Passed over: {text}.", err=True)
    if len(found.skipped) > SHOWN:
        click.echo(f"Passed over: {len(found.skipped) - SHOWN} more.", err=True)
