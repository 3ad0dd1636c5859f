"""The kinds of location that a store is tested in: memory, a folder, a bucket."""

import pytest


@pytest.fixture(scope="module")
def new_place(request, tmp_path_factory):
    """Return a function from ``memory``, ``disk`` or ``s3`` to where a store may be made."""
    places = {
        "memory": lambda: "memory://",
        "disk": lambda: str(tmp_path_factory.mktemp("places") / "a store#1"),
        "s3": lambda: request.getfixturevalue("s3").new_url(),
    }
    return lambda kind: places[kind]()
