"""From a release to DL3 parts in a store: what is there already is found, what is new or changed is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from xgamma.ingest.merge import merge_parts
    from xgamma.ingest.release import FitsRelease, open_release
    from xgamma.ingest.stored import Holdings, Origin, StoredRelease
else:
    __getattr__, __dir__ = exported(__name__)

__all__ = ["FitsRelease", "Holdings", "Origin", "StoredRelease", "merge_parts", "open_release"]
