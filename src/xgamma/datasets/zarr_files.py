"""Datasets as a Zarr group in a folder: one Dataset is the root, several are the groups ``spectra-0`` and so on.

The encoding is that of the store, so that ``xr.open_zarr`` shows the same as for a product.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from xgamma.errors import InputError, MissingInputError, OutputError, OutputExistsError
from xgamma.formats.atomic import new_folder
from xgamma.storage.backend import open_backend
from xgamma.store.encoding import array_documents, encoded, read_group, write_groups
from xgamma.store.layout import validated_documents

ROOT = "zarr.json"
GROUP = "spectra-"
_GROUPS = re.compile(rf"{GROUP}\d{{1,9}}", re.ASCII)


def write_zarr(datasets: Sequence[xr.Dataset], path: Path, overwrite: bool) -> None:
    """Write Datasets into a new folder, whole or not at all.

    Raises
    ------
    OutputExistsError
        When the folder exists and ``overwrite`` is false.
    OutputError
        When the place cannot be written, or something that is no Zarr group stands there.
    """
    _validate_place(path, overwrite)
    names = [""] if len(datasets) == 1 else [f"{GROUP}{number}" for number in range(len(datasets))]
    groups = {name: encoded(ds, name) for name, ds in zip(names, datasets, strict=True)}
    with new_folder(path) as folder:
        write_groups(open_backend(folder).zarr, "", groups, {})


def _validate_place(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already. Choose another name, or write with overwrite=True.")
    if path.exists() and not (path / ROOT).is_file():
        raise OutputError(f"{path} is not a Zarr group of version 3 and is not overwritten. Choose another name.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: {path.parent} is not a folder that can be written.")


def read_zarr(path: Path) -> list[xr.Dataset]:
    """Read the Datasets that `write_zarr` wrote, identical, into memory.

    Raises
    ------
    MissingInputError, InputError
        When there is no such folder, or it is something else.
    """
    if not (path / ROOT).is_file():
        raise MissingInputError(f"There is no Zarr group {path}: expected a folder with {ROOT} in it.")
    backend = open_backend(path, create=False)
    try:
        documents = validated_documents(backend.read(ROOT) or b"")
    except ValueError as error:
        raise InputError(
            f"{path} was not written by xgamma, or is damaged, as its {ROOT} {error}. "
            "Open it with xr.open_zarr and Datasets.from_xarray."
        ) from None
    groups = (
        [""] if array_documents(documents, "") else sorted((g for g in documents if _GROUPS.fullmatch(g)), key=_number)
    )
    return [read_group(backend.zarr, "", documents, group) for group in groups]


def _number(group: str) -> int:
    return int(group.removeprefix(GROUP))
