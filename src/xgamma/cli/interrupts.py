"""Ctrl-C, also where Python or a library would lose it."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_AFTER = 0.05
"""Seconds until an interrupt that was lost is raised again."""


@contextlib.contextmanager
def heard_interrupts() -> Iterator[list[int]]:
    """Yield a list that is not empty once Ctrl-C was heard; it interrupts as ever.

    Python ignores what is raised while C calls Python, as in callbacks of ``ctypes`` and in ``__del__``: an interrupt
    that comes just then is raised again a moment later.
    """
    heard: list[int] = []
    usual, usual_hook = signal.default_int_handler, sys.unraisablehook
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield heard
        return
    timers: list[threading.Timer] = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        usual(number, frame)

    def raise_again(lost: UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            usual_hook(lost)
            return
        # Raised here it would be lost again.
        timers.append(threading.Timer(AGAIN_AFTER, _thread.interrupt_main))
        timers[-1].start()

    signal.signal(signal.SIGINT, hear)
    sys.unraisablehook = raise_again
    try:
        yield heard
    finally:
        for timer in timers:
            timer.cancel()
        sys.unraisablehook = usual_hook
        signal.signal(signal.SIGINT, usual)
