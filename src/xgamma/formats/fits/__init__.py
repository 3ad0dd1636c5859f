"""FITS files read as plain tables, headers and bytes, within bounds."""
