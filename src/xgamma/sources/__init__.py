"""Published catalogues of sources, read as models and flux points."""

from __future__ import annotations

from xgamma.sources.catalog import CATALOG_REGISTRY, CatalogRegistry, SourceCatalog
from xgamma.sources.hawc import (
    SourceCatalog2HWC,
    SourceCatalog3HWC,
    SourceCatalogObject2HWC,
    SourceCatalogObject3HWC,
)
from xgamma.sources.source import SourceCatalogObject

__all__ = [
    "CATALOG_REGISTRY",
    "CatalogRegistry",
    "SourceCatalog",
    "SourceCatalog2HWC",
    "SourceCatalog3HWC",
    "SourceCatalogObject",
    "SourceCatalogObject2HWC",
    "SourceCatalogObject3HWC",
]
