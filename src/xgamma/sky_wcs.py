"""Images of the sky as FITS headers say them: the WCS of a ``SkySpace``, and the space of a WCS."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np

from xgamma.errors import InputError
from xgamma.geometry import separation, to_frame
from xgamma.projections import PROJECTIONS
from xgamma.sky import SkySpace

if TYPE_CHECKING:
    from astropy.wcs import WCS


_TYPES = {"icrs": ("RA---", "DEC--"), "galactic": ("GLON-", "GLAT-")}
_FRAMES = {("RA", "DEC"): "icrs", ("GLON", "GLAT"): "galactic"}
# FK5 at J2000 is the ICRS to 0.03 arcsec.
_POLE = 1e-9
_EQUATORIAL, _J2000 = ("FK5", ""), 2000.0


def image_wcs(space: SkySpace, origin: tuple[int, int] = (0, 0)) -> WCS:
    """Return the celestial WCS of an image, or of the window of it that begins at pixel (v, u)."""
    wcs = astropy.wcs.WCS(naxis=2)
    wcs.wcs.ctype = [f"{name}{space.projection}" for name in _TYPES[space.frame]]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = _upright(space.lon, space.lat)
    wcs.wcs.cdelt = [-space.aspect * space.binsize, space.binsize]
    wcs.wcs.crpix = [at + 1 - first for at, first in zip(space.reference_pixel, reversed(origin), strict=True)]
    if space.frame == "icrs":
        wcs.wcs.radesys = "ICRS"
    nv, nu = space.shape
    wcs.array_shape = (nv, nu)
    wcs.wcs.set()
    return wcs


def space_of_header(header: Any, npix: tuple[int, int] | None = None, where: str = "The header") -> SkySpace:
    """Return the image that a FITS header describes; see ``space_of_wcs``."""
    with warnings.catch_warnings():
        # Tells of dates that were put in order.
        warnings.simplefilter("ignore", astropy.wcs.FITSFixedWarning)
        try:
            wcs = astropy.wcs.WCS(header)
        except (astropy.wcs.WcsError, ValueError) as error:
            said = str(error).strip().splitlines()[-1].rstrip(".")
            raise InputError(f"{where} does not hold the coordinates of an image ({said}).") from None
    return space_of_wcs(wcs, npix, where)


def space_of_wcs(wcs: WCS, npix: tuple[int, int] | None = None, where: str = "The WCS") -> SkySpace:
    """Return the image of a WCS, whose axes beyond the sky are left out.

    Parameters
    ----------
    wcs
        One with equatorial or Galactic axes, longitude first. Longitude may grow to either side.
    npix
        The number of pixels (x, y); ``None`` is what the header says.
    where
        What the sentences about it begin with.

    Raises
    ------
    InputError
        For axes that are not on the sky, another frame, a projection other than CAR, TAN and AIT, and for an image
        that is turned, distorted or upside down.
    """
    sky = wcs.celestial
    if sky.naxis != 2 or not wcs.has_celestial:
        raise InputError(f"{where} has no axes on the sky; expected a longitude and a latitude.")
    shape = npix or sky.pixel_shape
    if shape is None:
        raise InputError(f"{where} does not say how many pixels the image has; expected NAXIS1 and NAXIS2.")
    frame, letters = frame_of_wcs(sky, where), _projection(sky, where)
    step_x, step_y = _steps(sky, where)
    lon, lat = (float(value) for value in sky.wcs.crval)
    nx, ny = (int(n) for n in shape)
    x0, y0 = (float(value) - 1 for value in sky.wcs.crpix)
    aspect = -step_x / step_y
    square = float(np.sign(aspect)) if abs(abs(aspect) - 1) < 1e-9 else aspect
    space = SkySpace(*_upright(lon % 360.0, lat), frame, step_y, (nx, ny), None, letters, (x0, y0), square)
    _validate_north(sky, space, where)
    is_middle = max(abs(x0 - 0.5 * (nx - 1)), abs(y0 - 0.5 * (ny - 1))) < 1e-6
    return replace(space, reference=None) if is_middle else space


def _upright(lon: float, lat: float) -> tuple[float, float]:
    """Return the centre, whose longitude in FITS jumps where it reaches the north pole, to the last digits of it."""
    return ((lon + 180.0) % 360.0, 90.0) if lat > 90.0 - _POLE else (lon, lat)


def frame_of_wcs(sky: WCS, where: str) -> str:
    """Return the frame of a celestial WCS, ``icrs`` or ``galactic``; raises ``InputError`` for another one."""
    axis, other = (str(name).split("-")[0] for name in sky.wcs.ctype)
    frame = _FRAMES.get((axis, other))
    if frame is None:
        raise InputError(f"{where} has the axis {axis!r} and {other!r}; expected RA/DEC or GLON/GLAT.")
    system, equinox = sky.wcs.radesys.strip().upper(), float(sky.wcs.equinox)
    # The ICRS has no equinox, whatever a header says.
    is_today = system == "ICRS" or (system in _EQUATORIAL and (np.isnan(equinox) or equinox == _J2000))
    if frame == "icrs" and not is_today:
        raise InputError(f"{where} is in {system} {equinox:g}; expected ICRS or FK5 at J2000.")
    return frame


def _projection(sky: WCS, where: str) -> str:
    letters, others = (str(name)[-3:] for name in sky.wcs.ctype)
    if letters not in PROJECTIONS or others != letters:
        raise InputError(f"{where} has the projection {letters}; expected {', '.join(PROJECTIONS)}; reproject it.")
    if sky.has_distortion or any(True for _ in sky.wcs.get_pv()):
        raise InputError(f"{where} has a projection with parameters or a distortion; reproject it.")
    return letters


def _steps(sky: WCS, where: str) -> tuple[float, float]:
    matrix = np.asarray(sky.pixel_scale_matrix, dtype=float)
    (step_x, across), (along, step_y) = matrix.tolist()
    if not np.isfinite(matrix).all() or max(abs(across), abs(along)) > 1e-9 * min(abs(step_x), abs(step_y)):
        raise InputError(f"{where} is turned against north; reproject it to an image with north up.")
    if step_y <= 0:
        raise InputError(f"{where} has a latitude that grows downwards; turn it over.")
    return step_x, step_y


def _validate_north(sky: WCS, space: SkySpace, where: str) -> None:
    """Raise ``InputError`` unless the WCS leads to the same places as the image, with north up about its centre."""
    x0, y0 = space.reference_pixel
    step = min(1.0, 1.0 / (space.binsize * abs(space.aspect)), 1.0 / space.binsize)
    x, y = step * np.array([0.0, 1.0, 0.0]), step * np.array([0.0, 0.0, 1.0])
    world_lon, world_lat = sky.wcs_pix2world(x0 + x, y0 + y, 0)
    lon, lat = to_frame(world_lon, world_lat, space.frame, "icrs")
    about = replace(space, npix=(1, 1), reference=None)
    if not np.all(separation(lon, lat, *about.sky_of(x, y)) < 1e-6 * step * space.binsize):
        raise InputError(
            f"{where} has LONPOLE = {sky.wcs.lonpole:g} and LATPOLE = {sky.wcs.latpole:g}, with which north is not "
            "up in the middle of the projection; reproject it."
        )
