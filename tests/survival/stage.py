"""Forked processes that act on a store and are killed, and the state of the store afterwards."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import xarray as xr

import xgamma
from xgamma.store import Store, dataset_digest

ACTOR = Path(__file__).with_name("actor.py")
SOURCE = Path(xgamma.__file__).parents[1]
# How Linux names the clock of the processor time of another process: see clock_getcpuclockid(3).
CPU_CLOCK = 2
POLL = 0.0005
OWN = ("store.json", "_files", "_names", "_tags")


def environment(**more):
    # One thread, because the actors are forked.
    paths = os.pathsep.join([str(SOURCE), str(ACTOR.parents[1])])
    return {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **more}


class Actor:
    """A process that forks an actor for each call of ``enter``."""

    def __init__(self, **more):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process = subprocess.Popen([sys.executable, ACTOR], env=environment(**more), **pipes)
        assert self._heard() == ["started"]
        self.number = None

    def _heard(self):
        return self._process.stdout.readline().split()

    def call(self, verb, *given):
        """Fork an actor that gets ready."""
        print(verb, *given, "", sep="\t", file=self._process.stdin, flush=True)

    def wait_ready(self):
        word, number = self._heard()
        assert word == "ready"
        self.number = int(number)

    def enter(self, verb, *given):
        self.call(verb, *given)
        self.wait_ready()

    def go(self):
        print("go", file=self._process.stdin, flush=True)

    def kill_after(self, seconds, has_begun=lambda: True):
        """Let an actor that is ready go, and kill it when it has worked for a time, however busy the machine is.

        The time begins when something has begun. Returns whether the actor had come to its end.
        """
        clock = (~self.number << 3) | CPU_CLOCK
        self.go()
        while not has_begun() and not self._has_spoken():
            time.sleep(POLL)
        end = time.clock_gettime(clock) + seconds
        while time.clock_gettime(clock) < end and not self._has_spoken():
            time.sleep(POLL)
        os.kill(self.number, signal.SIGKILL)
        return self.end() is not None

    def _has_spoken(self):
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def end(self):
        """Return the seconds that the actor took and what it returned, ``None`` when it was killed before its end."""
        words = self._heard()
        if words == ["ended"]:
            return None
        assert self._heard() == ["ended"]
        assert words[0] == "done"
        return float(words[1]), words[2:]

    def act(self, verb, *given):
        """Let an actor do all of its work, and return what ``end`` returns."""
        self.enter(verb, *given)
        self.go()
        return self.end()

    def close(self):
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0


def digests(store):
    """The digests that records hold, by kind and key."""
    return {(record.kind, record.key): dict(record.digests) for record in store.ls()}


def digests_of_content(store):
    """The digests of the bytes, by kind and key."""
    return {
        (record.kind, record.key): {
            group: dataset_digest(store.get(record.kind, record.key, group)) for group in record.digests
        }
        for record in store.ls()
    }


def files(folder):
    """Every file below a folder, with its size and the time of its change."""
    found = ((path, path.stat()) for path in Path(folder).rglob("*") if path.is_file())
    return {(str(path.relative_to(folder)), status.st_size, status.st_mtime_ns) for path, status in found}


class Witness:
    """Reads products whose files it has not seen before; attempts have names of their own, and never change."""

    def __init__(self):
        self._seen = set()

    def assert_whole(self, store):
        """Every product of a store reads as its record says, and opens with xarray alone."""
        for record in store.ls():
            seen = record.folder, frozenset(files(Path(store.url, record.folder)))
            if seen not in self._seen:
                content = {group: store.get(record.kind, record.key, group) for group in record.digests}
                assert {group: dataset_digest(dataset) for group, dataset in content.items()} == dict(record.digests)
                opened = xr.open_zarr(store.path(record.kind, record.key), chunks=None)
                assert set(opened.variables) == set(content[""].variables)
                self._seen.add(seen)


def attempts(folder):
    """The attempts in a folder, each with its number of files; on disk also those that hold nothing."""
    return {name: len(files(Path(folder, name))) for name in attempt_names(folder)}


def attempt_names(folder):
    """The attempts in a folder."""
    kinds = [path for path in Path(folder).iterdir() if path.name not in OWN]
    return {path.relative_to(folder).as_posix() for kind in kinds for path in kind.glob("*/*") if path.is_dir()}


def abandoned(folder):
    """The attempts in a folder that no record names."""
    alive = {record.folder for record in Store(folder).ls()}
    return {path: count for path, count in attempts(folder).items() if path not in alive}


def attempts_in(store):
    """The attempts that hold anything, as the location lists them."""
    return {"/".join(path.split("/")[:3]) for path in store._backend.modified("dl4") if path.count("/") > 2}
