"""``xgamma validate``: whether a store, a product or a file is as the format says."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

import click

from xgamma.cli.console import examples, json_option, print_json, some
from xgamma.cli.file_kinds import FILES, SEVERAL, check_file, is_release
from xgamma.cli.places import PlaceType, hint_of_release, store_location
from xgamma.errors import ExitCode, InputError, MissingInputError
from xgamma.formats.local_files import local_path
from xgamma.store.conformance import Conformance, validate

SKIPPED_SHOWN = 20


@click.command(
    "validate",
    epilog=examples(
        "xgamma validate store",
        "xgamma validate out/flux-points.ecsv",
        "xgamma validate out/models.yaml --json",
    ),
)
@click.argument("url", type=PlaceType())
@json_option
def validate_command(url: str, as_json: bool) -> ExitCode:
    """Compare what is at URL with the published format (docs/format.md) and say what differs; writes nothing.

    URL is a store, a product (STORE/KIND/KEY), or a Zarr group such as datasets.zarr; on a disk, in a bucket, or, for
    products, on the web. Layout, records, dims, units, types and the laws of the values are looked at, and not the
    bytes: that is xgamma verify.

    URL may also be any file on this machine that xgamma writes, which is read first: datasets in FITS, OGIP or YAML,
    flux points, light curves, maps, models, configurations, contours, reports, pictures, event lists, responses, an
    index, or the folder of a release.

    Exit code 6 when something is not as the format says, 3 when there is nothing of the kind at URL.
    """
    path = None if "://" in url else local_path(url)
    if path is not None and (path.is_file() or is_release(path)):
        found = check_file(path)
    else:
        found = _of_products(url if path is None else store_location(url))
    if as_json:
        print_json(_conformance_document(url, found))
    else:
        _print_conformance(url, found)
    return ExitCode.FAULT if found.violations else ExitCode.DONE


def _of_products(place: str) -> Conformance:
    """Check what is at a place, which is no file here; raises ``MissingInputError`` where nothing is."""
    if "://" in place and urlsplit(place).path.lower().endswith(FILES):
        beside = "and what lies beside it " if place.lower().endswith(SEVERAL) else ""
        raise InputError(f"Files are validated on this machine: copy {place} {beside}to a folder, and name that file.")
    try:
        return validate(place)
    except MissingInputError:
        hint = hint_of_release(place)
        if hint:
            raise MissingInputError(f"There is no store and no product at {place}. {hint}") from None
        raise


def _conformance_document(url: str, found: Conformance) -> dict[str, object]:
    return {
        "url": url,
        "valid": not found.violations,
        "what": found.what,
        "products": found.products,
        "documents": found.documents,
        "violations": [dataclasses.asdict(violation) for violation in found.violations],
        "skipped": found.skipped,
    }


def _print_conformance(url: str, found: Conformance) -> None:
    looked_at = found.what or f"{some(found.products, 'product')} and {some(found.documents, 'document')}"
    if not found.violations:
        click.echo(f"{url} is as the format says: {looked_at}.")
    else:
        click.echo(f"{some(len(found.violations), 'violation')} of the format in {url}, of {looked_at}:")
    for violation in found.violations:
        click.echo(f"  {violation}")
    for text in found.skipped[:SKIPPED_SHOWN]:
        click.echo(f"Passed over: {text}.", err=True)
    if len(found.skipped) > SKIPPED_SHOWN:
        click.echo(f"Passed over: {len(found.skipped) - SKIPPED_SHOWN} more.", err=True)
