"""Published catalogues of sources, read as models and flux points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported
from xgamma.registry import provide

if TYPE_CHECKING:
    from xgamma.sources.catalog import CATALOG_REGISTRY, CatalogRegistry, SourceCatalog
    from xgamma.sources.fermi import (
        SourceCatalog2FHL,
        SourceCatalog3FGL,
        SourceCatalog3FHL,
        SourceCatalog4FGL,
        SourceCatalogObject2FHL,
        SourceCatalogObject3FGL,
        SourceCatalogObject3FHL,
        SourceCatalogObject4FGL,
    )
    from xgamma.sources.gammacat import SourceCatalogGammaCat, SourceCatalogObjectGammaCat
    from xgamma.sources.hawc import (
        SourceCatalog2HWC,
        SourceCatalog3HWC,
        SourceCatalogObject2HWC,
        SourceCatalogObject3HWC,
    )
    from xgamma.sources.hgps import SourceCatalogHGPS, SourceCatalogObjectHGPS, SourceCatalogObjectHGPSComponent
    from xgamma.sources.source import SourceCatalogObject
else:
    __getattr__, __dir__ = exported(__name__)

provide("source catalogue", *(f"{__name__}.{module}" for module in ("fermi", "gammacat", "hawc", "hgps")))

__all__ = [
    "CATALOG_REGISTRY",
    "CatalogRegistry",
    "SourceCatalog",
    "SourceCatalog2FHL",
    "SourceCatalog2HWC",
    "SourceCatalog3FGL",
    "SourceCatalog3FHL",
    "SourceCatalog3HWC",
    "SourceCatalog4FGL",
    "SourceCatalogGammaCat",
    "SourceCatalogHGPS",
    "SourceCatalogObject",
    "SourceCatalogObject2FHL",
    "SourceCatalogObject2HWC",
    "SourceCatalogObject3FGL",
    "SourceCatalogObject3FHL",
    "SourceCatalogObject3HWC",
    "SourceCatalogObject4FGL",
    "SourceCatalogObjectGammaCat",
    "SourceCatalogObjectHGPS",
    "SourceCatalogObjectHGPSComponent",
]
