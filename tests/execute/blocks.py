"""Blocks that wait or kill their process, for the workers of a cluster to import."""

import os
import time
from pathlib import Path


def number_or_death(number, deadly, deaths):
    """Return the number; the process of the deadly one ends, and leaves a file for each of its deaths."""
    if number == deadly:
        (Path(deaths) / str(time.time_ns())).touch()
        os._exit(1)
    return number


def number_or_one_death(number, deadly, deaths):
    """Return the number; the deadly one ends its process the first time."""
    if number == deadly and not list(Path(deaths).iterdir()):
        (Path(deaths) / "once").touch()
        os._exit(1)
    return number


def wait_for(number, started, ended):
    """Return the number once a file is there; another one says that somebody waits."""
    (Path(started) / str(number)).touch()
    deadline = time.monotonic() + 60
    while number and not Path(ended).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return number
