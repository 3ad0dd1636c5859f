"""``xgamma ingest``: a FITS release into a store."""

from __future__ import annotations

import click

from xgamma.execute import progress_bar
from xgamma.ingest import open_release
from xgamma.select import Selection, select_runs
from xgamma.store import Store

SOME_RUNS_FAILED = 4


@click.command("ingest")
@click.argument("datastore")
@click.argument("store")
@click.option("--obs-id", "obs_ids", type=int, multiple=True, help="Only this run; may be given several times.")
def command(datastore: str, store: str, obs_ids: tuple[int, ...]) -> int:
    """Read the runs of the FITS release DATASTORE into STORE; runs that it holds already are not read again."""
    release = open_release(datastore)
    chosen = select_runs(release.facts(), Selection(obs_ids or None, required_irf=()))
    with progress_bar("Reading runs", len(chosen)) as advance:
        held = release.load(chosen, Store(store), advance)
    failed = [failure.obs_id for failure in held.failures]
    new = len(held.ingested) - len(failed)
    click.echo(f"{new} runs ingested, {len(chosen) - new - len(failed)} were there, {len(failed)} could not be read.")
    for failure in held.failures:
        click.echo(f"run {failure.obs_id}: {failure.message}", err=True)
    click.echo(f"Next: xgamma ls {store}", err=True)
    return SOME_RUNS_FAILED if failed else 0
