"""``xgamma help``: the pages about errors in the terminal, and the help of verbs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown

from xgamma.cli.console import examples, print_table
from xgamma.errors import UnknownNameError, did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
# In the wheel they lie in the package, in a source checkout with the other documents.
_FOLDERS = (_PACKAGE / "help", _PACKAGE.parents[1] / "docs" / "errors")
_INDEX = "index"
_WIDTH = 100
# A link to another page of the documentation leads nowhere in a terminal; its words say enough.
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)[^)]*\)")
_DIRECTIVE = re.compile(r"^```\{.*?^```\n", re.MULTILINE | re.DOTALL)


def help_pages() -> dict[str, Path]:
    """Return the pages about errors that travel with xgamma, by their topics."""
    paths = sorted(path for folder in _FOLDERS for path in folder.glob("*.md"))
    return {path.stem: path for path in paths if path.stem != _INDEX}


def complete_topic(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the pages and verbs that begin as a word does; a shell asks for them."""
    root = ctx.find_root()
    verbs = root.command.list_commands(root) if isinstance(root.command, click.Group) else []
    return [name for name in sorted({*help_pages(), *verbs}) if name.startswith(incomplete)]


@click.command("help", epilog=examples("xgamma help", "xgamma help unused-runs", "xgamma help run"))
@click.argument("topic", required=False, shell_complete=complete_topic)
@click.pass_context
def help_command(ctx: click.Context, topic: str | None) -> None:
    """Print the page about an error, TOPIC, or the help of a verb; without TOPIC list the pages.

    An error names its page: More: xgamma help config. The pages are part of the installation, and need no network.
    """
    pages, verbs = help_pages(), ctx.parent.command if ctx.parent else None
    if topic is None:
        print_table([{"topic": name, "about": _title(path)} for name, path in pages.items()])
        return
    if topic in pages:
        _print_page(pages[topic])
        return
    verb = verbs.get_command(ctx, topic) if isinstance(verbs, click.Group) else None
    if verb is None:
        raise UnknownNameError(f"There is no page about {topic!r}.{did_you_mean(topic, pages)} List: xgamma help")
    click.echo(verb.get_help(click.Context(verb, info_name=topic, parent=ctx.parent)))


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def _print_page(path: Path) -> None:
    text = _LINK.sub(r"\1", _DIRECTIVE.sub("", path.read_text(encoding="utf-8")))
    if sys.stdout.isatty():
        console = Console()
        console.print(Markdown(text, hyperlinks=False), width=min(_WIDTH, console.width))
    else:
        click.echo(text.rstrip())
