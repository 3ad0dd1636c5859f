"""Local files written whole or not at all: every byte goes to a temporary name first, then the names are swapped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from xgamma.errors import ConfigError, OutputError, OutputExistsError
from xgamma.formats.leftovers import PART, begun, delete_leftovers, hidden, new_token


def validate_ending(path: Path, endings: Iterable[str], what: str) -> None:
    """Raise ``ConfigError`` unless the name ends in one of ``endings``."""
    known = list(endings)
    if not path.name.lower().endswith(tuple(known)):
        raise ConfigError(f"{what}: expected a name that ends in {' or '.join(known)}, got {path.name!r}.")


def validate_output(path: Path, overwrite: bool) -> None:
    """Refuse a file that exists (unless ``overwrite``) and a folder that cannot be written.

    Raises
    ------
    OutputExistsError
        When the file exists and ``overwrite`` is false.
    OutputError
        When the folder is not there, is not a folder, or is not writable.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(f"{path} exists already. Choose another name, or write with overwrite=True.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder; expected the name of a file.")
    folder = path.parent
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written: there is no folder {folder}. Make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path} cannot be written: the folder {folder} is not writable. Choose another folder.")


def write_files(contents: Mapping[Path, bytes], *, overwrite: bool = False) -> None:
    """Write some files together: all of them or none.

    The bytes of every file are on disk under temporary names before the first name is touched; names are then swapped
    in the order given, so that an index comes last. When a swap fails, files that were not there before are removed.
    What a killed writer left in their folders is deleted.

    Parameters
    ----------
    contents
        The bytes of each file; paths as returned by ``local_files.local_path``.
    overwrite
        Whether files that exist are replaced.

    Raises
    ------
    OutputExistsError, OutputError
        As `validate_output`, before the first byte moves; ``OutputError`` also for a full or failing disk.
    """
    for path in contents:
        validate_output(path, overwrite)
    # A link is written through, as an ordinary open() would.
    targets = {path.resolve(): content for path, content in contents.items()}
    for folder in {target.parent for target in targets}:
        delete_leftovers(folder)
    token = new_token()
    parts = {target: hidden(target, PART, token) for target in targets}
    placed: list[Path] = []
    # Held until the names are swapped.
    handles: list[int] = []
    try:
        for target, content in targets.items():
            handles.append(begun(parts[target], lambda part: part.touch(exist_ok=False)))
            _write_through(parts[target], content)
        for target, part in parts.items():
            is_new = not target.exists()
            part.replace(target)
            placed += [target] if is_new else []
    except BaseException as error:
        _remove([*parts.values(), *placed])
        if isinstance(error, OSError):
            names = ", ".join(str(path) for path in contents)
            raise OutputError(
                f"Writing {names} failed and nothing was kept: {error}. Make space, or choose another folder."
            ) from error
        raise
    finally:
        for handle in handles:
            os.close(handle)


def _write_through(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
