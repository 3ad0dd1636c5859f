"""``xgamma fetch``: the files of a data release, downloaded and verified."""

from __future__ import annotations

import contextlib
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from xgamma.cli.console import examples, json_option, print_facts, print_json, print_table, size_text, some, typed
from xgamma.cli.places import PlaceType
from xgamma.errors import ConfigError, ExitCode, InputError
from xgamma.formats.gadf.folders import folder_of_index
from xgamma.releases import DataRelease, FetchReport, FileReport, Retries, Status, catalog_names, fetch, read_catalog
from xgamma.releases.fetch import Watch
from xgamma.releases.release import catalog_path
from xgamma.storage.retries import DAY, DOWNLOADS

NAMES_SHOWN = 3
WIDTH = 100
_TIMEOUT_HELP = "Seconds without a byte before a connection is given up."


def complete_release(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
    """Return the known releases that begin as a word does, or else files; a shell asks for them."""
    found: list[Any] = [name for name in catalog_names() if name.startswith(incomplete)]
    return found or PlaceType().shell_complete(ctx, parameter, incomplete)


@click.command(
    "fetch",
    epilog=examples(
        "xgamma fetch --list",
        "xgamma fetch hess-dl3-dr1 data/hess --obs 23523 --obs 23526",
        "xgamma fetch hess-dl3-dr1 data/hess --into store",
    ),
)
@click.argument("name", required=False, shell_complete=complete_release)
@click.argument("folder", required=False, type=PlaceType())
@click.option("--obs", "--obs-id", "obs_ids", type=int, multiple=True, help="Only this run; may be repeated.")
@click.option("--from", "sources", multiple=True, type=PlaceType(), help="A mirror: a folder or url, tried in order.")
@click.option("--into", metavar="STORE", type=PlaceType(), help="Ingest the runs into this store afterwards.")
@click.option("--list", "only_list", is_flag=True, help="List the known releases.")
@click.option("--timeout", type=click.FloatRange(0, DAY, min_open=True), default=DOWNLOADS.timeout, help=_TIMEOUT_HELP)
@click.option(
    "--retries", type=click.IntRange(0, 1000), default=DOWNLOADS.retries, help="Repetitions of a failed request."
)
@json_option
def fetch_command(
    name: str | None,
    folder: str | None,
    obs_ids: tuple[int, ...],
    sources: tuple[str, ...],
    into: str | None,
    only_list: bool,
    timeout: float,
    retries: int,
    as_json: bool,
) -> int:
    """Download the data release NAME into FOLDER (./NAME if not given) and verify every file.

    Without NAME the known releases are listed. NAME may also be a catalogue of your own, a YAML file. Licence and terms
    are shown first. What is there and right is not downloaded again, and what was interrupted goes on where it ended:
    simply repeat the command. Exit code 4 when some files failed, 3 when all did.
    """
    if name is None and (sources or into or obs_ids):
        raise ConfigError("--from, --into and --obs are about one release: give its NAME; xgamma fetch lists them.")
    if name is None or only_list:
        _list(as_json)
        return ExitCode.DONE
    release = _downloadable(name)
    _print_terms(release)
    target = folder or release.name
    try:
        with _shown_progress() as watch, _usual_interrupts():
            settings = Retries(timeout, retries)
            report = fetch(release, target, obs_ids or None, sources=sources, retries=settings, watch=watch)
    except KeyboardInterrupt:
        click.echo("Interrupted; what has come stays, and the same command goes on from there.", err=True)
        return ExitCode.INTERRUPTED
    _tell(report, as_json)
    wanted = [obs_id for obs_id in report.runs_present if not obs_ids or obs_id in obs_ids]
    code = ExitCode.INCOMPLETE if report.of(Status.FAILED) else ExitCode.DONE
    datastore = folder_of_index(target)
    if into is None or not wanted:
        _say_next(report, datastore)
        return code
    return max(code, _ingest(datastore, into, wanted, as_json))


def _ingest(folder: str, store: str, obs_ids: Sequence[int], as_json: bool) -> int:
    """Call the verb that ingests, which is loaded only now; beside JSON its output goes to standard error."""
    context = click.get_current_context()
    verb = cast(click.Group, context.find_root().command).get_command(context, "ingest")
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        return int(context.invoke(cast(click.Command, verb), datastore=folder, store=store, obs_ids=tuple(obs_ids)))


def _downloadable(name: str) -> DataRelease:
    release = read_catalog(name)
    if release.simulation is not None:
        plan = typed(catalog_path(name))
        raise ConfigError(f"{release.name} is not downloaded but simulated: xgamma simulate FOLDER --plan {plan}")
    return release


def _tell(report: FetchReport, as_json: bool) -> None:
    failed = report.of(Status.FAILED)
    for message, names in _reasons(failed).items():
        more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
        click.echo(f"{', '.join(names[:NAMES_SHOWN])}{more}: {message}", err=True)
    if len(failed) == len(report.files):
        raise InputError("No file could be fetched. Try again later, or another place with --from.")
    if as_json:
        print_json(_document(report))
    else:
        _print(report)


def _reasons(failed: Sequence[FileReport]) -> dict[str, list[str]]:
    """Return the names of the files that failed by what was wrong."""
    reasons: dict[str, list[str]] = {}
    for entry in failed:
        reasons.setdefault(entry.message, []).append(entry.file.name)
    return reasons


def _list(as_json: bool) -> None:
    releases = [read_catalog(name) for name in catalog_names()]
    if as_json:
        print_json([_facts(release) for release in releases])
        return
    rows = [
        {
            "release": release.name,
            "runs": len(release.obs_ids) or "-",
            "files": len(release.files) or "simulated",
            "title": release.title,
        }
        for release in releases
    ]
    print_table(rows)
    click.echo("Next: xgamma fetch NAME, or xgamma simulate for what is simulated", err=True)


def _facts(release: DataRelease) -> dict[str, object]:
    keys = ("name", "title", "description", "instrument", "doi", "licence", "terms", "attribution", "citation")
    sizes = [file.size for file in release.files]
    return {
        **{key: getattr(release, key) for key in keys},
        "urls": list(release.urls),
        "obs_ids": list(release.obs_ids),
        "files": len(release.files),
        "known_bytes": sum(size for size in sizes if size is not None),
        "files_of_unknown_size": sizes.count(None),
    }


def _print_terms(release: DataRelease) -> None:
    click.echo(release.title, err=True)
    words = {
        "licence": release.licence,
        "terms": release.terms,
        "say": release.attribution,
        "cite": release.citation,
        "doi": f"https://doi.org/{release.doi}" if release.doi else "",
    }
    for key, text in words.items():
        if text:
            told = textwrap.fill(" ".join(text.split()), WIDTH, break_long_words=False, break_on_hyphens=False)
            click.echo(textwrap.indent(told, " " * 11).replace(" " * 11, f"  {key:<9}", 1), err=True)


@contextlib.contextmanager
def _usual_interrupts() -> Iterator[None]:
    """Let asyncio hear Ctrl-C, which it does where Python's own handler is in place.

    It cancels what is under way; raised in the midst of a task, the interrupt would be printed as a forgotten error.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _shown_progress() -> Iterator[Watch]:
    """Show how much of all files has come, on a terminal only; sizes are added up as they become known."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda name, nbytes, size: None
        return
    here: dict[str, int] = {}
    sizes: dict[str, int] = {}
    columns = (TextColumn("Fetching"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def watch(name: str, nbytes: int, size: int | None) -> None:
            here[name] = nbytes
            sizes[name] = nbytes if size is None else size
            bar.update(task, completed=sum(here.values()), total=sum(sizes.values()))

        yield watch


def _document(report: FetchReport) -> dict[str, object]:
    return {
        "release": _facts(report.release),
        "folder": str(report.folder),
        "files": [
            {"name": entry.file.name, "status": str(entry.status), "received": entry.received, "message": entry.message}
            for entry in report.files
        ],
        "runs_present": list(report.runs_present),
    }


def _print(report: FetchReport) -> None:
    received = sum(entry.received for entry in report.files)
    counts = {status: len(report.of(status)) for status in Status}
    words = {
        Status.FETCHED: f"{some(counts[Status.FETCHED] + counts[Status.REPLACED], 'file')}, {size_text(received)}",
        Status.PRESENT: f"{some(counts[Status.PRESENT], 'file')} with the right digest",
        Status.REPLACED: ", ".join(entry.file.name for entry in report.of(Status.REPLACED)),
        Status.FAILED: some(counts[Status.FAILED], "file"),
    }
    told = {str(status): text for status, text in words.items() if counts[status] or status is Status.FETCHED}
    there = f"{len(report.runs_present)} of {some(len(report.release.obs_ids), 'run')}"
    print_facts({**told, "runs": f"{there} are there"}, f"{report.release.name} in {report.folder}")


def _say_next(report: FetchReport, folder: str) -> None:
    runs = report.runs_present
    if not runs:
        return
    if runs == report.release.obs_ids:
        click.echo(f"Next: xgamma init my.yaml --datastore {typed(folder)}", err=True)
        return
    click.echo(f"Not all runs are there; select those that are:\n{_selection(folder, runs)}", err=True)


def _selection(folder: str, runs: tuple[int, ...]) -> str:
    ids = textwrap.fill(", ".join(map(str, runs)), WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    return f"observations:\n    datastore: {folder}\n    obs_ids: [\n{ids}\n    ]"
