"""What was tried, what survived and what was lost: counted by each test, printed as a table at the end."""

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from store.conftest import new_place  # noqa: F401
from survival.stage import Actor, Witness
from xgamma.errors import XgammaError

MEMORY, ENOUGH = Path("/dev/shm"), 100_000_000
COLUMNS = ("what", "tried", "survived", "lost", "remark")


class Tally:
    """Counts trials; a trial that fails is a loss and stops none of the others."""

    def __init__(self, what):
        self.what = what
        self.tried = 0
        self.losses = []
        self.remark = ""

    @contextlib.contextmanager
    def trial(self, name=""):
        self.tried += 1
        try:
            yield
        except (AssertionError, XgammaError, OSError) as error:
            self.losses.append(f"{self.what}, {name or self.tried}: {type(error).__name__}: {error}")

    @property
    def row(self):
        return [self.what, self.tried, self.tried - len(self.losses), len(self.losses), self.remark]


@pytest.fixture
def survival(record_property):
    """Return a context in which trials are counted; at its end none may have been lost."""

    @contextlib.contextmanager
    def counted(what):
        tally = Tally(what)
        yield tally
        record_property("survival", tally.row)
        print(f"\n{what}: {tally.tried} tried, {len(tally.losses)} lost. {tally.remark}")
        assert tally.losses == []
        assert tally.tried > 0

    return counted


@pytest.fixture(scope="session")
def actors():
    """Two processes that fork actors: to import is most of what they do."""
    found = [Actor(PYTHONHASHSEED="1"), Actor(PYTHONHASHSEED="2")]
    yield found
    for actor in found:
        actor.close()


@pytest.fixture(scope="module")
def witness():
    """What reads each product once."""
    return Witness()


@pytest.fixture
def quick_folder(tmp_path):
    """A folder in memory where there is room: a process that is killed leaves the same there as on a disk."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ENOUGH:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def moments(request):
    """The random numbers of a test, the same each time."""
    return random.Random(request.node.name)


def pytest_terminal_summary(terminalreporter):
    """Print the table of all tests that ran here."""
    reports = [report for state in ("passed", "failed") for report in terminalreporter.stats.get(state, [])]
    rows = [row for report in reports for name, row in report.user_properties if name == "survival"]
    if rows:
        terminalreporter.write_sep("=", "what was tried")
        for cells in [COLUMNS, ["---"] * len(COLUMNS), *rows]:
            terminalreporter.write_line(f"| {' | '.join(map(str, cells))} |")
