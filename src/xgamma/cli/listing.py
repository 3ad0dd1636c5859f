"""``xgamma ls``: the products of a store, or the runs of a release or a store."""

from __future__ import annotations

import click

from xgamma.cli import runs as runs_of_place
from xgamma.cli.console import examples, json_option, print_damaged, print_json, print_tables, size_text, some, typed
from xgamma.cli.places import complete_tag, opened_store, place_argument
from xgamma.digits import NOTHING
from xgamma.errors import ConfigError, ExitCode
from xgamma.schema.tables import Kind
from xgamma.store import Record
from xgamma.tables.table import Table

KEY_SHOWN = 12
KINDS = [kind.value for kind in Kind]
_KINDS = ", ".join(KINDS)


@click.command(
    "ls",
    epilog=examples(
        "xgamma ls out",
        "xgamma ls out --kind fit",
        "xgamma ls $GAMMAPY_DATA/hess-dl3-dr1 --runs",
        "xgamma ls store --runs --where 'zenith < 30' --sort -livetime",
        "xgamma ls store --runs --position '83.63 22.01' --sort offset",
    ),
)
@place_argument
@click.option(
    "--kind", type=click.Choice(KINDS), metavar="KIND", help=f"Only products of this kind: {', '.join(KINDS)}."
)
@click.option("--runs", is_flag=True, help="List runs instead of products; PLACE may be a FITS release then.")
@click.option("--where", metavar="CONDITION", help="Only runs for which it is true: 'zenith < 30 and livetime > 600'.")
@click.option("--sort", metavar="COLUMN", help="The order of runs; -COLUMN is falling.  [default: obs_id]")
@click.option("--position", metavar="'LON LAT [FRAME]'", help="How far off do runs point? '83.63 22.01', deg.")
@click.option("--tag", shell_complete=complete_tag, help="The runs as they were tagged, in the place of the newest.")
@json_option
def ls_command(
    place: str,
    kind: str | None,
    runs: bool,
    where: str | None,
    sort: str | None,
    position: str | None,
    tag: str | None,
    as_json: bool,
) -> ExitCode:
    """List the products of PLACE, or with --runs its runs.

    PLACE is a store, the folder that a run of xgamma wrote, or a configuration. dl3 are observations, rows their
    spectra or maps, stack sums of rows; fit, flux-points and others are what was made from those.

    Runs are chosen and sorted by obs_id, target, telescope, ra, dec, zenith, offset, tstart, tstop (MJD, TT), ontime,
    livetime (s), deadc, events, night and month. A narrow terminal shows fewer columns; --json has all.
    """
    given = {"--where": where, "--sort": sort, "--position": position, "--tag": tag}
    if runs:
        runs_of_place.list_runs(place, where, sort, position, tag, as_json)
        return ExitCode.DONE
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name} is about runs: add --runs, or leave it out.")
    records = opened_store(place).records_in_turn(kind)
    if as_json:
        print_json([_record_document(record) for record in records])
    else:
        rows = [_record_row(record) for record in records]
        print_tables([Table("", rows)])
        click.echo(f"{some(len(rows), 'product')}. Next: xgamma show {typed(place)} KIND/KEY", err=True)
    return print_damaged(records.damaged)


def _record_document(record: Record) -> dict[str, object]:
    return {
        "kind": record.kind,
        "key": record.key,
        "created": record.created,
        "bytes": record.nbytes,
        "inputs": list(record.inputs),
    }


def _record_row(record: Record) -> dict[str, str]:
    return {
        "kind": record.kind,
        "key": record.key[:KEY_SHOWN],
        "created (UTC)": record.created[:19].replace("T", " "),
        "size": size_text(record.nbytes),
        "made of": _made_of(record),
    }


def _made_of(record: Record) -> str:
    if "runs" in record.texts:
        return some(len(record.texts["runs"]), "run")
    if "rows" in record.texts:
        return some(len(record.texts["rows"]), "run")
    if record.kind == Kind.STACK:
        return some(len(record.inputs), "row")
    # Older pictures do not say what they show.
    return some(len(record.inputs), "product") if record.inputs else NOTHING
