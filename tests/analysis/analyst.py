"""A process that forks an analyst for each line ``RELEASE STORE`` that it reads, so that all import once.

It says ``started`` and the key of a recipe. An analyst says ``ready`` and its process id, waits for a line, runs a
whole analysis and says ``done`` and the seconds that it took. Then, or when it was killed, the process says ``ended``;
the id stays the analyst's until the next line.
"""

import logging
import os
import sys
import time

from releases import config_of, recipe, whole
from xgamma.store import digest

logging.lastResort = None


def run(release, store):
    # The first analysis of a process starts threads and fills caches, which takes longer than the second.
    whole(quiet(release, "memory://"))
    print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    whole(quiet(release, store))
    print("done", time.perf_counter() - start, flush=True)


def quiet(release, store):
    return config_of(release, store, "general: {log: {level: critical}}")


if __name__ == "__main__":
    print("started", digest(recipe().document()), flush=True)
    last = None
    for line in sys.stdin:
        if last is not None:
            os.waitpid(last, 0)
        last = os.fork()
        if last == 0:
            run(*line.split())
            os._exit(0)
        os.waitid(os.P_PID, last, os.WEXITED | os.WNOWAIT)
        print("ended", flush=True)
