"""Starting is cheap: what only an analysis needs is not loaded by the package or by verbs that list and show."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import py_compile
import subprocess
import sys
import threading

import numpy as np
import pytest
import xarray as xr

from releases import config_of
from xgamma import registry
from xgamma.analysis.run import run
from xgamma.lazily import defer, loaded
from xgamma.schema.dl5 import FIT_SCHEMA, SCHEMA_VERSION
from xgamma.schema.tables import head
from xgamma.store import Store

LIBRARIES = (
    "xarray",
    "pandas",
    "zarr",
    "numcodecs",
    "dask",
    "matplotlib",
    "scipy.special",
    "scipy.interpolate",
    "astropy.units",
    "astropy.coordinates",
    "iminuit",
    "pydantic",
)
PLAIN = (*LIBRARIES, "numpy", "rich", "yaml")
# numcodecs reads the chunks of what is shown.
WITHOUT_CHUNKS = tuple(name for name in LIBRARIES if name != "numcodecs")

REPORT = """
from xgamma.lazily import loaded
print("loaded:", " ".join(name for name in {heavy!r} if loaded(name) is not None))
"""

COMMAND = """
import sys
sys.argv = {arguments!r}
try:
    from xgamma.cli import main
    main()
except SystemExit as end:
    assert not end.code, end.code
