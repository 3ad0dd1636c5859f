"""What models made of a table or a map share: their file and its name, and bytes that stand for what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from xgamma.errors import MissingInputError
from xgamma.formats.local_files import local_path


class Tabulated:
    """A model whose values are in a file or were given; what a document says of it beside parameters is ``rest``."""

    tag: ClassVar[tuple[str, ...]]
    rest: dict[str, Any]

    @property
    def filename(self) -> str:
        """The file, empty where the values were given and not written."""
        return str(self.rest.get("filename") or "")

    @filename.setter
    def filename(self, filename: str | Path) -> None:
        self.rest["filename"] = str(filename)

    @property
    def _owner(self) -> str:
        """What sentences about the values begin with."""
        return f"{self.tag[0]}: {self.filename}" if self.filename else self.tag[0]


def named_file(filename: str | Path, what: str) -> Path:
    """Return the path of a file that a model names; raises ``MissingInputError`` where there is none."""
    path = local_path(filename)
    if not path.is_file():
        raise MissingInputError(f"There is no {what} at {path}; set $GAMMAPY_DATA or give the path of the file.")
    return path


def table_bytes(*arrays: npt.ArrayLike) -> list[bytes]:
    """Return arrays as bytes in one order on every machine."""
    return [np.ascontiguousarray(array, dtype="<f8").tobytes() for array in arrays]
