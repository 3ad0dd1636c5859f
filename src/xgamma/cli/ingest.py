"""``xgamma ingest``: a FITS release into a store."""

from __future__ import annotations

import click

from xgamma.analysis.unused import no_run_left
from xgamma.cli.console import some
from xgamma.errors import ConfigError, InputError
from xgamma.execute import Workers
from xgamma.ingest import FitsRelease, open_release
from xgamma.select import Selection, select_runs
from xgamma.store import Store

SOME_RUNS_FAILED = 4


@click.command("ingest")
@click.argument("datastore")
@click.argument("store")
@click.option("--obs-id", "obs_ids", type=int, multiple=True, help="Only this run; may be given several times.")
@click.option("--n-jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read.")
@click.option("--scheduler", help="The address of a dask scheduler, whose workers read.")
def command(datastore: str, store: str, obs_ids: tuple[int, ...], n_jobs: int, scheduler: str | None) -> int:
    """Read the runs of the FITS release DATASTORE into STORE; runs that it holds already are not read again."""
    release = open_release(datastore)
    if not isinstance(release, FitsRelease):
        raise ConfigError(f"{datastore} is an xgamma store already; use it as observations.datastore, or copy it.")
    chosen = select_runs(release.facts(), Selection(obs_ids or None, required_irf=()))
    held = release.load(chosen, Store(store), Workers(n_jobs, scheduler))
    if len(held.failures) == len(chosen):
        raise InputError(no_run_left([(str(failure.obs_id), failure.message) for failure in held.failures]))
    new, failed = len(held.ingested), len(held.failures)
    click.echo(f"{some(new, 'run')} ingested, {len(chosen) - new - failed} were there, {failed} could not be read.")
    click.echo(f"Next: xgamma ls {store}", err=True)
    return SOME_RUNS_FAILED if failed else 0
