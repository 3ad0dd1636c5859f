"""The files of a small release that was made up, and how a catalogue declares them."""

from __future__ import annotations

import hashlib

from xgamma.releases import CatalogFile, Retries

INDEX, ONE, TWO = "hdu-index.fits.gz", "data/run_1.fits", "data/run_2.fits"
SIZES = {INDEX: 3_000, ONE: 400_000, TWO: 250_000}
# Gives up quickly; a retry follows at once.
HASTY = Retries(timeout=0.4, retries=2, pause=0.01)


def catalogued(name: str, content: bytes, *obs_ids: int, with_size: bool = True) -> CatalogFile:
    """Return the entry of a file with this content."""
    digest = hashlib.sha256(content).hexdigest()
    return CatalogFile(name, digest, len(content) if with_size else None, obs_ids)


def made_bytes(size: int, seed: int) -> bytes:
    """Return bytes of which no two pieces are the same."""
    blocks = [hashlib.sha256(f"{seed}/{n}".encode()).digest() for n in range(size // 32 + 1)]
    return b"".join(blocks)[:size]
