"""Blocks that wait, fail, speak or kill their process, for workers to import."""

import logging
import os
import sys
import time
from pathlib import Path

from xgamma.errors import InputError


def number_or_death(number, deadly, deaths):
    """Log and return the number; the process of the deadly one ends, and leaves a file for each of its deaths."""
    warn(number)
    if number == deadly:
        (Path(deaths) / str(time.time_ns())).touch()
        os._exit(1)
    return number


def warn(number, failing=None):
    """Log a warning with the number, and return it; raise an error at one number."""
    logging.getLogger("xgamma.blocks").warning("Block %d.", number)
    if number == failing:
        raise InputError(f"block {number}")
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


def fail(number, failing, begun):
    """Raise an error at one number, and leave a file for each."""
    (Path(begun) / str(number)).touch()
    if number == failing:
        raise InputError(f"block {number}")
    time.sleep(0.05)


def speak(text):
    """Print a text in two ways, read what there is to read, and return the length."""
    print(text, flush=True)
    os.write(1, f"{text}\n".encode())
    return len(text + sys.stdin.read())


def process_of(_):
    """Return the number of the process, after a while, so that no other one does all."""
    time.sleep(0.2)
    return os.getpid()


class StubbornError(Exception):
    """An error that pickle cannot make again."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def stumble(one, two):
    """Raise an error that cannot travel."""
    raise StubbornError(one, two)
