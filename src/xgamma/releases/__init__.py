"""Catalogues: data releases that xgamma knows by name, and the fetching of their files.

Examples
--------
>>> from xgamma.releases import fetch, read_catalog
>>> release = read_catalog("hess-dl3-dr1")
>>> report = fetch(release, "hess-dl3-dr1", obs_ids=[23523, 23526])  # doctest: +SKIP
"""

from __future__ import annotations

from xgamma.releases.fetch import FetchReport, FileReport, Status, fetch
from xgamma.releases.release import (
    CatalogFile,
    DataRelease,
    catalog_names,
    read_catalog,
    release_document,
    release_from_document,
)
from xgamma.storage.retries import Retries

__all__ = [
    "CatalogFile",
    "DataRelease",
    "FetchReport",
    "FileReport",
    "Retries",
    "Status",
    "catalog_names",
    "fetch",
    "read_catalog",
    "release_document",
    "release_from_document",
]
