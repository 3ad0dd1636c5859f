"""What a process does that computes blocks for another one: one after the other, as long as somebody asks."""

from __future__ import annotations

import logging
import logging.handlers
import os
import signal
import struct
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import IO

from xgamma.errors import XgammaError
from xgamma.execute.travel import packed, unpacked

_LENGTH = struct.Struct(">Q")


def send(pipe: IO[bytes], content: bytes) -> None:
    """Write one message."""
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def receive(pipe: IO[bytes]) -> bytes:
    """Return the next message; raises ``EOFError`` where the other end is closed before its end."""
    head = pipe.read(_LENGTH.size)
    content = pipe.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else b""
    if not content:
        raise EOFError
    return content


def serve(questions: IO[bytes]) -> None:
    """Answer blocks until nobody is at the other end, also when that happens in the middle of a block."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # What a block prints is a message and no answer, and what it reads is no question.
    os.dup2(2, 1)
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115
    held = _held_warnings()
    blocks: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(questions, blocks), daemon=True).start()
    while True:
        send(answers, _answer(blocks.get(), held))


def _listen(questions: IO[bytes], blocks: SimpleQueue[bytes]) -> None:
    try:
        while True:
            blocks.put(receive(questions))
    finally:
        os._exit(0)


def _held_warnings() -> logging.handlers.MemoryHandler:
    """Let nothing be printed that is logged, as it travels back with the result; an error comes alone."""
    held = logging.handlers.MemoryHandler(sys.maxsize, sys.maxsize, logging.lastResort)
    logging.getLogger("xgamma").addHandler(held)
    return held


def _answer(content: bytes, held: logging.handlers.MemoryHandler) -> bytes:
    """Return whether a block came to an end, with its result or error."""
    try:
        function, block = unpacked(content)
        answer = packed((True, function(*block)))
        held.buffer.clear()
    except Exception as error:  # whatever a block raises is raised where it was sent from
        held.flush()
        answer = packed((False, _able_to_travel(error)))
    return answer


def _able_to_travel(error: Exception) -> Exception:
    """Return an error that arrives; one that is no sentence for a user says where it was raised."""
    where = "".join(traceback.format_exception(error))
    arrived: Exception
    try:
        arrived = unpacked(packed(error))
    except Exception:  # errors of others may hold or ask for anything
        arrived = RuntimeError(f"{type(error).__name__}: {error}")
    if not isinstance(arrived, XgammaError):
        arrived.add_note(f"In process {os.getpid()} of {sys.executable}:\n{where}")
    return arrived
