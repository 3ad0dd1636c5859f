"""The configuration that a verb is about: a file, or ``-`` for standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from xgamma.config.config import AnalysisConfig
from xgamma.errors import ConfigError, DataError, InputError, OutputError, OutputExistsError, XgammaError

STANDARD_INPUT = "-"
WITH_PLACES = (ConfigError, DataError, InputError, OutputError, OutputExistsError)
"""Errors that may be about a key of a configuration."""

config_argument = click.argument("config", type=click.Path(path_type=Path, allow_dash=True))


@contextmanager
def configuration(place: Path, options: Mapping[str, object] | None = None) -> Iterator[AnalysisConfig]:
    """Read a configuration for a ``with`` block; what the block raises about one of its keys names the file too.

    Values of ``options`` that are not ``None`` are set in the section ``general``; what is wrong with one of them names
    the option.

    Raises
    ------
    ConfigError, MissingInputError, InputError
        As ``AnalysisConfig.read``.
    """
    config = _read(place)
    given = {name: value for name, value in (options or {}).items() if value is not None}
    for name, value in given.items():
        setattr(config.general, name, value)
    try:
        yield config
    except XgammaError as error:
        if not isinstance(error, WITH_PLACES) or not _KEY.match(str(error)):
            raise
        key, _, said = str(error).partition(": ")
        option = key.removeprefix("general.")
        if option in given:
            raise type(error)(f"--{option.replace('_', '-')}: {said}") from error
        raise error.of(_named(place)) from error


def _read(place: Path) -> AnalysisConfig:
    if str(place) != STANDARD_INPUT:
        return AnalysisConfig.read(place)
    try:
        return AnalysisConfig.from_yaml(sys.stdin.buffer.read().decode())
    except ConfigError as error:
        raise error.of(_named(place)) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{_named(place)}: expected text in UTF-8; {error}.") from None


def _named(place: Path) -> str:
    return "standard input" if str(place) == STANDARD_INPUT else str(place)


_KEY = re.compile(rf"({'|'.join([*AnalysisConfig.model_fields, 'datasets_names'])})(\[\d+\])?[.:]")
"""How a sentence about a key of a configuration begins."""
