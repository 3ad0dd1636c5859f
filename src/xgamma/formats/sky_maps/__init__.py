"""Maps of the sky in FITS: one map and its axes, datasets of maps, and maps of fluxes."""
