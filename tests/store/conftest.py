"""The places where the laws of the store hold: memory, a folder, a bucket."""

import pytest


@pytest.fixture(scope="session")
def s3_server():
    """A server of S3 in this process; tests that need it are skipped where moto is not installed."""
    pytest.importorskip("moto.server", reason="no server of S3: moto[server] is not installed", exc_type=ImportError)
    from s3_server import Server  # noqa: PLC0415

    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def s3(s3_server):
    """The server, with the environment that leads to it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.environment.items():
            patch.setenv(name, value)
        yield s3_server


@pytest.fixture(scope="module")
def new_place(request, tmp_path_factory):
    """Return a function from ``memory``, ``disk`` or ``s3`` to where a store may be made."""
    places = {
        "memory": lambda: "memory://",
        "disk": lambda: str(tmp_path_factory.mktemp("places") / "a store#1"),
        "s3": lambda: request.getfixturevalue("s3").new_url(),
    }
    return lambda kind: places[kind]()
