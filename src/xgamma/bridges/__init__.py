"""Gammapy's objects from ours and back; the only package that imports Gammapy, when a bridge is first used."""

from __future__ import annotations

import importlib
from types import ModuleType

from xgamma.errors import ConfigError

_LAZY = ("flux_points", "models", "reduction", "spectra")


def __getattr__(name: str) -> ModuleType:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ImportError as error:
        raise ConfigError(
            f"This needs Gammapy, which cannot be loaded here ({error}); install it: pip install 'xgamma[gammapy]'."
        ) from error
