"""The YAML index of datasets that Gammapy writes: the name, the kind and the file of each.

Source: ``Datasets.read`` and ``Datasets.write`` of Gammapy 2.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xgamma.errors import ConfigError, InputError
from xgamma.formats.local_files import local_path
from xgamma.formats.yaml_documents import block_yaml, read_yaml

SPECTRA = ("SpectrumDatasetOnOff", "SpectrumDataset")
MAPS = ("MapDatasetOnOff", "MapDataset")
ENDINGS = (".yaml", ".yml")
# File systems take 255 bytes; what stands around the name is short.
_LONGEST_NAME = 200


@dataclass(frozen=True)
class IndexEntry:
    """One dataset of an index: its name, its file, and what Gammapy calls its kind."""

    name: str
    path: Path
    kind: str = SPECTRA[0]

    @property
    def is_map(self) -> bool:
        """Whether it is a dataset of maps."""
        return self.kind in MAPS


def read_index(path: Path) -> list[IndexEntry]:
    """Return the entries of a YAML index (``datasets: [{name, type, filename}]``), their files relative to it.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not such an index, is empty, or lists something else than spectra and maps.
    """
    try:
        document = read_yaml(path, "index of datasets")
        entries = [(str(entry["name"]), str(entry["type"]), str(entry["filename"])) for entry in document["datasets"]]
    except (ConfigError, TypeError, KeyError) as error:
        reason = f" ({error})" if isinstance(error, ConfigError) else ""
        raise InputError(
            f"{path} is not an index of datasets{reason}; expected 'datasets:' with a list of name, type and filename."
        ) from error
    if not entries:
        raise InputError(f"{path} lists no dataset.")
    others = [kind for _, kind, _ in entries if kind not in (*SPECTRA, *MAPS)]
    if others:
        raise InputError(f"{path} lists a {others[0]}; expected {', '.join((*SPECTRA, *MAPS))}.")
    return [IndexEntry(name, path.parent / local_path(filename), kind) for name, kind, filename in entries]


def index_content(entries: Sequence[IndexEntry]) -> bytes:
    """Return the YAML of an index; Gammapy 2.1 warns when the MD5 of the text before ``checksum`` is not there."""
    listed = [{"name": each.name, "type": each.kind, "filename": each.path.name} for each in entries]
    text = block_yaml({"datasets": listed})
    return f"{text}checksum: {hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}\n".encode()


def validate_file_name(name: str) -> None:
    """Raise ``ConfigError`` for the name of a dataset that cannot be part of the name of a file."""
    if not name.strip() or "/" in name or "\\" in name or not name.isprintable() or len(name.encode()) > _LONGEST_NAME:
        raise ConfigError(f"The name {name!r} cannot be part of a file name. Rename the dataset.")
