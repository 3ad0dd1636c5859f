"""Processes of tests: their environment, waiting for them, and what they left in a store."""

import contextlib
import os
import time
from pathlib import Path

import xgamma
from xgamma.store import Store

TESTS = Path(__file__).parents[1]
PATHS = os.pathsep.join([str(Path(xgamma.__file__).parents[1]), str(TESTS)])


def environment(*first):
    """Return the environment of a process that finds xgamma and the tests, and before them some folders."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*map(str, first), PATHS]), "OPENBLAS_NUM_THREADS": "1"}


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def alive_in(session):
    """Return the states of the processes of a session that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        # Those that end meanwhile.
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything: state, parent, group, session.
            state, _, _, of_session = path.read_text().rpartition(") ")[2].split()[:4]
            found += [state] if int(of_session) == session and state != "Z" else []
    return found


def digests(url):
    return {(record.kind, record.key): dict(record.digests) for record in Store(url).ls()}
