"""The command line: ``xgamma VERB``. Results go to stdout, messages and progress to stderr."""

from __future__ import annotations

from xgamma.cli.main import main

__all__ = ["main"]
