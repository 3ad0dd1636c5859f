"""All models at the import path that users of Gammapy know."""

from __future__ import annotations

from xgamma.gammapy_names import later_names
from xgamma.models import *  # noqa: F403
from xgamma.models import Models
from xgamma.models import __all__ as _models
from xgamma.models.spectral.absorption import CATALOG, PUBLISHED

DatasetModels = Models
EBL_DATA_BUILTIN = {name: f"{CATALOG}/{filename}" for name, (filename, _) in PUBLISHED.items()}

__all__ = [*_models, "EBL_DATA_BUILTIN", "DatasetModels"]

__getattr__ = later_names(__name__)
