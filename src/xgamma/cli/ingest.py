"""``xgamma ingest``: a FITS release into a store."""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.analysis.failures import note_failures, on_failed_ingest
from xgamma.analysis.unused import INGEST, UnusedRun, no_run_left
from xgamma.cli.console import rehash_option, some
from xgamma.cli.failed import print_unused
from xgamma.errors import ConfigError, InputError
from xgamma.execute import Workers
from xgamma.formats.gadf.index import IndexNames
from xgamma.ingest import FitsRelease, open_release
from xgamma.ingest.notes import log_notes, notes_of
from xgamma.select import Selection, select_runs
from xgamma.store import Store

SOME_RUNS_FAILED = 4


@click.command("ingest")
@click.argument("datastore")
@click.argument("store")
@click.option("--obs-id", "obs_ids", type=int, multiple=True, help="Only this run; may be given several times.")
@click.option("--n-jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read.")
@click.option("--scheduler", help="The address of a dask scheduler, whose workers read.")
@click.option("--fail-fast", is_flag=True, help="End with the first run that cannot be read; otherwise others go on.")
@click.option("--hdu-index", metavar="FILE", help="The HDU index of DATASTORE, where it has another name.")
@click.option("--obs-index", metavar="FILE", help="The observation index of DATASTORE, where it has another name.")
@rehash_option
def command(
    datastore: str,
    store: str,
    obs_ids: tuple[int, ...],
    n_jobs: int,
    scheduler: str | None,
    fail_fast: bool,
    hdu_index: str | None,
    obs_index: str | None,
    rehash: bool,
) -> int:
    """Read the runs of the FITS release DATASTORE into STORE; runs that it holds already are not read again.

    A run that cannot be read does not stop the others; xgamma retry STORE tries it again.
    """
    release = open_release(datastore, names=IndexNames(hdu_index, obs_index))
    if not isinstance(release, FitsRelease):
        raise ConfigError(f"{datastore} is an xgamma store already; use it as observations.datastore, or copy it.")
    if Path(store).expanduser().absolute() == Path(datastore).expanduser().absolute():
        raise ConfigError(f"{store} is the release itself; give another folder for the store.")
    chosen = select_runs(release.facts(), Selection(obs_ids or None, required_irf=()))
    place = Store(store)
    on_failure = on_failed_ingest(fail_fast, place, release)
    held = release.load(chosen, place, Workers(n_jobs, scheduler), on_failure, rehash)
    log_notes(notes_of(held))
    failed = [UnusedRun.of_failure(failure) for failure in held.failures]
    note_failures(place, release.name, release.origin, failed, INGEST, map(str, held.places))
    if len(failed) == len(chosen):
        raise InputError(no_run_left(failed))
    new = len(held.ingested)
    there = len(chosen) - new - len(failed)
    click.echo(f"{some(new, 'run')} ingested, {there} were there, {len(failed)} could not be read.")
    print_unused(failed)
    click.echo(f"Next: xgamma {'retry' if failed else 'ls'} {store}", err=True)
    return SOME_RUNS_FAILED if failed else 0
