"""Logging as the configuration asks for it."""

from __future__ import annotations

import logging

from xgamma.analysis.sections import LogConfig

HANDLER_NAME = "xgamma-config"


def configure_logging(log: LogConfig) -> None:
    """Set level, place and format of xgamma's messages; what an earlier call has set is replaced.

    Without a file, messages go to the handlers of the root logger if it has any (notebooks, applications), so that
    nothing is shown twice, and to standard error otherwise. Other libraries' loggers are left alone.
    """
    logger = logging.getLogger("xgamma")
    for handler in [known for known in logger.handlers if known.get_name() == HANDLER_NAME]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(log.level.upper())
    if log.filename is not None or not logging.getLogger().handlers:
        logger.addHandler(_handler(log))


def _handler(log: LogConfig) -> logging.Handler:
    handler: logging.Handler = logging.StreamHandler()
    if log.filename is not None:
        handler = logging.FileHandler(log.filename, mode=log.filemode or "a", delay=True)
    handler.setFormatter(logging.Formatter(log.format, log.datefmt))
    handler.set_name(HANDLER_NAME)
    return handler
