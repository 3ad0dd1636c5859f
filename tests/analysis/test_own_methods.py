"""What a user registers is called, enters the keys, and goes along to other processes."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest
import xarray as xr

from registries import own_registry
from releases import config_of, recipe, rows_in, until_datasets
from xgamma.analysis.steps.keys import model_key
from xgamma.config.requests import recipe_of
from xgamma.errors import ClusterError, ConfigError
from xgamma.estimate import fit_each
from xgamma.execute import Workers, run_blocks, shared_workers
from xgamma.models import Models, SkyModel
from xgamma.reduce import Background, method, reduce_spectra, register
from xgamma.store import Store, dataset_digest

OWN = """
datasets:
    stack: false
    background: {{method: opposite, parameters: {{folder: {0}}}}}
    safe_mask: {{methods: [counted, aeff-default], parameters: {{folder: {0}, least: 1}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where processes note themselves; workers that start later know it."""
    place = tmp_path_factory.mktemp("processes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XGAMMA_TEST_FOLDER", str(place))
        patch.setattr("xgamma.reduce.spectra.MAX_ROWS", 2)
        patch.setattr("xgamma.estimate.each.ROWS", 2)
        # What the module registers is known to the tests of this one alone.
        own_registry(patch)
        importlib.import_module("own_methods")
        yield place
    del sys.modules["own_methods"]


@pytest.fixture(scope="module")
def cluster(folder):
    """Two processes for all tests of this module that need them."""
    with shared_workers(Workers(2)):
        yield Workers(2)


@pytest.mark.some_long(2)
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_own_methods_and_models_are_called_and_enter_the_keys(nights_release, tmp_path, folder, cluster, n_jobs):
    for note in folder.iterdir():
        note.unlink()
    config = config_of(nights_release, tmp_path / "store", OWN.format(folder), f"general: {{n_jobs: {n_jobs}}}")
    [rows] = until_datasets(config).datasets.to_xarray()
    used = rows["mask_safe"].values.any(axis=(1, 2))
    assert used.any()
    np.testing.assert_array_equal(rows["acceptance_off"].values[used], 2.0)
    np.testing.assert_array_equal(rows["off_radius"].values[used], 0.2)
    np.testing.assert_array_equal(rows["mask_safe"].values, rows["counts"].values + rows["counts_off"].values >= 1)
    [record] = Store(tmp_path / "store").ls("rows")
    document = record.provenance["recipe"]
    assert document["background"] == {"opposite": [4, {"folder": str(folder), "radius": 0.2}]}
    assert document["safe_masks"] == {"aeff-default": [1, {}], "counted": [3, {"folder": str(folder), "least": 1.0}]}

    own = sys.modules["own_methods"]
    models = Models([SkyModel(own.OwnSpectralModel(), name="source")])
    other = Models([SkyModel(own.OwnSpectralModel(index=3), name="source")])
    assert model_key(models) != model_key(other)
    for note in folder.glob("model-*"):
        note.unlink()
    found = fit_each(rows, models, workers=Workers(n_jobs))
    assert found["success"].values.any()
    for who in ("background", "safe-mask", "model"):
        assert own.processes(folder, who), who
        assert (own.processes(folder, who) == {os.getpid()}) == (n_jobs == 1), who


def test_threads_and_processes_give_the_same_bytes_with_methods_of_a_session(nights_part, folder, cluster, monkeypatch):
    own_registry(monkeypatch)

    # As in a notebook: no other process can import these.
    @dataclass(frozen=True)
    class Least:
        least: float = 2.0

    @register("safe mask", "of-this-session", parameters=Least)
    def at_least(given, parameters):
        return given.background >= parameters.least

    own = recipe(
        background=method("background", "opposite", folder=str(folder)),
        safe_masks=(method("safe mask", "of-this-session", least=1),),
    )
    rows = rows_in(nights_part)
    alone = reduce_spectra(nights_part, rows, own)
    assert dataset_digest(reduce_spectra(nights_part, rows, own, cluster)) == dataset_digest(alone)
    assert alone["mask_safe"].values.any()

    class Local(sys.modules["own_methods"].OwnSpectralModel):
        tag = ("LocalSpectralModel", "local")

        @staticmethod
        def evaluate(energy, amplitude, index):
            return amplitude * energy ** (-index) * np.exp(-energy / 50)

    models = Models([SkyModel(Local(), name="source")])
    xr.testing.assert_identical(fit_each(alone, models, workers=cluster), fit_each(alone, models))


def test_what_cannot_be_sent_is_refused_before_work(nights_release, tmp_path, folder, monkeypatch):
    own_registry(monkeypatch)
    lock = threading.Lock()

    @register("safe mask", "locked")
    def locked(given, parameters):
        with lock:
            return given.background >= 0

    text = "datasets: {safe_mask: {methods: [locked]}}"
    config = config_of(nights_release, tmp_path / "store", text, "general: {n_jobs: 2}")
    with pytest.raises(ConfigError, match=r"general.n_jobs: safe mask 'locked' cannot be sent to another process"):
        recipe_of(config)
    assert recipe_of(config_of(nights_release, tmp_path / "store", text)).safe_masks[0].name == "locked"


def test_a_module_that_workers_do_not_have_is_named(cluster, tmp_path, monkeypatch):
    assert run_blocks(len, [([1],), ([1, 2],)], "Starting", cluster) == [1, 2]
    (tmp_path / "only_here.py").write_text("def number(one):\n    return one\n")
    monkeypatch.syspath_prepend(tmp_path)
    number = importlib.import_module("only_here").number
    with pytest.raises(ClusterError, match=r"A process cannot import what a block needs .*'only_here'"):
        run_blocks(number, [(1,), (2,)], "x", cluster)


def test_what_is_no_background_raises_before_work(monkeypatch):
    own_registry(monkeypatch)
    register("background", "function")(lambda parameters: 1)
    register("background", "unfinished")(type("Unfinished", (Background,), {"__init__": lambda self, parameters: None}))
    with pytest.raises(ConfigError, match="background 'function': expected a class that is made of its parameters and"):
        recipe(background=method("background", "function"))
    with pytest.raises(ConfigError, match=r"background 'unfinished': .* abstract class Unfinished"):
        recipe(background=method("background", "unfinished"))


def test_an_event_is_not_counted_on_and_off(nights_part, folder):
    off = method("background", "opposite", folder=str(folder), radius=2)
    with pytest.raises(ConfigError, match=r"datasets\.background: Opposite counts \d+ events of the on-region as off;"):
        reduce_spectra(nights_part, rows_in(nights_part), recipe(background=off))


def test_a_name_of_xgamma_is_not_taken_over():
    with pytest.raises(ConfigError, match="background 'reflected' is one of xgamma; register yours under another name"):
        register("background", "reflected")(lambda parameters: None)
