"""The configuration that a verb is about: a file, or ``-`` for standard input."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from xgamma.config.config import AnalysisConfig
from xgamma.errors import ClusterError, ConfigError, DamagedError, StoreError, XgammaError

STANDARD_INPUT = "-"
OF_NO_FILE = (ClusterError, DamagedError)
"""Errors that another configuration would not mend."""

config_argument = click.argument("config", type=click.Path(path_type=Path, allow_dash=True))


@contextmanager
def configuration(place: Path, options: Mapping[str, object] | None = None) -> Iterator[AnalysisConfig]:
    """Read a configuration for a ``with`` block; what the block raises names the file, and that of its models.

    Values of ``options`` that are not ``None`` are set in the section ``general``; what is wrong with one of them names
    the option.

    Raises
    ------
    ConfigError, MissingInputError, InputError
        As ``AnalysisConfig.read``.
    """
    config = _read(place)
    given = {name: value for name, value in (options or {}).items() if value is not None}
    try:
        for name, value in given.items():
            setattr(config.general, name, value)
        yield config
    except OF_NO_FILE:
        raise
    except XgammaError as error:
        key, _, said = str(error).partition(": ")
        option = key.removeprefix("general.")
        if key.startswith("--") or (isinstance(error, StoreError) and "store" in given):
            raise
        if option in given:
            raise type(error)(f"--{option.replace('_', '-')}: {said}") from error
        if _OF_MODELS.match(str(error)) and (models := _models_file(config)):
            error = error.in_file(models)
        raise error.in_file(_named(place)) from error


def _models_file(config: AnalysisConfig) -> str:
    """Return the file that the models of a configuration come from, nothing where they stand in it."""
    section = config.general.models_file if config.models is None else config.models
    return "" if section is None or isinstance(section, Mapping) else str(section)


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


_OF_MODELS = re.compile(
    r"The (model|spectrum of|parameter|statistic is) |No free parameters|datasets_names: |\w+Model[.:]|"
    r"[^\s:]+\.(spectral|spatial|temporal)\."
)
"""How sentences begin that are about models, whichever file they are in."""
