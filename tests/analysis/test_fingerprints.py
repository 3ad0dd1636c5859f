"""A step whose numbers change gets a new version: then old products stay what they are and new ones get new keys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from releases import config_of, map_config_of
from xgamma.analysis.run import run
from xgamma.analysis.steps import each, excess_map, fit, flux_points, light_curve
from xgamma.ingest import part as ingest
from xgamma.reduce.recipe import STACK_VERSION, WINDOWS_VERSION
from xgamma.reduce.recipe import STEP_VERSION as REDUCE_VERSION
from xgamma.schema import Kind

FILE = Path(__file__).with_name("fingerprints.json")
VERSIONS = {
    Kind.DL3: ingest.STEP_VERSION,
    Kind.ROWS: REDUCE_VERSION,
    Kind.STACK: STACK_VERSION,
    Kind.FIT: fit.FIT_VERSION,
    Kind.POINTS: flux_points.POINTS_VERSION,
    Kind.FIT_EACH: each.FIT_EACH_VERSION,
    Kind.POINTS_EACH: each.POINTS_EACH_VERSION,
    Kind.LIGHT_CURVE: light_curve.LIGHT_CURVE_VERSION,
    Kind.EXCESS_MAP: excess_map.EXCESS_MAP_VERSION,
}
OF_MAPS = (Kind.EXCESS_MAP,)
# Rows and stacks of maps beside those of spectra.
MAPS = {Kind.ROWS: WINDOWS_VERSION, Kind.STACK: STACK_VERSION}
# Sums differ in the last bits between processors and versions of numpy; a minimum is found to a tolerance.
TOLERANCE = dict.fromkeys((Kind.FIT, Kind.POINTS, Kind.FIT_EACH, Kind.POINTS_EACH, Kind.LIGHT_CURVE), 1e-5)
# Excesses of both signs nearly cancel.
TOLERANCE[Kind.EXCESS_MAP] = 1e-7


def fingerprint(store, kind):
    """Return the sum and the sum of squares of each variable of the products of one kind."""
    [record] = store.ls(kind)
    found = {}
    for group in record.digests:
        for name, values in store.get(kind, record.key, group).variables.items():
            if values.dtype.kind in "fiub":
                numbers = np.nan_to_num(values.values.astype(float), posinf=0.0, neginf=0.0)
                found[f"{group}/{name}".lstrip("/")] = [float(numbers.sum()), float((numbers**2).sum())]
    return found


@pytest.fixture(scope="module")
def store(tiny_release, tmp_path_factory):
    asked = "{fit: {each: dataset}, flux_points: {each: dataset}}"
    curve = "light_curve: {energy_edges: {min: 0.5 TeV, max: 30 TeV, nbins: 2}, source: crab}"
    config = config_of(tiny_release, tmp_path_factory.mktemp("fingerprints") / "store", asked, curve)
    config.general.outdir = str(tmp_path_factory.mktemp("results"))
    return run(config).analysis.store


@pytest.fixture(scope="module")
def map_store(tiny_release, tmp_path_factory):
    steps = "steps: [observations, datasets, excess_map]"
    asked = "excess_map: {correlation_radius: 0.3 deg, parameters: {selection_optional: all}}"
    return run(map_config_of(tiny_release, tmp_path_factory.mktemp("maps") / "store", steps, asked)).analysis.store


@pytest.mark.parametrize("kind", VERSIONS)
def test_the_numbers_of_a_step_belong_to_its_version(store, map_store, kind):
    validate(map_store if kind in OF_MAPS else store, kind, f"{kind} {VERSIONS[kind]}")


@pytest.mark.parametrize("kind", MAPS)
def test_the_numbers_of_maps_belong_to_their_version(map_store, kind):
    validate(map_store, kind, f"{kind} of maps {MAPS[kind]}", 1e-6)


def validate(store, kind, name, single=0.0):
    """Raise where the numbers of a product are not those that are known under a name; ``single`` for f4."""
    known, found = json.loads(FILE.read_text()), fingerprint(store, kind)
    advice = f"tests/analysis/fingerprints.json has no {name!r}; look at the change, then add: {json.dumps(found)}"
    assert name in known, advice
    assert set(found) == set(known[name]), f"the variables of {name} changed: raise the version of the step"
    for variable, numbers in found.items():
        tolerance = single or TOLERANCE.get(kind, 1e-9)
        expected = pytest.approx(known[name][variable], rel=tolerance, abs=0.0)
        assert numbers == expected, f"{variable} of {name} changed: raise the version of the step"
