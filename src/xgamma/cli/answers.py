"""Answers that are given again: what ``plan`` and ``run`` said where everything was found, while nothing has changed.

An answer is kept with the state of all that it came from: each file that was opened, the folders that were looked
into, the environment, this package. It is given again only if all of that is as it was; any doubt is answered the long
way. It is kept only if nothing has changed since some seconds before the command began, so that what the command saw is
what is there.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TextIO

import click

import xgamma

VERBS = ("plan", "run")
_LONG_WAY = ("--rehash", "--retry-failed", "--help", "-h")
KEPT_MOST = 100
"""So many answers are kept; the oldest go first."""
_ENTRIES_MOST = 50_000
# Times of change have the resolution of a tick of the system, on network disks of a second.
_SETTLED_S = 3.0
# Which shell asks changes nothing; COLUMNS and the like do.
_OF_SHELLS = ("PWD", "OLDPWD", "SHLVL", "_", "WINDOWID", "TERM_SESSION_ID", "SSH_CLIENT", "SSH_CONNECTION", "SSH_TTY")
_PACKAGE = str(Path(xgamma.__file__).parent)
_SOFTWARE = (_PACKAGE, sys.prefix, sys.base_prefix, "/proc", "/dev", "/sys")
_WRITES = os.O_WRONLY | os.O_RDWR

OF_STORE, OF_RELEASE, OF_OUTDIR = 2, 12, 4
"""How deep is looked into a store, whose products never change, into a release, and into what was written."""
_LOOKS = ("open", "os.listdir", "os.scandir")

State = list[int] | None


class Answer:
    """What a command says, and what it comes from; kept if the command says so, and given again."""

    _listening: ClassVar[Answer | None] = None

    def __init__(self, words: Sequence[str]) -> None:
        self._path = _folder() / f"{_asked(words)}.json"
        self._started = time.time()
        self._said: list[tuple[int, str]] = []
        self._opened: set[str] = set()
        self._folders: dict[str, int] = {}
        self._made = ""

    def comes_from(self, folders: Mapping[str, int], files: Iterable[str] = (), made: str = "") -> None:
        """Let the answer be kept.

        Parameters
        ----------
        folders
            What was looked into, and how deep; below, each file that was opened counts by itself.
        files
            What was looked for, and need not be there.
        made
            The folder of the files that were written.
        """
        self._folders = {os.path.abspath(path): depth for path, depth in folders.items()}  # noqa: PTH100
        self._opened.update(map(os.path.abspath, files))
        self._made = os.path.abspath(made) if made else ""  # noqa: PTH100

    def given_again(self) -> bool:
        """Say the answer that was kept, if nothing has changed; return whether that was done."""
        try:
            kept = json.loads(self._path.read_bytes())
            files, folders, (made, state_made) = kept["files"], kept["folders"], kept["made"]
            is_same = (
                all(_state(path) == state for path, state in files.items())
                and all(_tree(path, depth)[0] == digest for path, (depth, digest) in folders.items())
                and (not made or _tree(made, OF_OUTDIR, folders)[0] == state_made)
            )
            said = [(int(stream), str(text)) for stream, text in kept["said"]] if is_same else []
        except (OSError, ValueError, TypeError, KeyError):
            return False
        for stream, text in said:
            (sys.stdout if stream == 1 else sys.stderr).write(text)
        return is_same

    @contextlib.contextmanager
    def heard(self) -> Iterator[None]:
        """Hear what is said and which files are opened."""
        usual = sys.stdout, sys.stderr
        _listen()
        Answer._listening = self
        sys.stdout, sys.stderr = (_Heard(stream, self._said, 1 + at) for at, stream in enumerate(usual))  # type: ignore[assignment]
        try:
            yield
        finally:
            Answer._listening = None
            sys.stdout, sys.stderr = usual

    @classmethod
    def hear(cls, event: str, arguments: tuple[Any, ...]) -> None:
        """Note a file that is opened to be read, or a folder that is listed."""
        if cls._listening is not None and event in _LOOKS:
            path, flags = arguments[0], arguments[-1]
            if isinstance(path, str | bytes) and not (isinstance(flags, int) and flags & _WRITES):
                cls._listening._opened.add(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100, thousands of them

    def keep(self) -> None:
        """Keep the answer if that was asked for, and all that it comes from has been as it is since before it began."""
        if not self._folders or any("\x1b[" in text and "\x1b[1m" not in text for _, text in self._said):
            return
        with contextlib.suppress(OSError, ValueError):
            files = {path: _state(path) for path in sorted(self._opened) if not self._is_passed_over(path)}
            trees = {path: (depth, *_tree(path, depth)) for path, depth in self._folders.items()}
            newest = max([last for *_, last in trees.values()] + [max(state[1:3]) for state in files.values() if state])
            if newest > (self._started - _SETTLED_S) * 1e9:
                return
            made = (self._made, _tree(self._made, OF_OUTDIR, self._folders)[0]) if self._made else ("", "")
            folders = {path: (depth, digest) for path, (depth, digest, _) in trees.items()}
            _write(self._path, {"files": files, "folders": folders, "made": made, "said": self._said})

    def _is_passed_over(self, path: str) -> bool:
        """Whether a file is of the software, or of what the command wrote, in which there may be a store."""
        inside = f"{path}{os.sep}".startswith
        is_made = bool(self._made) and inside(f"{self._made}{os.sep}")
        return path.startswith(_SOFTWARE) or (is_made and not any(inside(f"{each}{os.sep}") for each in self._folders))


class _Heard:
    """A stream that notes what is written to it."""

    def __init__(self, stream: TextIO, said: list[tuple[int, str]], number: int) -> None:
        self._stream, self._said, self._number = stream, said, number

    def write(self, text: str) -> int:
        count = self._stream.write(text)
        self._said.append((self._number, text))
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@functools.cache
def _listen() -> None:
    # What listens to the interpreter does so to the end of the process.
    sys.addaudithook(Answer.hear)


def answer_to(words: Sequence[str]) -> Answer | None:
    """Return the answer to a command, if it is one whose answers are kept and this machine has a place for them."""
    is_kept = bool(words) and words[0] in VERBS and not any(word in _LONG_WAY for word in words)
    # Set and empty: keep none.
    if not is_kept or os.environ.get("XGAMMA_ANSWERS") == "":
        return None
    try:
        return Answer(words)
    except (OSError, ValueError, RuntimeError):
        return None


def _folder() -> Path:
    """Return where answers are kept: ``XGAMMA_ANSWERS``, or a folder of the user."""
    given = os.environ.get("XGAMMA_ANSWERS")
    return (
        Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "xgamma", "answers")
    )


def _asked(words: Sequence[str]) -> str:
    """Return a digest of a command and of all that its answer depends on besides files."""
    environment = sorted(item for item in os.environ.items() if item[0] not in _OF_SHELLS)
    seen = [stream.isatty() for stream in (sys.stdout, sys.stderr)]
    libraries = str(Path(click.__file__).parents[1])
    software = [xgamma.__version__, sys.version, libraries, _state(libraries), _tree(_PACKAGE, 4)[0]]
    about = [list(words), str(Path.cwd()), environment, seen, shutil.get_terminal_size(), software]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _state(path: str) -> State:
    try:
        status = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _tree(folder: str, depth: int, without: Collection[str] = ()) -> tuple[str, int]:
    """Return a digest of the state of all that is in a folder, and when the last of it has changed, ns."""
    found: list[tuple[str, State]] = [(folder, _state(folder))]
    _look(folder, depth, without, found)
    if len(found) > _ENTRIES_MOST:
        raise ValueError("There is too much to look at.")
    last = max((max(state[1:3]) for _, state in found if state is not None), default=0)
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest(), last


def _look(folder: str, depth: int, without: Collection[str], found: list[tuple[str, State]]) -> None:
    if not os.path.isdir(folder):  # noqa: PTH112
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == "__pycache__" or entry.path in without:
                continue
            found.append((entry.path, _state(entry.path)))
            if depth > 1 and entry.is_dir() and len(found) <= _ENTRIES_MOST:
                _look(entry.path, depth - 1, without, found)


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(document))
    aside.replace(path)
    kept = sorted(path.parent.iterdir(), key=lambda each: each.stat().st_mtime)
    for oldest in kept[:-KEPT_MOST]:
        oldest.unlink(missing_ok=True)
