"""Datasets whose images are maps of a file, and whose other variables are in its table ``XGAMMA``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.errors import InputError
from xgamma.formats.fits.dataset_table import dataset_hdu, dataset_of_tables
from xgamma.formats.fits.encoding import Hdu
from xgamma.formats.fits.hdus import HduTable
from xgamma.formats.sky_maps.sky_map import SkyMap

IMAGES = "images"
"""The attribute of the table with what each image is a variable of: name, dims, type and attributes."""


def table_beside_images(ds: xr.Dataset, images: Mapping[str, str]) -> Hdu:
    """Return the ``XGAMMA`` table of what of a Dataset is not in images.

    Parameters
    ----------
    ds
        All variables; arrays in images have the order of their dims there, with dims of one entry left out.
    images
        The name of the HDU of each variable that is in one.
    """
    entries = {
        hdu: {
            "name": name,
            "dims": [str(dim) for dim in ds[name].dims],
            "shape": list(ds[name].shape),
            "dtype": ds[name].dtype.name,
            "attrs": dict(ds[name].attrs),
        }
        for name, hdu in images.items()
    }
    return dataset_hdu(ds.drop_vars(list(images)).assign_attrs({IMAGES: entries}))


def dataset_with_images(tables: Mapping[str, HduTable], maps: Mapping[str, SkyMap], path: Path) -> xr.Dataset | None:
    """Return the Dataset of a file that `table_beside_images` is part of, ``None`` for one of another program.

    Raises ``InputError`` when the file has lost the table or an image.
    """
    rest = dataset_of_tables(tables, path)
    if rest is None or IMAGES not in rest.attrs:
        return rest
    entries: dict[str, dict[str, Any]] = rest.attrs.pop(IMAGES)
    missing = [hdu for hdu in entries if hdu not in maps]
    if missing:
        raise InputError(f"{path} has lost its image {missing[0]}. Write it again.")
    found = {entry["name"]: _variable(maps[hdu].values, entry) for hdu, entry in entries.items()}
    return rest.assign(found)


def _variable(values: npt.NDArray[Any], entry: Mapping[str, Any]) -> xr.Variable:
    shape: Sequence[int] = entry["shape"]
    return xr.Variable(entry["dims"], np.asarray(values).reshape(shape).astype(entry["dtype"]), entry["attrs"])