"""

EXPORTING = (
    "analysis",
    "datasets",
    "datasets.maps",
    "estimate",
    "fit",
    "ingest",
    "models",
    "predict",
    "predict.sky",
    "reduce",
    "reduce.background",
    "schema",
    "sources",
)

# What computes what a plan and a run only find, and what can be done with it.
COMPUTING = (
    "matplotlib",
    "iminuit",
    "zarr",
    "scipy.interpolate",
    "scipy.special",
    "xgamma.analysis.costs",
    "xgamma.analysis.preview",
    "xgamma.datasets.light_curve",
    "xgamma.datasets.map_dataset",
    "xgamma.estimate.curves",
    "xgamma.estimate.excess",
    "xgamma.estimate.points",
    "xgamma.fit.minimise",
    "xgamma.fit.statistic",
    "xgamma.formats.gadf.run",
    "xgamma.formats.sky_maps.files",
    "xgamma.models.spatial.templates",
    "xgamma.models.spectral.cutoffs",
    "xgamma.models.temporal.model",
    "xgamma.predict.sky.folding",
    "xgamma.reduce.background.fov",
    "xgamma.reduce.block",
    "xgamma.reduce.spectra",
    "xgamma.reduce.stacks",
    "xgamma.report.page",
)
NOT_READ = ("dask", "jinja2", "astropy.coordinates", "astropy.io.fits", "astropy.wcs")
ARRAYS = ("xarray", "pandas", *NOT_READ)
SHOWING = (
    "xgamma.analysis.session",
    "xgamma.datasets.flux_points",
    "xgamma.datasets.text",
    "xgamma.formats.spectrum_fits",
    "xgamma.tables.fits",
)

VERBS = [
    (["--help"], PLAIN),
    (["--version"], PLAIN),
    (["completion", "bash"], LIBRARIES),
    (["help", "store"], LIBRARIES),
    (["ls", "STORE"], PLAIN),
    (["ls", "STORE", "--json"], PLAIN),
    (["tag", "STORE"], PLAIN),
    (["tag", "--help"], PLAIN),
    (["gc", "STORE"], PLAIN),
    (["compact", "--help"], PLAIN),
    (["explain", "STORE", "a1"], PLAIN),
    (["show", "--help"], LIBRARIES),
    (["show", "STORE", "fit"], WITHOUT_CHUNKS),
    (["show", "STORE", "fit/latest", "--json"], WITHOUT_CHUNKS),
]


def loaded_by(code: str, heavy: tuple[str, ...]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{REPORT.format(heavy=heavy)}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    Store(folder).put("other", "a1", {}, {})
    Store(folder).put("fit", "b2", {"": a_fit()}, {"models": ""}, texts={"models": ""})
    return folder


def a_fit():
    units = {"parameter_units": [""]}
    return xr.Dataset(
        {
            "value": ("parameter", [2.3], units),
            "error": ("parameter", [0.1], units),
            "covariance": (("parameter", "parameter_2"), [[0.01]]),
            "free_covariance": (("free", "free_2"), [[0.01]]),
        },
        {"parameter": ["crab.spectral.index"]},
        {
            **head(FIT_SCHEMA, SCHEMA_VERSION),
            **{"total_stat": "9.5", "nfev": 7, "success": True, "covariance_success": True},
            **{"message": "", "covariance_message": ""},
        },
    )


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import xgamma", PLAIN) == "loaded: "


@pytest.mark.parametrize(("arguments", "heavy"), VERBS, ids=lambda value: " ".join(value))
def test_a_verb_loads_only_what_it_needs(store, arguments, heavy):
    words = ["xgamma", *(str(store) if word == "STORE" else word for word in arguments)]
    assert loaded_by(COMMAND.format(arguments=words), heavy) == "loaded: "


def test_a_command_ends_without_a_last_look_for_cycles():
    # What is registered first is called last.
    code = "import atexit, gc; atexit.register(lambda: print(gc.get_freeze_count() > 0))"
    script = f"{code}\nfrom xgamma.cli import main; main(['--version'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.endswith("\nTrue\n")


@pytest.mark.parametrize("package", EXPORTING)
def test_what_a_package_offers_does_not_depend_on_what_was_imported_before(package):
    module = importlib.import_module(f"xgamma.{package}")
    modules = {found.name for found in pkgutil.iter_modules(module.__path__)}
    # A module that is loaded becomes an attribute of its package, in the place of a name that is taken later.
    assert not modules.intersection(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert all(getattr(module, name) is not None for name in module.__all__)


def test_a_package_that_offers_names_says_which_it_lacks():
    with pytest.raises(AttributeError, match=r"module 'xgamma\.fit' has no attribute 'fitt'"):
        _ = importlib.import_module("xgamma.fit").fitt


def test_the_registry_knows_what_there_is_before_anything_else_is_imported():
    kinds = sorted(registry._PROVIDERS)
    code = f"from xgamma.registry import names\nprint([len(names(kind)) for kind in {kinds!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == f"{[len(registry.built_in(kind)) for kind in kinds]}\n"
    # Whatever provides a kind is in the table.
    assert set(registry._HOMES) <= set(kinds)


@pytest.fixture(scope="module")
def analysed(tiny_release, tmp_path_factory):
    """The configuration of an analysis of which the store holds everything."""
    folder = tmp_path_factory.mktemp("analysed")
    config = config_of(tiny_release, folder / "store")
    config.write(folder / "my.yaml")
    run(config)
    return folder / "my.yaml"


@pytest.mark.long
@pytest.mark.parametrize(("verb", "heavy"), [("plan", (*COMPUTING, *SHOWING, *ARRAYS)), ("run", (*COMPUTING, *ARRAYS))])
def test_what_is_found_is_not_loaded_as_what_computes_it(analysed, verb, heavy):
    assert loaded_by(COMMAND.format(arguments=["xgamma", verb, str(analysed)]), heavy) == "loaded: "


@pytest.fixture
def deferred(tmp_path, monkeypatch):
    """A module that nobody has imported yet, and the file in which it notes that it was loaded."""
    name, notes = f"of_{tmp_path.name}", tmp_path / "notes"
    (tmp_path / f"{name}.py").write_text(f"with open({str(notes)!r}, 'a') as f:\n    f.write('loaded ')\nx = 3\n")
    notes.touch()
    monkeypatch.syspath_prepend(tmp_path)
    defer(name)
    yield __import__(name), notes
    sys.modules.pop(name, None)


def test_a_deferred_module_is_loaded_once_when_something_of_it_is_used(deferred):
    module, notes = deferred
    assert (loaded(module.__name__), notes.read_text()) == (None, "")
    assert (module.x, module.x, __import__(module.__name__).x) == (3, 3, 3)
    assert loaded(module.__name__) is not None
    assert notes.read_text() == "loaded "


def test_threads_that_use_a_deferred_module_at_once_load_it_once(deferred):
    module, notes = deferred
    barrier, found = threading.Barrier(8), []

    def use():
        barrier.wait()
        found.append(module.x)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, notes.read_text()) == ([3] * 8, "loaded ")


def test_who_looks_at_all_modules_does_not_load_a_deferred_one(deferred):
    inspect.getmodule(np.mean)
    assert vars(deferred[0]) == {}
    assert deferred[1].read_text() == ""


def test_a_deferred_module_lacks_what_the_module_lacks(deferred):
    with pytest.raises(AttributeError, match="has no attribute 'y'"):
        _ = deferred[0].y


def test_what_is_patched_of_a_module_that_is_not_loaded_is_patched_in_the_module_and_given_back(deferred):
    module, _ = deferred
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "x", 4)
        assert __import__(module.__name__).x == module.x == 4
    assert __import__(module.__name__).x == module.x == 3


@pytest.mark.parametrize("first", ["import {0}.inner as inner", "import {0}; {0}.x; import {0}.inner as inner"])
def test_a_part_of_a_deferred_package_is_loaded_once_and_after_its_package(first, tmp_path, monkeypatch):
    name, notes = f"of_{tmp_path.name}", tmp_path / "notes"
    (tmp_path / name).mkdir()
    note = f"with open({str(notes)!r}, 'a') as f:\n    f.write(__name__.rpartition('_')[2] + ' ')\n"
    (tmp_path / name / "__init__.py").write_text(f"import {name}.inner\n{note}x = 3\n")
    (tmp_path / name / "inner.py").write_text(f"import {name}\n{note}y = {name}\n")
    monkeypatch.syspath_prepend(tmp_path)
    defer(name)
    found = {}
    exec(f"import {name}\n" + first.format(name), found)
    inner, package = found["inner"], sys.modules[name]
    assert notes.read_text().split() == [f"{inner.__name__.rpartition('_')[2]}", name.rpartition("_")[2]]
    assert (package.inner, inner.y.x, package.x) == (inner, 3, 3)
    assert importlib.reload(inner) is inner
    assert notes.read_text().count("inner") == 2
    for each in (name, f"{name}.inner"):
        del sys.modules[each]


LAZY_ARRAYS = """
from xgamma.lazily import defer, loaded
defer("dask", "dask.array", "dask.base")
import numpy as np
import xarray as xr
dataset = xr.Dataset({"a": ("x", np.arange(5.0))}, {"x": np.arange(5)})
both = xr.concat([dataset.load().isel(x=[0, 1]), dataset.copy(deep=True)], "x")
assert both.sum()["a"] == 11.0
print([name for name in ("dask", "dask.array", "dask.base") if loaded(name) is not None])
# A part of dask is asked for before dask itself.
import dask.array as da
chunked = dataset.chunk(x=2)
assert isinstance(chunked["a"].data, da.Array) and chunked.compute().equals(dataset)
import dask
assert dask.is_dask_collection(chunked) and not dask.is_dask_collection(dataset)
assert dask.array.Array is da.Array and dask.array.zeros(3, chunks=2).sum().compute() == 0.0
print([name for name in ("dask", "dask.array", "dask.base") if loaded(name) is not None])
"""


def test_arrays_in_memory_are_used_without_dask_and_lazy_ones_with_it():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LAZY_ARRAYS], capture_output=True, text=True, timeout=120
    )
    assert (done.stderr, done.stdout) == ("", "[]\n['dask', 'dask.array', 'dask.base']\n")


PACKAGE = """
from typing import TYPE_CHECKING

from xgamma.lazily import exported

if TYPE_CHECKING:
    from compiled.home import first, second
else:
    __getattr__, __dir__ = exported(__name__)
"""


def test_names_of_a_package_are_found_where_it_is_compiled_and_its_source_is_not_there(tmp_path):
    (tmp_path / "compiled").mkdir()
    for name, text in {"__init__": PACKAGE, "home": "first, second = 1, 2"}.items():
        source = tmp_path / "compiled" / f"{name}.py"
        source.write_text(text)
        py_compile.compile(str(source), cfile=str(source.with_suffix(".pyc")), doraise=True)
        source.unlink()
    code = "import compiled; print(compiled.first, {'first', 'second', 'home'} <= {*dir(compiled)}, compiled.second)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "1 True 2\n"
