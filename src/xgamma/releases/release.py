"""``DataRelease``: what a catalogue declares, checked when it is made; catalogues by name and by path."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from xgamma.errors import ConfigError, MissingInputError, UnknownNameError, did_you_mean, shortened
from xgamma.formats.local_files import local_path
from xgamma.formats.yaml_documents import read_yaml
from xgamma.storage.locations import validate_url

T = TypeVar("T")

SCHEMA = 1
# What is being fetched has this at the end of its name.
PART = ".part"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# A part of a path that every file system, shell and url takes as it is; nothing hidden, so that ".." is none.
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@~-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")


@dataclass(frozen=True)
class CatalogFile:
    """One file of a release.

    Parameters
    ----------
    name
        Its path in the release, with ``/`` between folders.
    sha256
        Its SHA-256 as 64 hex characters.
    size
        Its size in bytes, ``None`` where it is not known: the digest decides alone.
    obs_ids
        The runs that need it; a file without any belongs to all of them.

    Raises
    ------
    ConfigError
        For a name that leaves the folder or that not every system takes, a bad digest, size or observation id.
    """

    name: str
    sha256: str
    size: int | None = None
    obs_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _validate_file_name(self.name)
        where = f"file {self.name}"
        if not isinstance(self.sha256, str) or not _SHA256.fullmatch(self.sha256):
            raise ConfigError(
                f"{where}: expected sha256 as text of 64 hex characters 0-9a-f, as sha256sum prints it and in quotes, "
                f"got {self.sha256!r}."
            )
        if self.size is not None and not _is_whole(self.size, 1):
            raise ConfigError(f"{where}: expected size as a whole number of bytes from 1, got {self.size!r}.")
        object.__setattr__(self, "obs_ids", _listed(self.obs_ids, f"{where}: obs_ids"))
        for obs_id in self.obs_ids:
            if not _is_whole(obs_id, 0):
                raise ConfigError(f"{where}: expected whole numbers as obs_ids, got {obs_id!r}.")


@dataclass(frozen=True)
class DataRelease:
    """A data release: what it is, under which terms it may be used, and its files or how they are simulated.

    Parameters
    ----------
    name
        Its name on the command line, and that of its folder.
    title, description
        What it is.
    licence, citation
        Under which licence it is, and what has to be cited.
    attribution, terms
        The sentence that its makers ask for, and what else they ask of those who use it.
    instrument, doi
        The telescope, and the DOI of the data.
    urls
        Where its files are: the name of a file is put behind it. They are tried in this order.
    index
        Those of its files that tell which runs there are.
    files
        Its files.
    simulation
        Instead of files, the plan of a simulation.

    Raises
    ------
    ConfigError
        Where one of them is not what it should be.
    """

    name: str
    title: str
    licence: str
    citation: str
    description: str = ""
    attribution: str = ""
    terms: str = ""
    instrument: str = ""
    doi: str = ""
    urls: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    files: tuple[CatalogFile, ...] = ()
    simulation: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _validate_texts(self)
        for key in ("urls", "index", "files"):
            object.__setattr__(self, key, _listed(getattr(self, key), key))
        for url in self.urls:
            validate_url(url, is_download=True)
        if self.simulation is None:
            _validate_files(self)
        elif self.files or self.urls or self.index or not isinstance(self.simulation, Mapping):
            raise ConfigError("simulation: expected a mapping, and no files, urls or index beside it.")

    @property
    def obs_ids(self) -> tuple[int, ...]:
        """The runs that have files of their own, sorted."""
        return tuple(sorted({obs_id for file in self.files for obs_id in file.obs_ids}))

    def files_of(self, obs_ids: Collection[int] | None) -> tuple[CatalogFile, ...]:
        """Return the files that the runs ``obs_ids`` need, ``None`` for all; those that belong to all runs come first.

        Raises
        ------
        ConfigError
            For a run that is not there.
        """
        known = self.obs_ids
        missing = sorted(set(obs_ids or ()) - set(known))
        if missing:
            there = f"{known[0]} to {known[-1]}, {len(known)} runs" if known else "none"
            raise ConfigError(f"{self.name} has no run {', '.join(map(str, missing))}. It has {there}.")
        wanted = set(known if obs_ids is None else obs_ids)
        chosen = [file for file in self.files if not file.obs_ids or wanted & set(file.obs_ids)]
        return tuple(sorted(chosen, key=lambda file: bool(file.obs_ids)))


def _validate_file_name(name: Any) -> None:
    segments = name.split("/") if isinstance(name, str) else []
    if not segments or not all(map(_SEGMENT.fullmatch, segments)):
        raise ConfigError(
            f"{name!r} cannot be the name of a file of a release: expected a path inside of its folder, with / between "
            "names of letters, digits and ._+=@~- that begin with a letter, a digit or _."
        )
    if any(segment.endswith((PART, ".")) for segment in segments):
        raise ConfigError(f"{name!r} cannot be the name of a file of a release: it ends in . or {PART}.")


def _validate_texts(release: DataRelease) -> None:
    if not isinstance(release.name, str) or not _NAME.fullmatch(release.name):
        raise ConfigError(
            f"name: expected up to 64 small letters, digits and ._- that begin with a letter or digit, "
            f"got {release.name!r}."
        )
    for key in ("title", "licence", "citation", "description", "attribution", "terms", "instrument", "doi"):
        text = getattr(release, key)
        needed = key in ("title", "licence", "citation")
        if not isinstance(text, str) or (needed and not text.strip()):
            raise ConfigError(f"{key}: expected {'a text' if needed else 'text'}, got {text!r}.")
        if any(not character.isprintable() and character != "\n" for character in text):
            raise ConfigError(f"{key}: expected printable text, got {text!r}.")
    if release.doi and not _DOI.fullmatch(release.doi):
        raise ConfigError(f"doi: expected a DOI such as 10.5281/zenodo.1421099, without https://, got {release.doi!r}.")


def _validate_files(release: DataRelease) -> None:
    if not release.files:
        raise ConfigError("files: expected at least one file, or a simulation.")
    if not release.urls:
        raise ConfigError("urls: expected at least one place where the files are.")
    names = [file.name for file in release.files]
    # As file systems that know no capital letters see them.
    small = [name.lower() for name in names]
    for name in _twice(small):
        raise ConfigError(f"files: {names[small.index(name)]} stands twice; keep one of them.")
    folders = {name.rsplit("/", depth)[0] for name in small for depth in range(1, name.count("/") + 1)}
    for name in folders & set(small):
        raise ConfigError(f"files: {names[small.index(name)]} is both a file and a folder.")
    for name in release.index:
        owners = next((file.obs_ids for file in release.files if file.name == name), (-1,))
        if owners:
            raise ConfigError(f"index: expected the names of files that belong to no single run, got {name!r}.")


def _twice(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def _is_whole(value: Any, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _listed(values: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(values, list | tuple):
        raise ConfigError(f"{where}: expected a list, got {values!r}.")
    return tuple(values)


def release_from_document(document: Any) -> DataRelease:
    """Return the release that the document of a catalogue declares.

    Raises
    ------
    ConfigError
        For another schema, a key that is not known or not there, and as `DataRelease`.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(
            f"Expected a mapping with the keys schema, name, title and so on, got {shortened(repr(document))}."
        )
    values = dict(document)
    schema = values.pop("schema", None)
    if schema != SCHEMA or isinstance(schema, bool):
        raise ConfigError(f"schema: expected {SCHEMA}, got {schema!r}. Catalogues of this version of xgamma say 1.")
    if "files" in values:
        entries = _listed(values["files"], "files")
        values["files"] = tuple(_made(CatalogFile, entry, f"files, entry {n}") for n, entry in enumerate(entries, 1))
    return _made(DataRelease, values, "the catalogue")


def _made(kind: type[T], document: Any, where: str) -> T:
    if not isinstance(document, Mapping):
        raise ConfigError(f"{where}: expected a mapping, got {shortened(repr(document))}.")
    fields = {entry.name: entry for entry in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in document:
        if key not in fields:
            raise ConfigError(f"{where}: there is no key {key!r}.{did_you_mean(str(key), fields)}")
    for name, entry in fields.items():
        if entry.default is dataclasses.MISSING and name not in document:
            raise ConfigError(f"{where}: the key {name!r} is missing.")
    return kind(**document)


def release_document(release: DataRelease) -> dict[str, Any]:
    """Return the document of a release, without what it leaves open."""
    written = _written(release)
    if release.files:
        written["files"] = [_written(file) for file in release.files]
    return {"schema": SCHEMA, **written}


def _written(entry: DataRelease | CatalogFile) -> dict[str, Any]:
    values = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    return {
        key: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for key, value in values.items()
        if value not in ((), "", None)
    }


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
