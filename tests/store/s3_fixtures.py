"""The S3 server of the tests: moto in this process, or the one that XGAMMA_TEST_S3 names."""

import os

import pytest

TOLD = os.environ.get("XGAMMA_TEST_S3", "moto")


@pytest.fixture(scope="session")
def s3_server():
    """A server of S3; tests that need it are skipped where moto is not installed."""
    pytest.importorskip("moto.server", reason="no server of S3: moto[server] is not installed", exc_type=ImportError)
    if TOLD == "radosgw":
        from radosgw import Radosgw as Server  # noqa: PLC0415
    else:
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


@pytest.fixture
def asked(s3):
    """Return a function that counts the requests of another one."""

    def asked(function, *given):
        before = len(s3.requests)
        function(*given)
        return len(s3.requests) - before

    return asked


@pytest.fixture
def moto(s3):
    """The server, where it can be configured to fail."""
    if s3.is_real:
        pytest.skip("a real server does not do what it is told")
    return s3
