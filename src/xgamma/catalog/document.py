"""Catalogues as files: those that travel with xgamma, by name, and others, by path."""

from __future__ import annotations

from pathlib import Path

from xgamma.catalog.release import DataRelease, release_from_document
from xgamma.errors import ConfigError, MissingInputError, UnknownNameError, did_you_mean
from xgamma.formats.local_files import local_path
from xgamma.formats.yaml_documents import read_yaml

ENDINGS = (".yaml", ".yml")
_PACKAGE = Path(__file__).resolve().parents[1]
# In the wheel they lie in the package, in a source checkout beside src/.
_FOLDERS = (_PACKAGE / "catalogs", _PACKAGE.parents[1] / "catalogs")


def catalogs_folder() -> Path:
    """Return the folder of the catalogues that travel with xgamma; raises ``MissingInputError`` without one."""
    for folder in _FOLDERS:
        if folder.is_dir():
            return folder
    raise MissingInputError(f"xgamma was installed without its catalogues: there is no folder {_FOLDERS[0]}.")


def catalog_names() -> list[str]:
    """Return the names of the releases that xgamma knows, sorted."""
    return sorted(path.stem for path in catalogs_folder().glob(f"*{ENDINGS[0]}"))


def catalog_path(name_or_path: str | Path) -> Path:
    """Return the file of a catalogue: a path, or the name of one that travels with xgamma.

    Raises
    ------
    UnknownNameError
        For a name that xgamma does not know.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(ENDINGS) or "/" in text or "\\" in text:
        return local_path(name_or_path)
    if text not in catalog_names():
        raise UnknownNameError(
            f"There is no release {text!r}.{did_you_mean(text, catalog_names())} For a catalogue of your own give the "
            "path of its file, ending in .yaml."
        )
    return catalogs_folder() / f"{text}{ENDINGS[0]}"


def read_catalog(name_or_path: str | Path) -> DataRelease:
    """Read the catalogue of a release.

    Parameters
    ----------
    name_or_path
        The name of a release that xgamma knows, or the path of a YAML file.

    Raises
    ------
    MissingInputError, InputError
        When there is no such file, or it is no file of text.
    UnknownNameError
        For a name that xgamma does not know.
    ConfigError
        When the catalogue is not valid: the sentence says where and what was expected.
    """
    path = catalog_path(name_or_path)
    document = read_yaml(path, "catalogue")
    try:
        return release_from_document(document)
    except ConfigError as error:
        raise ConfigError(f"The catalogue {path}: {error}") from None
