"""All models at the import path that users of Gammapy know."""

from __future__ import annotations

from xgamma.models import *  # noqa: F403
from xgamma.models import __all__ as __all__
