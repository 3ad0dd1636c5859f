"""``xgamma plot``: any picture of what a store holds."""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.stored_pictures import pictures_of
from xgamma.cli.console import examples, typed
from xgamma.cli.places import complete_product, opened_store, place_argument, product_named, shown_key
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.formats.local_files import validate_ending, validate_output, write_files
from xgamma.plot.figures import picture_bytes

ENDINGS = (".png", ".pdf", ".svg")


@click.command(
    "plot",
    epilog=examples(
        "xgamma plot out flux-points sed.png",
        "xgamma plot out flux-points --list",
        "xgamma plot out fit correlations.pdf --what correlations",
        "xgamma plot store rows/fbfae9 counts.svg --row 23523",
    ),
)
@place_argument
@click.argument("product", shell_complete=complete_product)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--what", metavar="NAME", help="Which picture; without it the usual one.")
@click.option("--row", metavar="NAME", help="Of rows and stacks the one that is drawn; without it the first.")
@click.option("--list", "only_list", is_flag=True, help="List what can be drawn; nothing is written.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def plot_command(
    place: str, product: str, file: Path | None, what: str | None, row: str | None, only_list: bool, overwrite: bool
) -> None:
    """Draw PRODUCT of PLACE into FILE, which ends in .png, .pdf or .svg.

    PRODUCT is KIND/KEY, KIND where there is only one, KIND/latest, or the beginning of a key. What can be drawn of it
    is listed with --list: flux points and light curves in each kind of flux, counts of rows and stacks, data and models
    of a fit, its correlations, every map.
    """
    store = opened_store(place)
    record = product_named(store, product)
    if file is not None:
        validate_ending(file, ENDINGS, "Pictures")
        validate_output(file, overwrite)
    pictures = pictures_of(store, record, row)
    if not pictures:
        raise ConfigError(f"There is no picture of {record.kind}: draw rows, stacks or what was made of them.")
    if only_list or file is None:
        for name in pictures:
            click.echo(name)
        click.echo(f"Next: xgamma plot {typed(place)} {shown_key(record)} FILE.png --what NAME", err=True)
        return
    name = next(iter(pictures)) if what is None else what
    if name not in pictures:
        raise UnknownNameError(f"--what: there is no picture {name!r} of {record.kind}.{did_you_mean(name, pictures)}")
    write_files({file: picture_bytes(pictures[name](), file.suffix[1:].lower())}, overwrite=overwrite)
    click.echo(str(file))
