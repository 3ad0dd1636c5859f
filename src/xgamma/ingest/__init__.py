"""From a release to DL3 parts in a store: what is there already is found, what is new or changed is read."""

from __future__ import annotations

from xgamma.ingest.merge import merge_parts
from xgamma.ingest.release import FitsRelease, open_release
from xgamma.ingest.stored import Holdings, Origin, StoredRelease

__all__ = ["FitsRelease", "Holdings", "Origin", "StoredRelease", "merge_parts", "open_release"]
