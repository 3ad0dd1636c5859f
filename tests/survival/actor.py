"""A process that forks one actor for each line ``VERB ARGUMENTS`` that it reads, so that all of them import once.

It says ``started``. An actor says ``ready`` and its process id, waits for a line, does what its verb says, and says
``done``, the processor time in s that it took, and what its verb returned. Then, or when it was killed, the process
says ``ended``; the id stays the actor's until the next line.
"""

import datetime
import logging
import os
import random
import sys
import time

import numpy as np
import xarray as xr

from releases import config_of, map_config_of, recipe, until_datasets, whole
from store.written import key, product, write
from xgamma.errors import StoreError
from xgamma.ingest import open_release
from xgamma.store import Store, dataset_digest, digest
from xgamma.upkeep.parts import compact

NIGHTS = ((1,), (2,), (3,))
NOBODY = 65534
NOTHING = datetime.timedelta(0)


def quiet(release, store):
    return config_of(release, store, "general: {log: {level: critical}}")


def ingest(release, store):
    """Read the runs of a release night by night."""
    for night in NIGHTS:
        open_release(release).load(night, Store(store))


def reduce(release, store):
    """Reduce and stack, first the runs of the first night, later all of them, as one does who observes."""
    for last in (1, len(NIGHTS)):
        seen = [obs_id for night in NIGHTS[:last] for obs_id in night]
        until_datasets(quiet(release, store).update(f"observations: {{obs_ids: {seen}}}"))


def analyse(release, store):
    """Make everything, from runs to flux points."""
    whole(quiet(release, store))


def chart(release, store):
    """Make maps of all runs over a background normalised to each, their stack, and its excess map."""
    background = "datasets: {background: {method: fov_background}}\nexcess_map: {correlation_radius: 0.4 deg}"
    until_datasets(map_config_of(release, store, "general: {log: {level: critical}}", background)).get_excess_map()


def merge(store):
    """Merge parts."""
    compact(Store(store))


def clean(store):
    """Delete everything without a record, however young."""
    Store(store).gc(NOTHING)


def put(store, first, last):
    """Put products of these numbers, and return the attempts that stand."""
    return write(store, int(first), int(last))


def small(number):
    return {"": xr.Dataset({"counts": ("energy", np.random.default_rng(number).random(500))})}


def race(store, first_together, last, seed):
    """Put small products, some in the same order as everybody, the others in one's own; return what stands, sorted."""
    apart = list(range(int(first_together), int(last)))
    random.Random(seed).shuffle(apart)
    place, stands = Store(store), {}
    for number in [*range(int(first_together)), *apart]:
        stands[number] = place.put("dl4", key(number), small(number), {}).attempt
    return [stands[number] for number in sorted(stands)]


def crowd(store, size):
    """Let many processes put products at once: each its own, and all of them the same ten; return how many failed."""
    ready, go = os.pipe()
    children = []
    for member in range(int(size)):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(ready, 1)  # until all are there
            race(store, 10, 10, 0)
            Store(store).put("dl4", key(100 + member), small(100 + member), {})
            os._exit(0)
        children.append(child)
    os.close(go)
    return [sum(os.waitpid(child, 0)[1] != 0 for child in children)]


def visit(store):
    """Read all of a store without write permission; return the number of products and the error of a write."""
    if os.getuid() == 0:
        os.setuid(NOBODY)
    place = Store(store)
    records = place.ls()
    for record in records:
        assert {
            name: dataset_digest(place.get(record.kind, record.key, name)) for name in record.digests
        } == record.digests
    try:
        place.set_tag("mine", {})
    except StoreError as error:
        return [len(records), error]
    return [0, "it was not refused"]


def keys():
    """Return keys that any process must agree on."""
    return digest(recipe().document()), dataset_digest(product(3)[""])


VERBS = {verb.__name__: verb for verb in (ingest, reduce, analyse, chart, merge, clean, put, race, crowd, visit, keys)}


def say(*words):
    # In one write, of which a kill leaves all or nothing also where Python does not buffer.
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def act(verb, *given):
    # The first write of a process starts threads, which a crowd cannot inherit.
    if verb != crowd.__name__:
        put("memory://", 0, 1)
    say("ready", os.getpid())
    sys.stdin.readline()
    start = time.process_time()
    answer = VERBS[verb](*given) or ()
    say("done", time.process_time() - start, *answer)


if __name__ == "__main__":
    logging.lastResort = None
    say("started")
    last = None
    for line in sys.stdin:
        if last is not None:
            os.waitpid(last, 0)
        last = os.fork()
        if last == 0:
            act(*line.split("\t")[:-1])
            os._exit(0)
        os.waitid(os.P_PID, last, os.WEXITED | os.WNOWAIT)
        say("ended")
