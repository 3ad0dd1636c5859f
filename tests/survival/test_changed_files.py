"""FITS files changed in one place: no traceback, and no changed number without a word.

``XGAMMA_CHANGES`` is the number of changes of each seed.
"""

import logging
import os
import random
import shutil
from collections import Counter

import numpy as np
import pytest
from changed_files import changes

import faults
from releases import config_of, until_datasets, warnings_of
from xgamma.errors import XgammaError

CHANGED, OTHER = "2", "1"
CHANGES = int(os.environ.get("XGAMMA_CHANGES", "15"))
SETTINGS = """
observations: {obs_ids: [1, 2], required_irf: [aeff, edisp]}
datasets: {stack: false, containment_correction: true}
"""
# Single precision, through a change of units and back.
SAME = 1e-6
# What is said of responses begins here: docs/decisions/0014-unknown-responses.md.
NEGLIGIBLE = 1e-4
EXACT = ("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe", "livetime", "ontime")
SOUND_ENDINGS = ("same number", "left out", "warned", "refused")


def numbers(analysis):
    """Return the counts of each run that is used, and the ones that a power law of index 2 predicts, by name."""
    return {view.name: _numbers(view.data) for view in analysis.datasets}


def _numbers(row):
    edges = row["energy_true_bounds"].values
    flux = 1 / edges[:, 0] - 1 / edges[:, 1]
    signal = np.einsum("drt,t,drte->dre", row["exposure"].values, flux, row["edisp"].values) * row["mask_safe"].values
    return {**{name: np.asarray(row[name].values, float) for name in EXACT}, "prediction": signal}


def is_same(found, sound):
    """The rule that decides *changed*: counts and times to a millionth, the prediction to 1e-4 of all its counts."""
    exact = all(np.allclose(found[name], sound[name], rtol=SAME, atol=0) for name in EXACT)
    difference = np.abs(found["prediction"] - sound["prediction"]).sum()
    return exact and difference <= NEGLIGIBLE * sound["prediction"].sum()


def ending(config, sound, said):
    """Return what comes of a changed file and why; ``said`` returns the warnings since its last call."""
    said()
    try:
        analysis = until_datasets(config)
    except XgammaError as error:
        return "refused", str(error)
    found, warnings = numbers(analysis), said()
    if OTHER not in found or not is_same(found[OTHER], sound[OTHER]):
        return "ANOTHER RUN CHANGED", " ".join(warnings)
    if CHANGED not in found:
        reasons = [run.message for run in analysis.unused_runs if run.name == CHANGED and run.message]
        return ("left out", reasons[0]) if reasons else ("LEFT OUT WITHOUT A REASON", " ".join(warnings))
    if is_same(found[CHANGED], sound[CHANGED]):
        return "same number", ""
    about_it = [text for text in warnings if f"run {CHANGED}" in text.lower()]
    return ("warned", about_it[0]) if about_it else ("CHANGED IN SILENCE", " ".join(warnings))


@pytest.fixture(scope="module")
def sound(tiny_release):
    return numbers(until_datasets(config_of(tiny_release, "memory://", SETTINGS)))


@pytest.mark.some_long(3)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_changed_file_prints_a_traceback_or_changes_a_number_without_warning(
    seed, tiny_release, sound, tmp_path, caplog, survival
):
    own = shutil.copytree(tiny_release, tmp_path / "tiny")
    path = faults.run_file(own, int(CHANGED))
    whole, endings = path.read_bytes(), Counter()

    def said():
        texts = warnings_of(caplog)
        caplog.clear()
        return texts

    caplog.set_level(logging.WARNING)
    with survival(f"changed FITS files, seed {seed}") as tally:
        for change in changes(whole, CHANGES, random.Random(seed)):
            path.write_bytes(change.content)
            with tally.trial(change.what):
                how, why = ending(config_of(own, "memory://", SETTINGS), sound, said)
                endings[how] += 1
                assert how in SOUND_ENDINGS, f"{how}: {why}"
                assert how == "same number" or len(why.split()) > 3
        tally.remark = ", ".join(f"{count} {how}" for how, count in endings.most_common())


def test_the_comparison_detects_a_changed_number(sound):
    """A thousandth of any of them, and a bin of the mask, is another number."""
    run = sound[CHANGED]
    assert is_same(run, {name: values.copy() for name, values in run.items()})
    for name, values in run.items():
        assert not is_same({**run, name: values * 1.001 + 0.001 if name != "mask_safe" else 1 - values}, run), name
