"""Point-like releases with wobble off regions: the numbers of Gammapy, to the event, and its spectrum."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from point_like import CASES, EXACT, deviations, ours, theirs, with_table

PEER = os.environ.get("PEER_PYTHON", "")
DATA = Path(os.environ.get("GAMMAPY_DATA", "/nowhere"))
# What Gammapy 2.1 counts: on, off.
COUNTS = {
    "VERITAS, RAD_MAX as keyword, point": (551, 21),
    "VERITAS, RAD_MAX as keyword, circle": (551, 79),
    "VERITAS, table at four offsets": (915, 388),
    "VERITAS, table of one bin of offset": (810, 42),
    "MAGIC, RAD_MAX as keyword, circle": (189, 30),
    "MAGIC, table of one bin of offset": (468, 272),
}


def asked_of(name, folder):
    """Return what is asked, of a copy of the release where it gets a table."""
    asked = CASES[name]
    release = DATA / asked.path
    if not release.is_dir():
        pytest.skip(f"$GAMMAPY_DATA has no {asked.path}")
    if asked.offsets:
        release = with_table(release, folder / "release", asked.obs_ids, asked.offsets)
    return asked.request(release)


@pytest.mark.parametrize("name", CASES)
def test_counts_of_public_runs_are_those_that_gammapy_has(name, tmp_path):
    found = ours(asked_of(name, tmp_path), tmp_path.name)
    totals = [sum(v.sum() for key, v in found.items() if key.endswith(f"/{each}")) for each in ("counts", "counts_off")]
    assert tuple(totals) == COUNTS[name]
    assert np.isfinite(found["amplitude"]).all()


@pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
@pytest.mark.parametrize("name", ["VERITAS, table at four offsets", "MAGIC, RAD_MAX as keyword, circle"])
def test_arrays_and_spectrum_are_those_of_gammapy(name, tmp_path):
    request = asked_of(name, tmp_path)
    away = deviations(ours(request, tmp_path.name), theirs(PEER, request, tmp_path))
    assert {name: away[name] for name in EXACT} == dict.fromkeys(EXACT, 0.0)
    assert away["exposure"] < 1e-12
    assert away["edisp"] < 1e-8
    assert max(away["index"], away["amplitude"]) < 1e-6
    assert max(away["index error"], away["amplitude error"]) < 1e-5
