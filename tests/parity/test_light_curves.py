"""Light curves of public runs beside Gammapy 2.1: what it gave for them, and what it gives where it is installed.

``benchmarks/light_curves.py`` compares more of them, and looks at the statistic where they differ.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

PEER = os.environ.get("PEER_PYTHON", "")
CRAB_NIGHTS = {
    "norm": [0.852716959, 1.08792848, 1.11483958],
    "norm_err": [0.0616434957, 0.114070576, 0.129525321],
    "norm_errn": [0.0602878927, 0.110307037, 0.124869166],
    "norm_errp": [0.0630161391, 0.117898393, 0.134269355],
    "norm_ul": [0.981531475, 1.33150534, 1.39303689],
    "ts": [605.009162, 385.10056, 288.916812],
}
PKS_RUNS = {
    "norm": [2.31606956, 1.26532867, 1.21647858, 2.08315279, 1.89190369, 2.95256302],
    "norm_err": [0.770389383, 0.532364818, 0.532901408, 0.753453977, 0.577147192, 0.680785902],
    "norm_errn": [0.714989608, 0.4924718, 0.487178902, 0.696423323, 0.53556138, 0.638506393],
    "norm_errp": [0.82848905, 0.574579131, 0.580474485, 0.812761777, 0.620534848, 0.724656004],
    "norm_ul": [4.09394494, 2.50278819, 2.4692823, 3.83135923, 3.22289552, 4.49251209],
    "ts": [16.7292857, 8.99957745, 9.20578908, 14.1535579, 21.656448, 46.2121422],
}
PKS_TIMES = [
    [54705.81429611111, 54705.83383314815], [54705.83547666667, 54705.8550137037],
    [54705.8565762037, 54705.876124814815], [54706.81463175926, 54706.8341687963],
    [54706.835754444444, 54706.85527990741], [54706.85673824074, 54706.87627527778],
]  # fmt: skip
CURVES = {
    "crab, night, 1": {**CRAB_NIGHTS, "times": [[53343.5 + day, 53344.5 + day] for day in (0, 2, 4)]},
    "pks, observation, 1": {**PKS_RUNS, "times": PKS_TIMES},
}


@pytest.fixture(scope="module")
def stage(repository):
    """The script of the benchmark, as a module."""
    path = repository / "benchmarks" / "light_curve_stage.py"
    spec = importlib.util.spec_from_file_location("light_curve_stage", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["light_curve_stage"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("key", CURVES)
def test_a_light_curve_is_that_of_gammapy(key, stage, gammapy_data, tmp_path):
    ours = stage.one_curve("xgamma", key, tmp_path)
    assert_alike(
        ours, {name: np.array(values).reshape(-1, 1) for name, values in CURVES[key].items() if name != "times"}
    )
    np.testing.assert_allclose(ours["times"], CURVES[key]["times"], rtol=0, atol=1e-11)


@pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
@pytest.mark.parametrize("key", CURVES)
def test_gammapy_still_gives_the_same(key, repository, gammapy_data, tmp_path):
    script = repository / "benchmarks" / "light_curve_stage.py"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [PEER, str(script), "gammapy", key, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    theirs = json.loads(done.stdout.splitlines()[-1])["curves"][key]
    for name, values in CURVES[key].items():
        np.testing.assert_allclose(np.squeeze(theirs[name]), np.squeeze(values), rtol=1e-6, err_msg=name)


def assert_alike(ours, theirs):
    """Fluxes agree to a thousandth of their error, errors and limits to a thousandth."""
    error = np.array(ours["norm_err"])
    assert np.max(np.abs(np.array(ours["norm"]) - theirs["norm"]) / error) < 1e-3
    for name in ("norm_err", "norm_errn", "norm_errp", "norm_ul"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-3, err_msg=name)
    np.testing.assert_allclose(ours["ts"], theirs["ts"], rtol=1e-5)
