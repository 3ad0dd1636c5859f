"""Spectra: what every one can do, and the families of them."""
