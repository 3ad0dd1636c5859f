"""Files of datasets, whose name ends as their format, and datasets handed to Gammapy and taken over from it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import xarray as xr

from xgamma import bridges
from xgamma.datasets import info, inputs, map_files
from xgamma.datasets.inputs import ModelledRows
from xgamma.errors import ConfigError, InputError, LaterError, MissingInputError, OutputError, OutputExistsError
from xgamma.formats import dataset_index, spectrum_fits
from xgamma.formats.fits import images
from xgamma.formats.local_files import local_path, new_folder, validate_output, write_files
from xgamma.formats.ogip import files as ogip_files
from xgamma.formats.ogip import response
from xgamma.formats.sky_maps import map_dataset
from xgamma.models.models import Models
from xgamma.schema import PLANES, WINDOWS, space_dims, window_chunks
from xgamma.schema.arrays import Arrays, NamedArrays, SomeArrays, dataset_of
from xgamma.schema.excess_map import plane_chunks
from xgamma.schema.response_grids import BINSIZE_IRF
from xgamma.storage.backend import open_backend
from xgamma.store import encoding as store_encoding
from xgamma.store.documents import array_documents
from xgamma.store.layout import validated_documents


def collection_of_gammapy(parts: Sequence[ModelledRows]) -> Any:
    """Return all rows as ``Datasets`` of Gammapy; those that share models share them there too."""
    theirs = {id(part.models): part.models.to_gammapy() for part in parts if len(part.models)}
    names = [name for part in parts for name in info.row_names(part.data)]
    for part in parts:
        for model, made in zip(part.models, theirs.get(id(part.models), ()), strict=True):
            if model.datasets_names is not None:
                # Gammapy knows no patterns.
                made.datasets_names = [name for name in names if model.applies_to(name)]
    collection = bridges.spectra.collected(
        dataset for part in parts for dataset in _with_models(part, theirs.get(id(part.models)))
    )
    if len(theirs) == 1 and all(len(part.models) for part in parts):
        # The covariance between models is kept by the collection only.
        [collection.models] = theirs.values()
    return collection


def _with_models(part: ModelledRows, models: Any) -> list[Any]:
    bound = [model.name for model in part.models if model.datasets_names is not None]
    if bound and part.data.sizes["region"] > 1:
        raise LaterError(
            f"Model {bound[0]!r} belongs to rows of several regions, and in Gammapy each of these is a dataset with a "
            "name of its own; set the models there."
        )
    rows = inputs.with_mask_fit(part.data, part.mask_fit)
    datasets: list[Any] = bridges.spectra.to_gammapy(rows, info.row_names(part.data))
    for dataset in datasets:
        dataset.models = models
    return datasets


class Taken(NamedTuple):
    """Datasets of Gammapy as ours: Datasets, the names in their order, all models, and those of each by name."""

    data: list[xr.Dataset]
    names: list[str]
    models: Models
    models_of: dict[str, list[str]]

    @property
    def models_are_shared(self) -> bool:
        """Whether each dataset has just those of all models that say they belong to it."""
        return all(
            sorted(found) == sorted(model.name for model in self.models if model.applies_to(name))
            for name, found in self.models_of.items()
        )


def taken_from_gammapy(datasets: Any) -> Taken:
    """Return one or several datasets of Gammapy as Datasets of rows, with their models."""
    given = bridges.spectra.collected(datasets if isinstance(datasets, Iterable) else [datasets])
    held = given.models
    return Taken(
        bridges.spectra.from_gammapy(given),
        [dataset.name for dataset in given],
        Models.from_gammapy(held) if held else Models(),
        {dataset.name: [model.name for model in dataset.models or ()] for dataset in given},
    )


ROOT = "zarr.json"
GROUP = "spectra-"
_GROUPS = re.compile(rf"{GROUP}\d{{1,9}}", re.ASCII)

Writer: TypeAlias = "Callable[[Sequence[Arrays], Path, bool, float], None]"
Reader: TypeAlias = "Callable[[Path], list[xr.Dataset]]"


class Format(NamedTuple):
    """A way to keep Datasets in files."""

    write: Writer
    read: Reader


def _only(datasets: Sequence[SomeArrays], path: Path) -> SomeArrays:
    if len(datasets) != 1:
        raise ConfigError(
            f"{path.name}: this kind of file holds the rows of one energy binning, got {len(datasets)} Datasets; "
            "choose a name that ends in .zarr."
        )
    return datasets[0]


def _is_of_maps(ds: NamedArrays) -> bool:
    return space_dims(ds) == WINDOWS


def _write_fits(datasets: Sequence[Arrays], path: Path, overwrite: bool, binsize_irf: float) -> None:
    ds = _only(datasets, path)
    if _is_of_maps(ds):
        map_files.write_map_dataset(dataset_of(ds), path, overwrite=overwrite, binsize_irf=binsize_irf)
    else:
        spectrum_fits.write_spectrum_fits(ds, path, overwrite=overwrite)


def _read_fits(path: Path) -> list[xr.Dataset]:
    file = images.read_fits(path)
    if map_dataset.is_map_dataset(file):
        return [map_files.map_dataset_of_file(file, path)]
    return (
        ogip_files.read_ogip_groups(path)
        if response.holds(file.tables, response.SPECTRUM)
        else [spectrum_fits.spectra_of_tables(file.tables, path)]
    )


def _write_yaml(given: Sequence[Arrays], path: Path, overwrite: bool, binsize_irf: float) -> None:
    """Write rows beside an index: spectra as OGIP, windows of the sky as FITS files of maps."""
    validate_output(path, overwrite)
    datasets = [dataset_of(each) for each in given]
    maps, spectra = [ds for ds in datasets if _is_of_maps(ds)], [ds for ds in datasets if not _is_of_maps(ds)]
    made = [map_files.map_contents(ds, path.parent, binsize_irf) for ds in maps]
    if spectra:
        made.append(ogip_files.ogip_contents(_only(spectra, path), path.parent))
    entries = [entry for _, own in made for entry in own]
    names = [entry.path for entry in entries]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{path.name}: two datasets would be the file {twice.name}. Rename one of them.")
    contents = {name: content for own, _ in made for name, content in own.items()}
    write_files({**contents, path: dataset_index.index_content(entries)}, overwrite=overwrite)


def _read_yaml(path: Path) -> list[xr.Dataset]:
    entries = dataset_index.read_index(path)
    spectra = [entry for entry in entries if not entry.is_map]
    maps = [
        map_files.map_dataset_of_file(images.read_fits(each.path), each.path, each.name)
        for each in entries
        if each.is_map
    ]
    return [*(ogip_files.spectra_of_entries(spectra) if spectra else []), *map_files.joined_alike(maps)]


def _write_pha(datasets: Sequence[Arrays], path: Path, overwrite: bool, binsize_irf: float) -> None:
    raise ConfigError(f"{path.name}: OGIP spectra are written beside an index; choose a name that ends in .yaml.")


def _read_pha(path: Path) -> list[xr.Dataset]:
    return ogip_files.read_ogip_groups(path)


def write_zarr(datasets: Sequence[xr.Dataset], path: Path, overwrite: bool) -> None:
    """Write Datasets as a Zarr group into a new folder, whole or not at all.

    One Dataset is the root, several are the groups ``spectra-0`` and so on. The encoding is that of the store, so that
    ``xr.open_zarr`` shows the same as for a product.

    Raises
    ------
    OutputExistsError
        When the folder exists and ``overwrite`` is false.
    OutputError
        When the place cannot be written, or something that is no Zarr group stands there.
    """
    _validate_place(path, overwrite)
    names = [""] if len(datasets) == 1 else [f"{GROUP}{number}" for number in range(len(datasets))]
    named = dict(zip(names, datasets, strict=True))
    groups = {name: store_encoding.encoded(ds, name) for name, ds in named.items()}
    encoding = {
        f"{name}/{variable}" if name else variable: cut
        for name, ds in named.items()
        for variable, cut in (window_chunks(ds, *PLANES) | plane_chunks(ds)).items()
    }
    with new_folder(path) as folder:
        store_encoding.write_groups(open_backend(folder).whole, "", groups, encoding)


def _write_zarr(datasets: Sequence[Arrays], path: Path, overwrite: bool, binsize_irf: float) -> None:
    write_zarr([dataset_of(each) for each in datasets], path, overwrite)


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
    return [store_encoding.read_group(backend.whole, "", documents, group) for group in groups]


def _number(group: str) -> int:
    return int(group.removeprefix(GROUP))


FITS = Format(_write_fits, _read_fits)
INDEX = Format(_write_yaml, _read_yaml)
PHA = Format(_write_pha, _read_pha)
FORMATS = {
    ".zarr": Format(_write_zarr, read_zarr),
    ".fits": FITS,
    ".fits.gz": FITS,
    ".yaml": INDEX,
    ".yml": INDEX,
    ".pha": PHA,
    ".pha.gz": PHA,
    ".pi": PHA,
    ".pi.gz": PHA,
}


def file_format(path: Path) -> Format:
    """Return the format that the ending asks for; raises ``ConfigError`` for another ending."""
    for ending, found in FORMATS.items():
        if path.name.lower().endswith(ending):
            return found
    raise ConfigError(f"{path.name}: expected a name that ends in {', '.join(FORMATS)}.")


def write_datasets(
    datasets: Sequence[Arrays],
    filename: str | PathLike[str],
    overwrite: bool = False,
    binsize_irf: float = BINSIZE_IRF,
) -> None:
    """Write Datasets under a name that ends in ``.zarr``, ``.fits``, ``.fits.gz`` or ``.yaml`` (with files beside it).

    Parameters
    ----------
    datasets
        DL4 in memory or lazy.
    filename
        Whose ending says the format.
    overwrite
        Whether what exists is replaced.
    binsize_irf
        Of maps in FITS, the pixel size (deg) of the image that responses are written on.

    Raises
    ------
    ConfigError
        For another ending.
    OutputExistsError
        When the output exists and ``overwrite`` is false.
    OutputError
        When the folder cannot be written.
    """
    path = local_path(filename)
    file_format(path).write(datasets, path, overwrite, binsize_irf)


def read_datasets(filename: str | PathLike[str]) -> list[xr.Dataset]:
    """Read what `write_datasets` wrote, and files of others.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not what its name says.
    """
    path = local_path(filename)
    reader = file_format(path).read
    if not path.exists():
        raise MissingInputError(f"There is no file {path}.")
    return reader(path)
