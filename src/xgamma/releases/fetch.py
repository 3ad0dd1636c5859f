"""Fetching the files of a release: several at a time, each whole and verified or not there at all.

What has come of a file is in ``NAME.part`` beside its place, and goes on from there the next time. Only a file whose
size and SHA-256 are those of the catalogue gets its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from xgamma.errors import ConfigError, OutputError, XgammaError
from xgamma.formats.local_files import local_path
from xgamma.releases.download import DownloadSource, download, open_source, size_of, validate_room
from xgamma.releases.release import PART, CatalogFile, DataRelease
from xgamma.storage.retries import DOWNLOADS, Retries
from xgamma.store import file_digest

AT_A_TIME = 4

# Name of a file, bytes of it that are here, its size where it is known.
Watch = Callable[[str, int, int | None], None]


class Status(StrEnum):
    """What became of a file."""

    FETCHED = "fetched"
    PRESENT = "present"
    REPLACED = "replaced"
    FAILED = "failed"


@dataclass(frozen=True)
class FileReport:
    """What became of one file, its ``status``: ``received`` bytes came now, ``message`` is empty if all is well."""

    file: CatalogFile
    status: Status
    received: int = 0
    message: str = ""


@dataclass(frozen=True)
class FetchReport:
    """What became of the requested ``files`` of a ``release``, and the ``folder`` that they are in."""

    release: DataRelease
    folder: Path
    files: tuple[FileReport, ...]

    def of(self, status: Status) -> list[FileReport]:
        """Return the files with one status."""
        return [file for file in self.files if file.status is status]

    @property
    def runs_present(self) -> tuple[int, ...]:
        """The runs whose files are all in the folder, now or from earlier calls."""
        present = {file.name for file in self.release.files if (self.folder / file.name).is_file()}
        present -= {report.file.name for report in self.of(Status.FAILED)}
        lacking = {i for file in self.release.files if file.name not in present for i in file.obs_ids}
        return tuple(obs_id for obs_id in self.release.obs_ids if obs_id not in lacking)


def fetch(
    release: DataRelease,
    folder: str | Path,
    obs_ids: Collection[int] | None = None,
    *,
    sources: Sequence[str | Path] = (),
    retries: Retries = DOWNLOADS,
    watch: Watch = lambda name, nbytes, size: None,
) -> FetchReport:
    """Fetch the files of a release into a folder; files that are there and right are not fetched again.

    Parameters
    ----------
    release, folder
        The release, and where its files go; the folder is made if it is not there.
    obs_ids
        The runs whose files are wanted, ``None`` for all. Files that belong to no single run come always.
    sources
        Folders or urls in the place of the ``urls`` of the release, tried in their order.
    retries
        How long to wait and how often to ask again.
    watch
        Called when a part of a file has come.

    Returns
    -------
    FetchReport
        What became of each file. One that could not be fetched stops none of the others.

    Raises
    ------
    ConfigError
        For a run that is not there, a source of an unknown kind, and a release that is simulated.
    MissingInputError, OutputError
        When a source that should be a folder is none; when the folder cannot be used, has too little space, or another
        fetch is at work in it.
    """
    if release.simulation is not None:
        raise ConfigError(f"{release.name} has no files to fetch: it is simulated, by xgamma simulate.")
    files = release.files_of(obs_ids)
    opened = [open_source(location, retries) for location in sources or release.urls]
    target = _made_folder(folder)
    with only_one(target):
        present = {file.name for file in files if _is_right(target / file.name, file)}
        missing = [file for file in files if file.name not in present]
        _validate_space(target, missing)
        reports = _finished(_fetch_all(missing, _Fetch(target, opened, watch)))
    done = {report.file.name: report for report in reports}
    here = {name: FileReport(file, Status.PRESENT) for file in files if (name := file.name) in present}
    return FetchReport(release, target, tuple({**done, **here}[file.name] for file in files))


def _made_folder(folder: str | Path) -> Path:
    path = local_path(folder).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {path} cannot be made: {error.strerror}. Choose another folder.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(f"The folder {path} is not writable. Choose another folder.")
    return path


def _is_right(path: Path, file: CatalogFile) -> bool:
    if path.is_symlink() or not path.is_file() or file.size not in (None, path.stat().st_size):
        return False
    return file_digest(path) == file.sha256


def _part(folder: Path, file: CatalogFile) -> Path:
    path = folder / file.name
    return path.with_name(f"{path.name}{PART}")


def _validate_space(folder: Path, files: Sequence[CatalogFile]) -> None:
    needed = sum(max(file.size - size_of(_part(folder, file)), 0) for file in files if file.size is not None)
    validate_room(folder, needed)


def _finished(work: Coroutine[Any, Any, list[FileReport]]) -> list[FileReport]:
    """Run to the end, also inside of a notebook, whose loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@dataclass(frozen=True)
class _Fetch:
    folder: Path
    sources: Sequence[DownloadSource]
    watch: Watch


async def _fetch_all(files: Sequence[CatalogFile], task: _Fetch) -> list[FileReport]:
    gate = asyncio.Semaphore(AT_A_TIME)

    async def one(file: CatalogFile) -> FileReport:
        async with gate:
            return await _fetch_file(file, task)

    return list(await asyncio.gather(*map(one, files)))


async def _fetch_file(file: CatalogFile, task: _Fetch) -> FileReport:
    path, part = task.folder / file.name, _part(task.folder, file)
    received = 0

    def count(here: int, new: int, size: int | None) -> None:
        nonlocal received
        received += new
        task.watch(file.name, here, size)

    try:
        was_there = _prepared(task.folder, path, part)
        await download(file, part, task.sources, count)
        part.replace(path)
    except XgammaError as error:
        return FileReport(file, Status.FAILED, received, f"{str(error).rstrip('.')}.")
    except OSError as error:
        sentence = f"{path} cannot be written: {error.strerror or error}. Check the disk and its rights."
        return FileReport(file, Status.FAILED, received, sentence)
    return FileReport(file, Status.REPLACED if was_there else Status.FETCHED, received)


def _prepared(folder: Path, path: Path, part: Path) -> bool:
    """Make the folder of a file; return whether there is a file in its place. Links are not written through."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{path.parent} is a link that leads out of {folder}. Remove it, or choose another folder")
    for place in (path, part):
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise OutputError(f"{place} is in the way: it is a link or a folder, and a file belongs there. Remove it")
    return path.exists()


try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while in the context; it ends with the process, however that ends.

    Where the system or its disk knows no locks nothing is held, and two fetches at a time cost a second attempt: what
    they mix up has the wrong digest.

    Raises
    ------
    OutputError
        When another process holds it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise OutputError(f"Another fetch is at work in {folder}. Wait for its end.") from None
    except OSError:
        log.info("The disk of %s knows no locks: do not start two fetches there at a time.", folder)
    try:
        yield
    finally:
        os.close(handle)
