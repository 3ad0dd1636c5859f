"""Shared by all tests: where real data may be, a simulated release, plots without a screen, reproducible Hypothesis."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from hypothesis import HealthCheck, settings

# A shell that starts the tests in the background lets them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]
BESIDE = REPOSITORY.parent / "shared"

# A busy machine is slow, not wrong; on CI a failure must be the same one each time.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("steady")


def _found(*places: str | Path) -> Path | None:
    return next((Path(place) for place in places if place and (Path(place) / "hess-dl3-dr1").is_dir()), None)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their length: gzipped ones hold the time, and the test processes have to agree on names."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
def repository() -> Path:
    """The folder of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def gammapy_data() -> Iterator[Path]:
    """The folder of real data, which $GAMMAPY_DATA then names; tests that need it are skipped without."""
    place = _found(os.environ.get("GAMMAPY_DATA", ""), BESIDE / "data")
    if place is None:
        pytest.skip("no real data: neither $GAMMAPY_DATA nor ../shared/data holds hess-dl3-dr1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAMMAPY_DATA", str(place))
        yield place


@pytest.fixture(scope="session")
def reference_numbers() -> Path:
    """The folder of reference numbers; tests that compare with them are skipped without."""
    place = BESIDE / "reference"
    if not place.is_dir():
        pytest.skip("no reference numbers: there is no folder ../shared/reference")
    return place


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    plt.close("all")


from s3_fixtures import asked, moto, s3, s3_server  # noqa: E402, F401

from releases import nights_part, nights_release, own_release, tiny_release  # noqa: E402, F401
