"""Shells complete verbs, options, kinds, keys, tags, topics and files by the script of ``xgamma completion``."""

import os
import shutil
import subprocess
import sys

import click
import pytest

from xgamma.cli.main import VERBS, group
from xgamma.store import Store
from xgamma.upkeep import parts

ASK = {
    "bash": "source {script}; COMP_WORDS=({words}); COMP_CWORD={number}; _xgamma_completion xgamma; "
    'printf "%s\\n" "${{COMPREPLY[@]}}"',
    "fish": "source {script}; complete -C '{words}'",
    # What zsh shows is handed to three functions of its own.
    "zsh": "compdef() {{}}; compadd() {{ print -l -- $completions }}; _path_files() {{ print -- files }}; "
    "_describe() {{ print -l -- $completions_with_descriptions }}; source {script}; "
    "words=({words}); CURRENT={number}+1; _xgamma_completion",
}
OPTIONS = {"bash": ["--norc"], "fish": ["--no-config"], "zsh": ["-f"]}


@pytest.fixture
def completed(tmp_path, xgamma):
    """Return what a shell offers for the last word of a line, without the help beside it."""
    program = tmp_path / "bin" / "xgamma"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m xgamma.cli "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])

    def ask(shell, line):
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        script = tmp_path / f"script.{shell}"
        script.write_text(xgamma("completion", shell).out)
        code = ASK[shell].format(script=script, words=line, number=len(line.split()) - 1)
        done = subprocess.run(
            [shell, *OPTIONS[shell], "-c", code],
            env=os.environ | {"PATH": path, "HOME": str(tmp_path)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.stderr == ""
        return [found.split("\t")[0].partition(":")[0] for found in done.stdout.splitlines()]

    return ask


@pytest.mark.some_long(3)
@pytest.mark.parametrize("shell", list(ASK))
def test_each_shell_completes_verbs_options_kinds_and_keys(completed, out, shell):
    [record] = Store(out / "xgamma-store", read_only=True).ls("fit")
    assert completed(shell, "xgamma expl") == ["explain"]
    assert completed(shell, "xgamma ls --ki") == ["--kind"]
    assert completed(shell, f"xgamma ls {out} --kind li") == ["light-curve"]
    assert completed(shell, f"xgamma show {out} fit/") == [f"fit/{record.key[:12]}"]


def offered(verb, name, word, **params):
    command = group.get_command(None, verb)
    [parameter] = [each for each in command.params if each.name == name]
    ctx = click.Context(command, parent=click.Context(group, info_name="xgamma"), info_name=verb)
    ctx.params = params
    return [(each.type, each.value) for each in parameter.shell_complete(ctx, word)]


def test_topics_tags_and_releases_are_completed(tmp_path):
    parts.tag(Store(tmp_path / "store"), "spring")
    assert offered("help", "topic", "unu") == [("plain", "unused-runs")]
    assert ("plain", "explain") in offered("help", "topic", "ex")
    assert offered("tag", "name", "s", store=str(tmp_path / "store")) == [("plain", "spring")]
    assert offered("ls", "tag", "x", place=str(tmp_path / "store")) == []
    assert offered("tag", "name", "s", store=str(tmp_path / "none")) == []
    assert offered("fetch", "name", "hess") == [("plain", "hess-dl3-dr1")]
    assert offered("fetch", "name", "own/") == [("file", "own/")]


@pytest.mark.parametrize("verb", VERBS)
def test_a_shell_can_complete_every_argument(verb):
    command = group.get_command(None, verb)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            known = isinstance(parameter.type, click.Path | click.Choice)
            assert known or parameter._custom_shell_complete is not None, parameter.name
