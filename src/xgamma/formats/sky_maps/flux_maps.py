"""Maps of fluxes and significances in one FITS file, with the level of their limits and the spectrum of their norms.

Gammapy reads them with ``FluxMaps.read``; it keeps the model in a second file, whose place it takes from the header as
it is, so that both are only found from the folder they were written from. Here the model is in the file as well.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis
from xgamma.errors import ConfigError, DataError, InputError
from xgamma.formats.fits.dataset_table import PROMISE
from xgamma.formats.fits.encoding import Column, Hdu, text_values
from xgamma.formats.fits.hdus import fits_text
from xgamma.formats.fits.images import FitsFile, read_fits
from xgamma.formats.fits.tables import as_input_error
from xgamma.formats.local_files import is_there, local_path, validate_ending, validate_output, write_files
from xgamma.formats.sed.kinds import LIKELIHOOD, QUANTITIES
from xgamma.formats.sed.table import validate_sed_type
from xgamma.formats.sky_maps.files import ENDINGS, maps_content, maps_of_file
from xgamma.formats.sky_maps.labelled import dataset_with_images, table_beside_images
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.formats.yaml_documents import block_yaml, parsed_yaml, read_yaml
from xgamma.schema.excess_map import image_of
from xgamma.sky import IMAGE

DIMS = ("energy", "y", "x")
MODEL, SPECTRUM = "MODEL", "spectrum"
_DOCUMENT = "DOCUMENT"
_CARDS = {"n_sigma": "N_SIGMA", "n_sigma_ul": "NSIGMAUL", "UL_CONF": "UL_CONF", "correlation_radius": "CORRRAD"}
_COMMENTS = {
    "n_sigma": "standard deviations of the errors",
    "n_sigma_ul": "standard deviations of the limits",
    "UL_CONF": "confidence of the limits",
    "correlation_radius": "[deg] radius of the circle about each pixel",
}
_NORMS = ("", "_err", "_errn", "_errp", "_ul", "_sensitivity")


def write_flux_maps(
    ds: xr.Dataset, path: str | os.PathLike[str], sed_type: str = LIKELIHOOD, *, overwrite: bool = False
) -> list[Path]:
    """Write the maps of an excess map (DL5, dims energy, y, x) to one ``.fits`` or ``.fits.gz`` file.

    Each variable in pixels is an image with its name in capitals. Where the norms are multiples of a spectrum, it is in
    the table MODEL of the file, and in a second file, ``{path}_model.yaml``, which Gammapy wants. The level of errors
    and limits is in the primary header. `read_flux_maps` gives the identical Dataset.

    Parameters
    ----------
    ds
        The maps, with the coordinate ``image``.
    path
        The name of the file.
    sed_type
        ``likelihood`` (norms), ``dnde``, ``flux``, ``eflux`` or ``e2dnde``: what norms are written as.
    overwrite
        Whether files that exist are replaced.

    Returns
    -------
    list of Path
        The files; the maps first.

    Raises
    ------
    ConfigError
        For another ending or ``sed_type``.
    DataError
        When norms are no multiples of a spectrum and fluxes are asked for.
    OutputExistsError, OutputError
        When a file exists, or the folder cannot be written. All files appear, or none.
    """
    target = local_path(path)
    validate_ending(target, ENDINGS, "Maps of fluxes")
    validate_sed_type(sed_type)
    loaded = ds.compute()
    document = loaded.attrs.get(SPECTRUM)
    # A text of Gammapy's: the file is taken from here as it stands.
    model_path = Path(f"{target}_model.yaml")
    for each in [target, *([model_path] if document else [])]:
        validate_output(each, overwrite)
    content = _content(loaded, sed_type, str(model_path), compress=target.name.lower().endswith(".gz"))
    contents = {target: content} | ({model_path: _model_text(document).encode()} if document else {})
    write_files(contents, overwrite=overwrite)
    return list(contents)


def _content(ds: xr.Dataset, sed_type: str, model_path: str, *, compress: bool) -> bytes:
    maps = [_written(ds, str(name), sed_type) for name in ds.data_vars if ds[name].dims == DIMS]
    if not maps:
        raise DataError("There is no map to write: no variable of the Dataset has the dims energy, y and x.")
    cards: dict[str, Any] = {"SED_TYPE": sed_type, **PROMISE}
    cards |= {_CARDS[key]: (ds.attrs[key], _COMMENTS[key]) for key in _CARDS if key in ds.attrs}
    tables: list[Any] = []
    if ds.attrs.get(SPECTRUM):
        cards["MODEL"] = fits_text(model_path)
        tables.append(_model_hdu(ds.attrs[SPECTRUM]))
    tables.append(table_beside_images(ds, {each.variable: each.map.name for each in maps if each.is_exact}))
    return maps_content([each.map for each in maps], tables, cards, compress=compress)


class _Written(NamedTuple):
    """A map to write, the variable it is made of, and whether it is that variable."""

    map: SkyMap
    variable: str
    is_exact: bool


def _written(ds: xr.Dataset, name: str, sed_type: str) -> _Written:
    values, unit, written = np.asarray(ds[name].values), str(ds[name].attrs.get("units", "")), name
    suffix = name.removeprefix("norm")
    is_norm = name.startswith("norm") and suffix in _NORMS
    if is_norm and sed_type != LIKELIHOOD:
        if f"ref_{sed_type}" not in ds:
            raise DataError(
                f"The norms are no multiples of a spectrum, so that there is no {sed_type} to write. Write "
                f"{LIKELIHOOD!r}, or make the map with a spectrum."
            )
        values = values * np.asarray(ds[f"ref_{sed_type}"].values)[:, None, None]
        unit, written = QUANTITIES[sed_type], f"{sed_type}{suffix}"
    axis, space = Axis.from_coords(ds.coords, "energy"), image_of(ds)
    each = SkyMap.of_space(values, (axis,), space, unit, written.upper())
    return _Written(each, name, written == name)


def _model_text(document: Mapping[str, Any]) -> str:
    """Return the document of a spectrum as Gammapy keeps models."""
    component = {"name": "reference", "type": "SkyModel", "spectral": dict(document)}
    return block_yaml({"components": [component]})


def _model_hdu(document: Mapping[str, Any]) -> Hdu:
    lines = [fits_text(line) for line in _model_text(document).splitlines()]
    return Hdu(MODEL, [Column(_DOCUMENT, text_values(lines))])


def read_flux_maps(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read maps of fluxes of xgamma, or of Gammapy, as a Dataset with dims energy, y, x.

    A file of xgamma gives the identical Dataset. One of Gammapy gives the maps that are in it by their names in small
    letters, and the spectrum where its model is in the file or beside it; it does not say the level of its limits.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not FITS, truncated, or its maps differ in their pixels or energies.
    """
    source = local_path(path)
    file = read_fits(source)
    maps = maps_of_file(file)
    if not maps:
        raise InputError(f"{source} has no map; it has the tables {', '.join(file.tables)}.")
    with as_input_error(str(source)):
        ours = dataset_with_images(file.tables, maps, source)
    if ours is not None:
        return ours
    first = next(iter(maps.values()))
    for each in maps.values():
        if each.axes != first.axes or each.npix != first.npix:
            raise InputError(f"{source}: its maps {first.name} and {each.name} differ in energies or pixels.")
    try:
        axis = first.axis("energy")
    except DataError as error:
        raise InputError(f"{source}: {error}") from None
    variables: dict[str, Any] = {name.lower(): (DIMS, each.values, {"units": each.unit}) for name, each in maps.items()}
    coords = {**axis.coords(), **first.space.sky_coords(), IMAGE: first.space.coords()[IMAGE]}
    return xr.Dataset(variables, coords, _attrs(file, source))


def _attrs(file: FitsFile, source: Path) -> dict[str, Any]:
    header = file.tables["PRIMARY"].header if "PRIMARY" in file.tables else {}
    attrs: dict[str, Any] = {"sed_type": str(header.get("SED_TYPE", LIKELIHOOD))}
    attrs |= {name: header[card] for name, card in _CARDS.items() if card in header}
    document = _spectrum(file, str(header.get("MODEL", "")), source)
    return attrs if document is None else {**attrs, SPECTRUM: document}


def _spectrum(file: FitsFile, named: str, source: Path) -> dict[str, Any] | None:
    """Return the spectrum of the table MODEL, else of the file beside the maps that the header names."""
    if MODEL in file.tables:
        lines: npt.NDArray[Any] = file.tables[MODEL].column(_DOCUMENT)
        document = parsed_yaml("\n".join(str(line) for line in lines), f"{source}: {MODEL}")
    else:
        beside = source.parent / Path(named).name
        if not named or not is_there(beside):
            return None
        document = read_yaml(beside, "model of flux maps")
    try:
        return dict(document["components"][0]["spectral"])
    except (TypeError, KeyError, IndexError, ConfigError):
        raise InputError(f"{source}: the model of its norms is no list of components with a spectrum.") from None
