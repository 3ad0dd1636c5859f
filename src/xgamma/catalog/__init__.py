"""Catalogues of sources at the import path that users of Gammapy know, and those of data releases.

Examples
--------
>>> from xgamma.catalog import CATALOG_REGISTRY
>>> CATALOG_REGISTRY.get_cls("3hwc").__name__
'SourceCatalog3HWC'
"""

from __future__ import annotations

from xgamma.gammapy_names import later_names
from xgamma.releases import *  # noqa: F403
from xgamma.releases import __all__ as _releases
from xgamma.sources import *  # noqa: F403
from xgamma.sources import __all__ as _sources

__all__ = [*_sources, *_releases]

__getattr__ = later_names(__name__)
