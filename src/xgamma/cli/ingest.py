"""``xgamma ingest`` and ``retry``: a FITS release into a store, and runs that could not be read, once more."""

from __future__ import annotations

import click

from xgamma.analysis.failures import note_failures, on_failed_ingest, retry
from xgamma.analysis.selected import no_run_left
from xgamma.cli.console import (
    examples,
    json_option,
    print_json,
    print_unused,
    rehash_option,
    some,
    typed,
)
from xgamma.cli.places import PlaceType, opened_store, store_argument
from xgamma.errors import ConfigError, ExitCode, InputError
from xgamma.execute import Workers, workers_there
from xgamma.formats.gadf.index import IndexNames
from xgamma.ingest import FitsRelease, open_release
from xgamma.ingest.notes import log_notes, notes_of
from xgamma.outcome import INGEST
from xgamma.select import Selection, select_runs
from xgamma.storage.disk import with_home
from xgamma.store import Store
from xgamma.warned import collected_warnings


@click.command(
    "ingest",
    epilog=examples(
        "xgamma ingest $GAMMAPY_DATA/hess-dl3-dr1 store",
        "xgamma ingest release s3://bucket/store --n-jobs 4",
        "xgamma ingest release store --obs-id 23523",
    ),
)
@click.argument("datastore", type=PlaceType())
@store_argument
@click.option("--obs-id", "obs_ids", type=int, multiple=True, help="Only this run; may be given several times.")
@click.option("--n-jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read.")
@click.option("--scheduler", help="The address of a dask scheduler, whose workers read.")
@click.option("--fail-fast", is_flag=True, help="End with the first run that cannot be read; otherwise others go on.")
@click.option(
    "--hdu-index", metavar="FILE", type=PlaceType(), help="The HDU index of DATASTORE, where it has another name."
)
@click.option(
    "--obs-index",
    metavar="FILE",
    type=PlaceType(),
    help="The observation index of DATASTORE, where it has another name.",
)
@rehash_option
def ingest_command(
    datastore: str,
    store: str,
    obs_ids: tuple[int, ...],
    n_jobs: int,
    scheduler: str | None,
    fail_fast: bool,
    hdu_index: str | None,
    obs_index: str | None,
    rehash: bool,
) -> ExitCode:
    """Read the runs of the FITS release DATASTORE into STORE; runs that it holds already are not read again.

    A run that cannot be read does not stop the others; xgamma retry STORE tries it again.
    """
    release = open_release(datastore, names=IndexNames(hdu_index, obs_index))
    if not isinstance(release, FitsRelease):
        raise ConfigError(f"{datastore} is an xgamma store already; use it as observations.datastore, or copy it.")
    if with_home(store).absolute() == with_home(datastore).absolute():
        raise ConfigError(f"{store} is the release itself; give another folder for the store.")
    chosen = select_runs(release.facts(), Selection(obs_ids or None, required_irf=()))
    workers = Workers(n_jobs, scheduler)
    workers_there(workers)
    place = Store(store)
    on_failure = on_failed_ingest(fail_fast, place, release)
    with collected_warnings():
        held = release.load(chosen, place, workers, on_failure, rehash)
    log_notes(notes_of(held))
    failed = held.failures
    note_failures(place, release.name, release.origin, failed, INGEST, map(str, held.places))
    if len(failed) == len(chosen):
        raise InputError(no_run_left(failed))
    new = len(held.ingested)
    there = len(chosen) - new - len(failed)
    click.echo(f"{some(new, 'run')} ingested, {there} were there, {len(failed)} could not be read.")
    print_unused(failed)
    click.echo(f"Next: xgamma {'retry' if failed else 'ls'} {typed(store)}", err=True)
    return ExitCode.INCOMPLETE if failed else ExitCode.DONE


@click.command("retry", epilog=examples("xgamma retry store", "xgamma retry store --json"))
@store_argument
@json_option
def retry_command(store: str, as_json: bool) -> ExitCode:
    """Read those runs into STORE that could not be read when they were tried last, and no others.

    Where they lie is remembered. Exit code 4 when some fail again.
    """
    tried, failed = retry(opened_store(store, read_only=False))
    if as_json:
        print_json({"tried": len(tried), "failed": [each.document() for each in failed]})
    elif not tried:
        click.echo("No run has failed.")
    else:
        click.echo(f"{some(len(tried), 'run')} tried again, {len(failed)} failed again.")
    print_unused([each.run for each in failed])
    return ExitCode.INCOMPLETE if failed else ExitCode.DONE
