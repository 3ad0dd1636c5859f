"""The responses of a plain run, written by the functions of pyirf."""

from __future__ import annotations

from typing import Any

from astropy import units as u
from astropy.io import fits
from pyirf.io.gadf import (
    create_aeff2d_hdu,
    create_background_2d_hdu,
    create_energy_dispersion_hdu,
    create_psf_table_hdu,
)

from plain import ONE_BIN, Hdus, at_offset, edges


def area_and_migration(hdus: Hdus, point_like: bool, edisp: str, **cards: Any) -> list[fits.BinTableHDU]:
    """Return effective area and energy dispersion in one offset bin."""
    area, migration = hdus["AEFF"], hdus["EDISP"]
    return [
        create_aeff2d_hdu(
            at_offset(area, "EFFAREA") * u.m**2,
            edges(area, "ENERG", u.TeV),
            ONE_BIN,
            point_like=point_like,
            **cards,
        ),
        create_energy_dispersion_hdu(
            at_offset(migration, "MATRIX"),
            edges(migration, "ENERG", u.TeV),
            edges(migration, "MIGRA", u.one).value,
            ONE_BIN,
            point_like=point_like,
            extname=edisp,
            **cards,
        ),
    ]


def psf_and_background(hdus: Hdus, **cards: Any) -> list[fits.BinTableHDU]:
    """Return the PSF in one offset bin and the background in many."""
    psf, background = hdus["PSF"], hdus["BKG"]
    return [
        create_psf_table_hdu(
            at_offset(psf, "RPSF") / u.sr,
            edges(psf, "ENERG", u.TeV),
            edges(psf, "RAD", u.deg),
            ONE_BIN,
            **cards,
        ),
        create_background_2d_hdu(
            background.data["BKG"][0].T.astype(float) / (u.MeV * u.s * u.sr),
            edges(background, "ENERG", u.TeV),
            edges(background, "THETA", u.deg),
            **cards,
        ),
    ]
