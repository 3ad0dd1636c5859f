"""Backgrounds of maps beside Gammapy's: expected, normalised, in rings, and of fields that turn."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

PEER = os.environ.get("PEER_PYTHON", "")
# Largest deviations, as shares of the largest number of a plane; of norms of themselves.
EXPECTED = {"msh": 1e-6, "cta": 1e-4}
NORMS = {"scale": 1e-6, "fit": 1e-4, "fit with tilt": 5e-4}


@pytest.fixture(scope="module")
def both(repository, gammapy_data, tmp_path_factory):
    """Return the arrays of both packages, which measure in processes of their own."""
    if not PEER:
        pytest.skip("PEER_PYTHON names no python that has Gammapy")
    folder, script = tmp_path_factory.mktemp("maps"), repository / "benchmarks" / "map_backgrounds.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return tuple(dict(np.load(folder / f"{name}.npz")) for name in ("xgamma", "gammapy"))


def shares(own, peer):
    """Return the deviations of each plane, as shares of its largest number."""
    return np.abs(own - peer) / peer.max(axis=(-2, -1), keepdims=True)


@pytest.mark.parametrize("name", EXPECTED)
def test_the_expected_background_is_that_of_gammapy(both, name):
    assert shares(*(each[f"expected {name}"] for each in both)).max() < EXPECTED[name]


def test_a_field_that_turns_has_the_background_of_gammapy(both):
    apart = shares(*(each["expected turning"] for each in both))
    # At the edge of a table a pixel is lit for a part of a run, which Gammapy follows in larger steps.
    assert np.quantile(apart, 0.995) < 1e-4


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_runs_are_those_of_gammapy(both, name):
    own, peer = (each[f"norms {name}"] for each in both)
    np.testing.assert_allclose(own, peer, rtol=NORMS[name])


def test_tilts_are_those_of_gammapy(both):
    own, peer = (each["tilts"] for each in both)
    assert (np.abs(own[0] - peer[0]) < 5e-3 * peer[1]).all()
    np.testing.assert_allclose(own[1], peer[1], rtol=1e-3)


@pytest.mark.parametrize("variable", ["counts_off", "acceptance_off"])
@pytest.mark.parametrize("name", ["ring", "adaptive_ring"])
def test_rings_are_those_of_gammapy(both, name, variable):
    assert shares(*(each[f"{variable} {name}"] for each in both)).max() < 1e-6
