"""``xgamma completion``: verbs, options, kinds and keys completed by a shell."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import get_completion_class

from xgamma.cli.console import examples
from xgamma.errors import ConfigError, OutputError
from xgamma.formats.local_files import write_files

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "xgamma"
VARIABLE = "_XGAMMA_COMPLETE"
PLACES = {
    "bash": (".local/share/bash-completion/completions/xgamma", "it is read by new shells that have bash-completion"),
    "zsh": (".zfunc/_xgamma", "add 'fpath+=~/.zfunc; autoload -Uz compinit; compinit' to ~/.zshrc"),
    "fish": (".config/fish/completions/xgamma.fish", "it is read by new shells"),
}
"""Where the script of a shell goes below the home folder, and what makes the shell read it."""


@click.command(
    "completion",
    epilog=examples("xgamma completion bash --install", 'eval "$(xgamma completion zsh)"', "xgamma show out f<TAB>"),
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write the script to where the shell looks for it.")
def completion_command(shell: str, install: bool) -> None:
    """Print the script that lets SHELL complete verbs, options, files, KINDs and keys of products.

    With --install it is written into the home folder, where the shell finds it.
    """
    found = get_completion_class(shell)
    if found is None:
        raise ConfigError(f"There is no completion for {shell}.")
    root = click.get_current_context().find_root().command
    # Not source(), which would start the shell to ask for its version.
    completer = found(root, {}, PROGRAM, VARIABLE)
    script = completer.source_template % completer.source_vars()
    if not install:
        click.echo(script)
        return
    place, hint = PLACES[shell]
    path = Path.home() / place
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path.parent} cannot be made: {error.strerror}. Print the script without --install."
        ) from None
    write_files({path: f"{script}\n".encode()}, overwrite=True)
    click.echo(str(path))
    click.echo(f"Next: {hint}", err=True)
