"""The command line in this process: exit code, standard output, log messages."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

import pytest

from xgamma.cli import main

MORE = re.compile(r"^More: xgamma help (\S+)\n", re.MULTILINE)


class Ran(NamedTuple):
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on standard output, which holds nothing else."""
        return json.loads(self.out)


class CommandLine:
    """Calls ``main`` as the entry point does."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        # The page that the last command named, which is no part of its sentences.
        self.more = ""

    def __call__(self, *words: object) -> Ran:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        code = end.value.code
        out, err = self._capsys.readouterr()
        more = MORE.search(err)
        self.more = more[1] if more else ""
        return Ran(int(code or 0), out, MORE.sub("", err))
