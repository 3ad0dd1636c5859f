"""``xgamma ingest``: a FITS release into a store."""

from __future__ import annotations

from collections.abc import Sequence

import click

from xgamma.analysis.unused import no_run_left
from xgamma.cli.console import some
from xgamma.errors import ConfigError, InputError
from xgamma.execute import Workers
from xgamma.ingest import FitsRelease, open_release
from xgamma.select import Selection, select_runs
from xgamma.store import Store

SOME_RUNS_FAILED = 4
RUN_HELP = "Only this run; may be given several times."


@click.command("ingest")
@click.argument("datastore")
@click.argument("store")
@click.option("--obs-id", "obs_ids", type=int, multiple=True, help=RUN_HELP)
@click.option("--n-jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read.")
@click.option("--scheduler", help="The address of a dask scheduler, whose workers read.")
def command(datastore: str, store: str, obs_ids: tuple[int, ...], n_jobs: int, scheduler: str | None) -> int:
    """Read the runs of the FITS release DATASTORE into STORE; runs that it holds already are not read again."""
    sentence, code = ingest(datastore, store, obs_ids, Workers(n_jobs, scheduler))
    click.echo(sentence)
    click.echo(f"Next: xgamma ls {store}", err=True)
    return code


def ingest(datastore: str, store: str, obs_ids: Sequence[int], workers: Workers) -> tuple[str, int]:
    """Read some runs of a FITS release, or all, into a store; return what became of them and the exit code."""
    release = open_release(datastore)
    if not isinstance(release, FitsRelease):
        raise ConfigError(f"{datastore} is an xgamma store already; use it as observations.datastore, or copy it.")
    chosen = select_runs(release.facts(), Selection(tuple(obs_ids) or None, required_irf=()))
    held = release.load(chosen, Store(store), workers)
    if len(held.failures) == len(chosen):
        raise InputError(no_run_left([(str(failure.obs_id), failure.message) for failure in held.failures]))
    new, failed = len(held.ingested), len(held.failures)
    sentence = f"{some(new, 'run')} ingested, {len(chosen) - new - failed} were there, {failed} could not be read."
    return sentence, SOME_RUNS_FAILED if failed else 0
