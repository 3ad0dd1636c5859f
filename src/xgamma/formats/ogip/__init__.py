"""OGIP spectra with their responses: PHA, BKG, ARF, RMF."""
