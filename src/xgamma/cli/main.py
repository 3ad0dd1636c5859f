"""The group of all verbs; a verb is loaded when it is called, so that help is there at once."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from xgamma import __version__
from xgamma.cli.interrupts import heard_interrupts
from xgamma.errors import ExitCode, MemoryLimitError, XgammaError, did_you_mean, more_about
from xgamma.lazily import defer

# The module of each verb, which holds its command, and a line of help, here because help must not load the verb.
VERBS = {
    "init": ("init", "Write a commented configuration to start from."),
    "check": ("run", "Validate a configuration, its files and its geometry; writes nothing."),
    "plan": ("run", "Show each product, whether it is found or computed, and why; writes nothing."),
    "fetch": ("fetch", "Download a data release that xgamma knows, or list them."),
    "ingest": ("ingest", "Read a FITS release into a store."),
    "retry": ("ingest", "Read runs again that could not be read."),
    "run": ("run", "Run a configuration, from observations to flux points, files and pictures."),
    "report": ("report", "Write what a run or a store holds as one HTML file."),
    "ls": ("listing", "List the products of a store, or its runs; writes nothing."),
    "show": ("show", "Show a product or a run as a table; writes nothing."),
    "plot": ("plot", "Draw any picture of what a store holds."),
    "export": ("export", "Write a product of a store as a file."),
    "explain": ("explain", "Say what a product was made from, down to the files; writes nothing."),
    "diff": ("diff", "Say what differs between two configurations, products or stores; writes nothing."),
    "verify": ("verify", "Compare all that a store holds with its records; writes nothing."),
    "validate": ("validate", "Compare a store, a product or a file with the published format; writes nothing."),
    "gc": ("upkeep", "Delete what killed writers and merged parts left in a store."),
    "compact": ("upkeep", "Merge the small parts of a store."),
    "tag": ("upkeep", "Remember the present state of a store under a name, or list the tags."),
    "simulate": ("simulate", "Simulate a release of observations."),
    "closure": ("simulate", "Simulate, reduce and fit many sets, and compare with the truth."),
    "doctor": ("doctor", "Look at the installation and a store, and say what is missing; writes nothing."),
    "completion": ("completion", "Let a shell complete verbs, options, kinds and keys."),
    "help": ("help", "Print the page about an error, or the help of a verb."),
}

LATER = (
    "astropy",
    "astropy.io.fits",
    "asyncio",
    "concurrent.futures",
    "dask",
    "dask.array",
    "dask.base",
    "hashlib",
    "numpy",
    "random",
    "scipy",
    "shutil",
    "tarfile",
    "xarray",
    "xarray.tutorial",
    "xgamma.cli.runs",
    "xgamma.cli.wrapping",
    "xgamma.datasets.files",
    "xgamma.formats.fits.hdus",
    "xgamma.formats.fits.regions",
    "xgamma.formats.sky_maps.flux_maps",
    "xgamma.formats.yaml_documents",
    "xgamma.html",
    "xgamma.irf",
    "xgamma.schema.products",
    "xgamma.storage.zarr_objects",
    "xgamma.stats",
    "xgamma.store.encoding",
    "xgamma.store.opening",
    "xgamma.store.reading",
    "xgamma.store.said",
    "xgamma.upkeep.parts",
)
"""What verbs that list and show use rarely, or late."""

GARBAGE = (10_000, 10, 10)
"""How many objects come before cycles are looked for, and how often among older ones. What a command loads stays to its
end, and looking through it again and again takes a twentieth of a short one; the memory of long ones stays the same."""

FIRST_STEPS = """\b
First steps:
  xgamma simulate demo/release          observations, if you have none
  xgamma init my.yaml                   a configuration with comments
  xgamma check my.yaml                  is everything there?
  xgamma run my.yaml                    spectrum, flux points, pictures
  xgamma report my.yaml                 all of it as one HTML page
