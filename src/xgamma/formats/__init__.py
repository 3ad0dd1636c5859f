"""Files in and out, a room for each format: ``read_`` makes a Dataset of a file, ``write_`` a file of a Dataset.

``from xgamma.formats import spectrum_fits`` loads nothing, the first function of it that is called does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported

if not TYPE_CHECKING:
    __getattr__, __dir__ = exported(__name__)
