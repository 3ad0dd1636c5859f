"""Ctrl-C, also where Python or a library would lose it."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

AGAIN_AFTER = 0.1
"""Seconds from an interrupt until it is looked whether it was lost, and from then on."""
# Never sent, only said to be pending.
_AGAIN: signal.Signals = getattr(signal, "SIGUSR1", signal.SIGABRT)


@contextlib.contextmanager
def heard_interrupts(heard: list[int]) -> Iterator[None]:
    """Add to ``heard`` each Ctrl-C that is heard meanwhile; it interrupts as ever.

    Python ignores what is raised while C calls Python, as in callbacks of ``ctypes`` and in ``__del__``, and C code
    that asks whether an object has an attribute may clear it: an interrupt that is not on its way up a moment later is
    raised again.
    """
    usual = signal.default_int_handler
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return
    usual_hook = sys.unraisablehook
    ended: list[bool] = []

    def look_again() -> None:
        while not ended:
            time.sleep(AGAIN_AFTER)
            if not ended:
                _thread.interrupt_main(_AGAIN)

    def hear(number: int, frame: FrameType | None) -> None:
        if not heard:
            # Without any lock, as what was interrupted may hold it: threading waits until its thread has begun.
            _thread.start_new_thread(look_again, ())
        heard.append(number)
        usual(number, frame)

    def hear_again(number: int, frame: FrameType | None) -> None:
        if not _is_on_its_way(sys.exception()):
            usual(number, frame)

    def ignore_lost(lost: UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            usual_hook(lost)

    signal.signal(signal.SIGINT, hear)
    before = signal.signal(_AGAIN, hear_again)
    sys.unraisablehook = ignore_lost
    try:
        yield
    finally:
        ended.append(True)
        sys.unraisablehook = usual_hook
        signal.signal(_AGAIN, before)
        signal.signal(signal.SIGINT, usual)


def _is_on_its_way(handled: BaseException | None) -> bool:
    """Whether what runs just now is what an interrupt lets happen on its way up: ``finally``, ``except``, ``with``."""
    while handled is not None and not isinstance(handled, KeyboardInterrupt):
        handled = handled.__context__
    return handled is not None
