"""The upkeep of a store: verified, recomputed, compared with Gammapy, compacted and tagged."""
