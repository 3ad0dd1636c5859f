"""Flux points in the SED format of GADF and its relatives."""
