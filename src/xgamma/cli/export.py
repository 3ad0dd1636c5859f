"""``xgamma export``: a product as a file."""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.products import POINTS
from xgamma.analysis.rows import ROWS
from xgamma.analysis.stacks import STACK
from xgamma.cli.console import store_argument
from xgamma.cli.products import opened_store, product_named
from xgamma.datasets import Datasets, FluxPoints
from xgamma.errors import ConfigError


@click.command("export")
@store_argument
@click.argument("product")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def command(store: str, product: str, file: Path, overwrite: bool) -> None:
    """Write PRODUCT (KIND/KEY) of STORE as FILE.

    Rows and stacks go to .zarr, .fits, .fits.gz, or .yaml with OGIP files beside it; flux points to .fits or .ecsv.
    """
    place = opened_store(store)
    record = product_named(place, product)
    if record.kind not in (ROWS, STACK, POINTS):
        raise ConfigError(
            f"A product of kind {record.kind!r} has no file format; copy {place.path(record.kind, record.key)}."
        )
    data = place.get(record.kind, record.key)
    held = FluxPoints(data) if record.kind == POINTS else Datasets.from_xarray(data)
    held.write(file, overwrite=overwrite)
    click.echo(str(file))
