"""``xgamma export``: a product of a store written as a file that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import xarray as xr

from xgamma.cli.console import examples
from xgamma.cli.places import complete_product, place_argument, product_named, store_of
from xgamma.datasets import Datasets, ExcessMap, FluxPoints, GroupFits, GroupPoints, LightCurve
from xgamma.errors import ConfigError
from xgamma.formats.local_files import validate_ending
from xgamma.formats.sed.kinds import SED_TYPES
from xgamma.models.models import Models
from xgamma.schema.tables import Kind
from xgamma.store import Record, Store
from xgamma.tables.products import WITH_FLUXES

VIEWS: Mapping[Kind, Callable[[xr.Dataset], Any]] = {
    Kind.ROWS: Datasets.from_xarray,
    Kind.STACK: Datasets.from_xarray,
    Kind.POINTS: FluxPoints,
    Kind.LIGHT_CURVE: LightCurve,
    Kind.FIT_EACH: GroupFits,
    Kind.POINTS_EACH: GroupPoints,
    Kind.EXCESS_MAP: ExcessMap,
}
"""What writes the products of a kind as a file."""


@click.command(
    "export",
    epilog=examples(
        "xgamma export out flux-points points.ecsv --sed-type dnde",
        "xgamma export out fit models.yaml",
        "xgamma export out light-curve curve.csv --sed-type flux",
        "xgamma export out stack spectrum.fits",
    ),
)
@place_argument
@click.argument("product", shell_complete=complete_product)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sed-type", type=click.Choice(SED_TYPES), help="The kind of flux.  [default: likelihood, all of them]")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def export_command(place: str, product: str, file: Path, sed_type: str | None, overwrite: bool) -> None:
    """Write PRODUCT (KIND/KEY, or KIND where there is only one) of PLACE as FILE.

    Rows and stacks go to .zarr, .fits, .fits.gz, or .yaml with OGIP files beside it; flux points and light curves to
    .fits, .ecsv or .csv, in the kind of flux of --sed-type; those of groups to .ecsv; a fit to .yaml, models with their
    covariance beside it; excess maps to .fits or .fits.gz.
    """
    store = store_of(place)
    record = product_named(store, product)
    if record.kind == Kind.DL3:
        raise ConfigError(f"Runs have no file format; copy {store.path(record.kind, record.key)}.")
    if record.kind == Kind.PICTURE:
        raise ConfigError(
            f"Pictures are drawn, not exported; xgamma plot {place} KIND FILE draws what a product shows."
        )
    if sed_type is not None and record.kind not in WITH_FLUXES:
        raise ConfigError(f"--sed-type is about fluxes, and {record.kind} has none; leave it out.")
    if record.kind == Kind.FIT:
        _write_fit(store, record, file, overwrite)
    else:
        view = VIEWS[Kind(record.kind)](store.get_valid(record.kind, record.key))
        view.write(file, overwrite=overwrite, **({} if sed_type is None else {"sed_type": sed_type}))
    click.echo(str(file))


def _write_fit(store: Store, record: Record, file: Path, overwrite: bool) -> None:
    validate_ending(file, (".yaml", ".yml"), "The models of a fit")
    models = Models.from_yaml(record.texts["models"])
    models.covariance = store.get_valid(record.kind, record.key)["covariance"].values
    models.write(file, overwrite=overwrite)