"""


OPTIONS = {
    " To read a file, use AnalysisConfig.read(path).": "",
    "overwrite=True": "--overwrite",
    "Run again with rehash": "Run again with --rehash",
    "sed_type: there": "--sed-type: there",
    "; call get_observations() first": "; let the configuration ask for observations",
    "; call get_datasets() or read_datasets() first": "; let the configuration ask for datasets",
    "; call get_datasets() first": "; let the configuration ask for datasets",
    "; call set_models() first": "; write the section models",
    "; make them with get_datasets()": "; name them in datasets",
}
"""What sentences say of Python, and what that is on the command line."""


class Verbs(click.Group):
    """A group whose commands live in modules of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order in which one meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Load a verb."""
        if name not in VERBS:
            return None
        module = importlib.import_module(f"xgamma.cli.{VERBS[name][0]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a verb, or suggest the nearest one."""
        if args and args[0] not in VERBS:
            ctx.fail(f"There is no verb {args[0]!r}.{did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs."""
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first steps and the table of exit codes."""
        super().format_epilog(ctx, formatter)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in ExitCode])


@click.group(
    cls=Verbs,
    subcommand_metavar="VERB [ARGUMENTS]",
    epilog=FIRST_STEPS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="xgamma")
@click.option("--debug", is_flag=True, help="Show the traceback of an error; may also stand after the verb.")
def group(debug: bool) -> None:
    """Gamma-ray spectra and maps from a store of labelled arrays. Each verb has its own help: xgamma run --help."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; an error is one sentence on stderr."""
    defer(*LATER)
    gc.set_threshold(*GARBAGE)
    # What is left when a process ends goes with it; a last look for cycles takes a tenth of a short command.
    atexit.register(gc.freeze)
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    words = [word for word in given if word != "--debug"]
    heard: list[int] = []
    try:
        # The watch over interrupts ends before the last sentence, which it could interrupt.
        with heard_interrupts(heard):
            code = group.main(words, prog_name="xgamma", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        _end_interrupted()
    except Exception as error:
        # What was interrupted may end in any error, of a thread or of a library.
        if heard and not debug:
            _end_interrupted()
        _end_failed(error, debug)
    # A library may have caught it and gone on.
    if heard:
        _end_interrupted()
    sys.exit(code if isinstance(code, int) else 0)


def _end_interrupted() -> NoReturn:
    click.echo("Interrupted; what is in the store stays, and the next run goes on from there.", err=True)
    sys.exit(ExitCode.INTERRUPTED)


def in_options(sentence: str) -> str:
    """Return a sentence in the words of the command line, which has options where Python has arguments.

    >>> in_options("Choose another name, or write with overwrite=True.")
    'Choose another name, or write with --overwrite.'
    """
    for spoken, option in OPTIONS.items():
        sentence = sentence.replace(spoken, option)
    return sentence


def _end_failed(error: Exception, debug: bool) -> NoReturn:
    if isinstance(error, click.ClickException):
        error.show()
        sys.exit(error.exit_code)
    if isinstance(error, XgammaError):
        _end(error, in_options(str(error)), error.exit_code, debug, error.kind)
    if isinstance(error, MemoryError):
        text = f"The memory of this machine did not suffice ({error}). Ask for less at a time."
        _end(error, text, ExitCode.INTERNAL, debug, MemoryLimitError.kind)
    # The traceback is printed with --debug only.
    text = f"{type(error).__name__}: {error}. This is a defect of xgamma: run again with --debug and report it."
    _end(error, text, ExitCode.INTERNAL, debug, XgammaError.kind)


def _end(error: Exception, text: str, code: int, debug: bool, kind: str) -> NoReturn:
    if debug:
        traceback.print_exception(error)
    # As click begins the errors that it finds itself.
    click.echo(click.style("Error: ", fg="red", bold=True) + text, err=True, color=_colour())
    click.echo(more_about(kind), err=True)
    sys.exit(code)


def _colour() -> bool | None:
    return False if os.environ.get("NO_COLOR") else None
