"""How blocks and their results travel to other processes, and what is said of those that cannot or get lost."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

import cloudpickle

from xgamma.errors import ConfigError, WorkerLostError


def packed(thing: object) -> bytes:
    """Return a thing as bytes; what a script or a notebook defines goes with it, as nobody else can import that."""
    try:
        content = pickle.dumps(thing, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception:  # pickling calls what a user wrote; cloudpickle says what is wrong, if it cannot either
        return bytes(cloudpickle.dumps(thing))
    return bytes(cloudpickle.dumps(thing)) if b"__main__" in content else content


def unpacked(content: bytes) -> Any:
    """Return what ``packed`` was given."""
    return pickle.loads(content)


def validate_travel(things: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` for the first thing that cannot be sent to another process."""
    for called, thing in things.items():
        try:
            packed(thing)
        except Exception as error:  # pickling calls what a user wrote
            raise ConfigError(
                f"general.n_jobs: {called} cannot be sent to another process ({type(error).__name__}: {error}). "
                "Let it hold plain values only, or leave out n_jobs and scheduler for threads of this process."
            ) from None


def lacking_module(error: ImportError, where: str) -> str:
    """Return what is said of a block that a process cannot import."""
    return (
        f"{where} cannot import what a block needs ({error}). Install the module there, or define the function or "
        "class in the script that runs."
    )


def lost_blocks(numbers: Sequence[int], names: Sequence[str], results: Sequence[Any], how: str = "") -> WorkerLostError:
    """Return the error that names blocks whose workers died each time, and holds all other results."""
    called = "; ".join(names[number] for number in numbers) + (f" died ({how})" if how else " died")
    return WorkerLostError(
        f"Each worker that was given {called}. Mostly memory runs out: give the workers more, set a smaller "
        "general.n_jobs, or leave these runs out; what their own log says is the last word.",
        results,
    )
