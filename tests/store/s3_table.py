"""``make test-s3``: operations on a real server of S3, each with its requests and seconds, as a table for the docs."""

import os
import tempfile
import time
from pathlib import Path

import race
from radosgw import Radosgw

from releases import TINY, config_of, release_of, until_datasets, whole
from store.test_object_storage import events_of, fill
from xgamma.ingest import open_release
from xgamma.storage.backend import open_backend
from xgamma.store import Store


def rows(server):
    """Yield what was done, with its requests and seconds."""

    def timed(text, function):
        before, started = len(server.requests), time.perf_counter()
        result = function()
        seconds = time.perf_counter() - started
        return result, (text, len(server.requests) - before, seconds)

    folder = Path(tempfile.mkdtemp())
    release = release_of(TINY, folder)
    url, many, some = server.new_url(), server.new_url(), server.new_url()
    bucket = f"{server.new_url()}/tiny"
    place = open_backend(bucket)
    for path in release.rglob("*.fits*"):
        place.replace(path.relative_to(release).as_posix(), path.read_bytes())
    ids = [1, 2, 3]
    yield timed("make a store", lambda: Store(url))[1]
    yield timed("open a store", lambda: Store(url))[1]
    yield timed("open a release of 3 runs, with its index", lambda: open_release(bucket).facts())[1]
    yield timed("ingest the 3 runs", lambda: open_release(bucket).load(ids, Store(url)))[1]
    yield timed("ingest them again: nothing new", lambda: open_release(bucket).load(ids, Store(url)))[1]
    yield timed("write 105 runs as one part", lambda: fill(Store(many), release, 1))[1]
    yield timed("write 105 runs as three parts", lambda: fill(Store(some), release, 3))[1]
    yield timed("open the store of one part, read the events of one run", lambda: events_of(many, [150]))[1]
    yield timed("open the store of one part, read the events of 105 runs", lambda: events_of(many, None))[1]
    yield timed("open the store of three parts, read the events of one run", lambda: events_of(some, [150]))[1]
    yield timed("open the store of three parts, read the events of 105 runs", lambda: events_of(some, None))[1]
    yield timed("an analysis to flux points, release and store in the bucket", lambda: whole(config_of(bucket, url)))[1]
    yield timed("the same analysis again", lambda: until_datasets(config_of(bucket, url)))[1]
    found, row = timed("4 processes put the same 60 products", lambda: race.race(server.new_url()))
    yield row
    yield f"products {found.products}, lost {found.lost}, attempts left {found.duplicates}"


def main():
    """Start the server, and print the table."""
    server = Radosgw()
    try:
        os.environ.update(server.environment)
        os.environ.pop("AWS_SESSION_TOKEN", None)
        print(f"\nThe gateway was up after {server.seconds:.0f} s.\n")
        print("| operation | requests | seconds |\n|---|---|---|")
        for row in rows(server):
            print(f"\n{row}" if isinstance(row, str) else f"| {row[0]} | {row[1]} | {row[2]:.2f} |", flush=True)
    finally:
        server.close()


if __name__ == "__main__":
    main()
