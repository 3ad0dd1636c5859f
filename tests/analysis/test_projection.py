"""The memory that a plan predicts is what a process then takes, and a plan above the limit is not started."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xgamma
from releases import BRIGHT, COARSE, TINY, config_of, map_config_of, release_of
from xgamma.analysis.memory import validate_memory
from xgamma.analysis.plan import plan
from xgamma.analysis.run import run
from xgamma.errors import ConfigError

# 80,000 events a run: a block of them takes much more than what lies around it.
CROWDED = dataclasses.replace(
    TINY, name="crowded", runs=12, source=BRIGHT, response=dataclasses.replace(COARSE, background_rate=660.0)
)
MEASURED = """
import re, sys
import dask.array
from xgamma.analysis import Analysis, AnalysisConfig
analysis = Analysis(AnalysisConfig.read(sys.argv[1]))
analysis.get_observations()
analysis.get_datasets()
# Not ru_maxrss, which begins with that of the process that started this one.
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def measured(config: Path) -> int:
    """Return the peak memory of a process that reduces what is in the store."""
    environment = {**os.environ, "PYTHONPATH": str(Path(xgamma.__file__).parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURED, str(config)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return 1024 * int(done.stdout.splitlines()[-1])


@pytest.mark.some_long(2)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory of a process is read from /proc")
@pytest.mark.parametrize("bins", [8, 60])
def test_the_projected_peak_is_the_measured_one(tmp_path, bins):
    config = config_of(release_of(CROWDED, tmp_path), tmp_path / "store", "steps: [observations]")
    run(config)
    axes = {"energy": {"nbins": bins}, "energy_true": {"nbins": 2 * bins}}
    config = config.update({"steps": ["observations", "datasets"], "datasets": {"geom": {"axes": axes}}})
    config.write(tmp_path / "crowded.yaml")
    _, reduce, _ = plan(config)
    assert reduce.cost.tasks == 1
    assert reduce.cost.nbytes_in == pytest.approx(12 * 80_000 * 24, rel=0.05)
    peak = measured(tmp_path / "crowded.yaml")
    print(f"{bins} bins: projected {reduce.cost.peak / 1e6:.0f} MB, measured {peak / 1e6:.0f} MB")
    assert 0.75 < peak / reduce.cost.peak < 1.15


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory of a process is read from /proc")
@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="what imports take is that of the locked packages"
)
def test_the_projected_peak_of_maps_is_the_measured_one(tmp_path):
    crowd = dataclasses.replace(TINY, name="many", runs=12)
    config = map_config_of(release_of(crowd, tmp_path), tmp_path / "store", "steps: [observations]")
    run(config)
    geom = {
        "wcs": {"binsize": "0.02 deg", "width": {"width": "5 deg", "height": "5 deg"}},
        "selection": {"offset_max": "2.5 deg"},
        "axes": {"energy": {"nbins": 12}, "energy_true": {"nbins": 24}},
    }
    config = config.update({"steps": ["observations", "datasets"], "datasets": {"geom": geom}})
    config.write(tmp_path / "maps.yaml")
    _, reduce, stack = plan(config)
    # Counts and background in single precision, and the mask, of 12 energies; the rest is responses.
    assert reduce.cost.nbytes_out == pytest.approx(12 * 250 * 250 * 12 * 9, rel=0.15)
    assert stack.cost.nbytes_out == 250 * 250 * (12 * 17 + 24 * 8)
    peak = measured(tmp_path / "maps.yaml")
    print(f"maps: projected {stack.cost.peak / 1e6:.0f} MB, measured {peak / 1e6:.0f} MB")
    assert 0.7 < peak / max(reduce.cost.peak, stack.cost.peak) < 1.15


def test_a_plan_above_the_limit_raises_with_what_to_change(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store", "general: {memory_limit: 300 MB, n_jobs: 2}")
    with pytest.raises(ConfigError, match=r"general\.memory_limit: reduce would need about .* GB at its peak") as error:
        run(config)
    assert "fewer n_jobs than 2" in str(error.value)
    assert "coarser energy axes than 14 x 8 bins" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_products_that_are_found_need_no_memory(tiny_release, tmp_path):
    config = config_of(tiny_release, tmp_path / "store")
    run(config)
    config.general.memory_limit = "1 MB"
    assert run(config).analysis.computed == set()


@pytest.mark.parametrize("size", ["4", "much", "-1 GB", "0 GB", "3 PB", ""])
def test_a_limit_is_a_size_with_its_unit(tiny_release, tmp_path, size):
    with pytest.raises(ConfigError, match=r"general\.memory_limit: expected a size such as 4 GB"):
        config_of(tiny_release, tmp_path / "store", f"general: {{memory_limit: '{size}'}}")


def test_a_limit_is_compared_in_its_own_unit():
    peaks = [("reduce", 1_050_000_000)]
    validate_memory("1 GiB", peaks, "")
    validate_memory(None, peaks, "")
    with pytest.raises(ConfigError, match=r"reduce would need about 1\.1 GB"):
        validate_memory("1 GB", peaks, "")
