"""The Crab nebula with five instruments, alone and together, beside what Nigro et al. 2019 published."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from xgamma.analysis import AnalysisConfig

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark(gammapy_data):
    """The names of ``benchmarks/joint_crab.py``."""
    if not (gammapy_data / "joint-crab" / "spectra" / "fermi").is_dir():
        pytest.skip("no joint-crab/spectra in $GAMMAPY_DATA")
    return runpy.run_path(str(REPOSITORY / "benchmarks" / "joint_crab.py"))


@pytest.fixture
def config(gammapy_data, tmp_path, monkeypatch):
    """The example, in a folder of its own."""
    monkeypatch.setenv("GAMMAPY_DATA", str(gammapy_data))
    monkeypatch.setenv("JOINT_CRAB", str(gammapy_data / "joint-crab-paper"))
    return AnalysisConfig.read(REPOSITORY / "examples" / "joint-crab.yaml").update(
        {"general": {"outdir": str(tmp_path)}}
    )


def distances(benchmark, fits):
    """Return the largest distance from what was published, in errors of that, by instrument."""
    published = benchmark["PUBLISHED"]
    return {
        name: max(abs(values[key][0] - value) / error for key, (value, error) in published[name].items())
        for name, values in fits.items()
    }


def test_from_ogip_files_the_paper_is_reproduced_to_a_hundredth_of_its_errors(benchmark, config):
    fits, excess, _ = benchmark["measured"](benchmark["as_ogip"](config))
    assert max(distances(benchmark, fits).values()) < 0.01
    assert len(fits) == 6
    for name, published in benchmark["EXCESS"].items():
        assert excess[name] == pytest.approx(published, abs=0.06)


def test_from_events_the_paper_is_reproduced_within_a_part_of_its_errors(benchmark, config, gammapy_data):
    if not (gammapy_data / "joint-crab-paper" / "fact").is_dir():
        pytest.skip("no joint-crab-paper in $GAMMAPY_DATA")
    fits, excess, _ = benchmark["measured"](config)
    assert max(distances(benchmark, fits).values()) < 0.15
    for name, published in benchmark["EXCESS"].items():
        assert excess[name] == pytest.approx(published, rel=0.02)
