"""``xgamma export``: a product of a store written as a file that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import xarray as xr

from xgamma.analysis.stored_fit import stored_models
from xgamma.cli.console import examples
from xgamma.cli.fit_sheets import contour_sheet, covariance_sheet, validate_sheet, write_sheet
from xgamma.cli.places import complete_product, opened_store, place_argument, product_named
from xgamma.datasets import Datasets, ExcessMap, FluxPoints, GroupFits, GroupPoints, LightCurve
from xgamma.errors import ConfigError
from xgamma.formats.local_files import validate_ending
from xgamma.formats.sed.kinds import SED_TYPES
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
        "xgamma export out fit c.csv --contour index amplitude --sigma 1 --sigma 2",
        "xgamma export out light-curve curve.csv --sed-type flux",
        "xgamma export out stack spectrum.fits",
    ),
)
@place_argument
@click.argument("product", shell_complete=complete_product)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--sed-type", type=click.Choice(SED_TYPES), help="The kind of flux.  [default: likelihood, all of them]")
@click.option("--covariance", is_flag=True, help="Of a fit, write values, errors and covariance as a table.")
@click.option("--contour", nargs=2, metavar="X Y", help="Of a fit, write contours of two of its free parameters.")
@click.option(
    "--points", type=click.IntRange(3, 1000), default=40, show_default=True, help="How many points a contour has."
)
@click.option(
    "--sigma",
    "sigmas",
    type=click.FloatRange(0, 10, min_open=True),
    multiple=True,
    default=(1.0,),
    help="Contours where the statistic has risen by its square; may be repeated.  [default: 1]",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def export_command(
    place: str,
    product: str,
    file: Path,
    sed_type: str | None,
    covariance: bool,
    contour: tuple[str, str] | None,
    points: int,
    sigmas: tuple[float, ...],
    overwrite: bool,
) -> None:
    """Write PRODUCT (KIND/KEY, or KIND where there is only one) of PLACE as FILE.

    Rows and stacks go to .zarr, .fits, .fits.gz, or .yaml with OGIP files beside it; flux points and light curves to
    .fits, .ecsv or .csv, in the kind of flux of --sed-type; those of groups to .ecsv or .csv; a fit to .yaml, models
    with their covariance beside it; excess maps to .fits or .fits.gz.

    Of a fit, --covariance and --contour go to .ecsv, .csv or .yaml. Contours are of the datasets as the store holds
    them, all other parameters fitted; the extent of the one of 1 sigma are the errors of both parameters.
    """
    store = opened_store(place)
    record = product_named(store, product)
    if record.kind == Kind.DL3:
        raise ConfigError(f"Runs have no file format; copy {store.path(record.kind, record.key)}.")
    if record.kind == Kind.PICTURE:
        raise ConfigError(
            f"Pictures are drawn, not exported; xgamma plot {place} KIND FILE draws what a product shows."
        )
    if sed_type is not None and record.kind not in WITH_FLUXES:
        raise ConfigError(f"--sed-type is about fluxes, and {record.kind} has none; leave it out.")
    if record.kind != Kind.FIT and (covariance or contour):
        raise ConfigError(
            f"{'--covariance' if covariance else '--contour'} is about fits, and this is {record.kind}; leave it out."
        )
    if covariance and contour:
        raise ConfigError("--covariance and --contour go to two files; ask for one of them at a time.")
    if covariance:
        write_sheet(covariance_sheet(store, record), file, "The covariance of a fit", overwrite)
    elif contour:
        validate_sheet(file, "Contours of a fit", overwrite)
        write_sheet(contour_sheet(store, record, contour, points, sigmas), file, "Contours of a fit", overwrite)
    elif record.kind == Kind.FIT:
        _write_fit(store, record, file, overwrite)
    else:
        view = VIEWS[Kind(record.kind)](store.get_valid(record.kind, record.key))
        view.write(file, overwrite=overwrite, **({} if sed_type is None else {"sed_type": sed_type}))
    click.echo(str(file))


def _write_fit(store: Store, record: Record, file: Path, overwrite: bool) -> None:
    validate_ending(file, (".yaml", ".yml"), "The models of a fit")
    stored_models(store, record).write(file, overwrite=overwrite)
