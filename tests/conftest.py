"""Shared by all tests: where real data may be, a simulated release, plots without a screen, reproducible Hypothesis."""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from hypothesis import HealthCheck, settings
from matplotlib.figure import Figure

from memory import Heap
from remembered import remember_settings

# What is imported and collected stays until the end; looking through it for garbage would be a fifth of the time.
gc.disable()

# A shell that starts the tests in the background lets them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No file of a test outlives the power of the machine, and a disk lets each one wait.
os.fsync = lambda file: None

remember_settings()

REPOSITORY = Path(__file__).resolve().parents[1]
BESIDE = REPOSITORY.parent / "shared"

Draw = Callable[[], Mapping[str, Figure]]

# A busy machine is slow, not wrong; on CI a failure must be the same one each time.
settings.register_profile(
    "steady",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=20,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("thorough", settings.get_profile("steady"), max_examples=100)
settings.load_profile("steady")


def _found(*places: str | Path) -> Path | None:
    return next((Path(place) for place in places if place and (Path(place) / "hess-dl3-dr1").is_dir()), None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark cases as long that `make test` leaves out, before it leaves them out."""
    cases: Counter[str] = Counter()
    for item in items:
        mark, test = item.get_closest_marker("some_long"), item.nodeid.partition("[")[0]
        if mark is not None and cases[test] % mark.args[0]:
            item.add_marker("long")
        cases[test] += 1


def pytest_collection_finish() -> None:
    """Look for garbage from now on, but not among the modules and tests that are there."""
    gc.freeze()
    gc.enable()


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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--draw-all``."""
    parser.addoption("--draw-all", action="store_true", help="draw the pictures of runs in all tests")


@lru_cache(maxsize=1)
def _blank() -> bytes:
    content = io.BytesIO()
    plt.imsave(content, [[0.0]], format="png", metadata={"Software": None})
    return content.getvalue()


def _leave_blank(figure: Figure, content: io.BytesIO, metadata: object = None) -> None:
    content.write(_blank())


@pytest.fixture(scope="session")
def _drawn() -> dict[str, dict[str, Figure]]:
    """The names of the pictures of each key that was asked for, with empty figures."""
    return {}


@pytest.fixture(autouse=True, scope="module")
def _pictures(request: pytest.FixtureRequest, _drawn: dict[str, dict[str, Figure]]) -> Iterator[None]:
    """For tests that are not about pictures draw no pixels, and each picture once: they would be half of a run."""
    with pytest.MonkeyPatch.context() as patch:
        if not (request.config.getoption("--draw-all") or request.node.get_closest_marker("draws")):
            patch.setattr(importlib.import_module("xgamma.plot.figures"), "_draw_pixels", _leave_blank)
            pictures = importlib.import_module("xgamma.analysis.steps.pictures")
            found = pictures._found

            def found_or_blank(results: object, key: str, step: str, draw: Draw, shown: object) -> dict[str, bytes]:
                def draw_once() -> dict[str, Figure]:
                    if key not in _drawn:
                        _drawn[key] = {name: Figure() for name in draw()}
                    return _drawn[key]

                return found(results, key, step, draw_once, shown)

            patch.setattr(pictures, "_found", found_or_blank)
        yield


@pytest.fixture(scope="session")
def _heap() -> Heap:
    return Heap()


@pytest.fixture(autouse=True, scope="module")
def _memory_is_given_back(_heap: Heap) -> Iterator[None]:
    """Give memory back after modules: of the gigabytes of a process at the end of a run, most held nothing."""
    yield
    _heap.give_back()


@pytest.fixture(autouse=True)
def _figures_are_closed() -> Iterator[None]:
    yield
    plt.close("all")


from s3_fixtures import asked, moto, s3, s3_server  # noqa: E402, F401

from releases import nights_part, nights_release, own_release, tiny_release  # noqa: E402, F401
