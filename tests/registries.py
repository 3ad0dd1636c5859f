"""What a test registers is known to it alone."""

from __future__ import annotations

import pytest

import xgamma.estimate
import xgamma.models.spatial
import xgamma.models.spectral
import xgamma.models.temporal
import xgamma.reduce.background
import xgamma.sources  # noqa: F401
from xgamma import registry


def own_registry(patch: pytest.MonkeyPatch) -> None:
    """Let what is registered from now on be forgotten with the patch, but for what xgamma has."""
    for kind in registry._HOMES:
        registry.names(kind)
    patch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    patch.setattr(registry, "_HOMES", dict(registry._HOMES))
