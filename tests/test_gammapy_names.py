"""Names of Gammapy: those that the table says are here are imported, the others say what to do."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys

import pytest

from xgamma import data, datasets, maps, modeling
from xgamma.datasets import edisp_kernel, responses
from xgamma.errors import LaterNameError
from xgamma.gammapy_methods import OF_CLASSES
from xgamma.gammapy_names import INSTEAD, MODULES, SAME, lines

PEER = os.environ.get("PEER_PYTHON", "")
MISSING = [line for line in lines() if line.instead]

# All names that modules of Gammapy say are public; those of its tests and of its own tools are not.
THEIRS = """
import importlib, json, pkgutil, warnings
warnings.simplefilter("ignore")
import gammapy
found = {}
for module in pkgutil.walk_packages(gammapy.__path__, "gammapy."):
    name = module.name.removeprefix("gammapy.")
    is_public = module.name.count(".") == 1 or name in WANTED or (name.startswith("utils.") and name.count(".") == 1)
    if is_public and not {"tests", "conftest", "docs", "extern"} & set(name.split(".")):
        try:
            found[name] = list(getattr(importlib.import_module(module.name), "__all__", []))
        except ImportError:
            pass
print(json.dumps(found))
"""

# Their methods, and what their constructors set.
OF_THEIRS = """
import importlib, inspect, json, re, warnings
warnings.simplefilter("ignore")
found = {}
for owner, place in PLACES.items():
    module, name = place.split(".")
    one = getattr(importlib.import_module(f"gammapy.{module}"), name)
    found[owner] = dir(one) + re.findall(r"self[.](\\w+) =", inspect.getsource(one))
print(json.dumps(found))
"""


@pytest.mark.parametrize("module", SAME)
def test_every_name_that_is_said_to_be_here_is_imported(module):
    found = importlib.import_module(f"xgamma.{module}")
    for name in SAME[module].split():
        assert getattr(found, name) is not None


@pytest.mark.parametrize("line", MISSING, ids=lambda line: f"{line.module}.{line.name}".rstrip("."))
def test_every_other_name_says_what_to_do_when_it_is_imported(line):
    code = f"from xgamma.{line.module} import {line.name}" if line.name else f"import xgamma.{line.module}"
    whole = f"xgamma.{line.module}.{line.name}".rstrip(".")
    with pytest.raises(ImportError) as raised:
        exec(code)
    assert isinstance(raised.value, LaterNameError)
    assert str(raised.value) == f"{whole} is not part of this version of xgamma: {line.instead}."


# --- of classes

GEOM = maps.WcsGeom.create(npix=3, axes=[maps.MapAxis.from_energy_bounds("1 TeV", "10 TeV", 2)])
REGION = maps.RegionGeom.create("icrs; circle(83.6, 22, 0.2)", GEOM.axes)
OBJECTS = [
    GEOM,
    REGION,
    maps.Map.from_geom(GEOM),
    maps.Map.from_geom(REGION),
    GEOM.get_coord(),
    GEOM.axes,
    GEOM.axes[0],
]


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: type(one).__name__)
def test_a_method_of_gammapy_that_is_not_here_says_what_to_do(one):
    owner = type(one).__name__
    for name, instead in OF_CLASSES[owner].items():
        with pytest.raises(AttributeError) as raised:
            getattr(one, name)
        assert str(raised.value) == f"{owner}.{name} is not part of this version of xgamma: {instead}."
    with pytest.raises(AttributeError, match=f"^'{owner}' object has no attribute 'nothing_of_it'$"):
        _ = one.nothing_of_it


CLASSES = {
    owner: next(getattr(place, owner) for place in (maps, data, datasets, modeling, responses, edisp_kernel)
                if owner in dir(place))
    for owner in OF_CLASSES
}  # fmt: skip
# What classes that have other names here are called there, and where.
THERE = {
    "EffectiveArea": "irf.EffectiveAreaTable2D",
    "EnergyDispersion": "irf.EnergyDispersion2D",
    "PointSpread": "irf.PSF3D",
    "BackgroundRate": "irf.Background3D",
    "EDispKernel": "irf.EDispKernel",
    "Map": "maps.WcsNDMap",
    "FluxPoints": "estimators.FluxPoints",
    "LightCurve": "estimators.FluxPoints",
}


@pytest.mark.parametrize("owner", CLASSES)
def test_a_constructor_of_gammapy_that_is_not_here_says_what_to_do(owner):
    for name, instead in OF_CLASSES[owner].items():
        with pytest.raises(AttributeError) as raised:
            getattr(CLASSES[owner], name)
        assert str(raised.value) == f"{owner}.{name} is not part of this version of xgamma: {instead}."
    with pytest.raises(AttributeError, match=f"^type object '{owner}' has no attribute 'nothing_of_it'$"):
        _ = CLASSES[owner].nothing_of_it


@pytest.mark.skipif(not PEER, reason="needs Gammapy: PEER_PYTHON=/path/to/python")
def test_gammapy_has_every_method_that_is_said_not_to_be_here():
    places = dict(THERE)
    for owner in OF_CLASSES.keys() - THERE.keys():
        module = next(one for one in ("maps", "data", "datasets", "modeling") if owner in SAME[one].split())
        places[owner] = f"{module}.{owner}"
    code = OF_THEIRS.replace("PLACES", repr(places))
    found = json.loads(subprocess.run([PEER, "-c", code], check=True, capture_output=True, text=True).stdout)
    assert {owner: sorted(set(names) - set(found[owner])) for owner, names in OF_CLASSES.items()} == {
        owner: [] for owner in OF_CLASSES
    }


def test_names_stand_once_and_what_to_do_is_one_clause():
    for module, names in INSTEAD.items():
        assert not set(names) & set(SAME.get(module, "").split())
    for line in MISSING:
        assert line.instead == line.instead.strip(" .")
        assert "  " not in line.instead


@pytest.mark.parametrize(
    "word", sorted({word for line in MISSING for word in re.findall(r"xgamma[.]\w[\w.]*\w", line.instead)})
)
def test_what_a_sentence_calls_by_its_full_name_is_there(word):
    module, _, name = word.rpartition(".")
    found = importlib.import_module(module)
    assert hasattr(found, name) or importlib.import_module(word)


def test_classes_that_sentences_name_are_imported_from_where_names_of_gammapy_are():
    modules = [importlib.import_module(f"xgamma.{module}") for module in SAME]
    named = {word for line in MISSING for word in re.findall(r"\b[A-Z]\w*[a-z][A-Z]\w*\b", line.instead)}
    others = {"HEALPix", "FoV"}
    assert not {name for name in named - others if not any(name in dir(module) for module in modules)}


def test_a_name_of_a_missing_module_says_what_to_do():
    with pytest.raises(ImportError, match=r"xgamma\.astro is not part of this version of xgamma: dark matter"):
        exec("from xgamma.astro.darkmatter import JFactory")
    with pytest.raises(ImportError, match=r"xgamma\.utils\.random is not part"):
        exec("from xgamma.utils.random import get_random_state")


def test_a_module_inside_of_one_that_is_no_package_here_says_what_to_do():
    with pytest.raises(ModuleNotFoundError, match=r"xgamma\.irf\.psf is not part.*: take its names from xgamma\.irf"):
        exec("from xgamma.irf.psf.kernel import PSFKernel")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'xgamma\.irf\.nothing'"):
        exec("import xgamma.irf.nothing")


def test_names_that_nobody_has_are_unknown_as_anywhere():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'xgamma\.nothing'"):
        exec("import xgamma.nothing")
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from xgamma.maps import Nothing")


def test_the_table_is_loaded_only_where_a_module_is_missing():
    code = "import sys, xgamma\nassert 'xgamma.gammapy_names' not in sys.modules\nimport xgamma.workflow"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert "LaterModuleError: xgamma.workflow is not part of this version" in done.stderr


@pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
def test_the_table_holds_all_public_names_of_gammapy():
    wanted = sorted({*SAME, *INSTEAD, *MODULES})
    code = f"WANTED = {wanted!r}\n{THEIRS}"
    found = json.loads(subprocess.check_output([PEER, "-W", "ignore", "-c", code], text=True, timeout=600))
    known = {(line.module, line.name) for line in lines()}
    lacking = [
        f"{module}.{name}"
        for module, names in found.items()
        for name in names
        if (module, name) not in known and not {module, module.partition(".")[0]} & set(MODULES)
    ]
    assert not lacking


MODULES_OF_GAMMAPY = """
import json, pkgutil, warnings
warnings.simplefilter("ignore")
import gammapy
print(json.dumps([m.name for m in pkgutil.walk_packages(gammapy.__path__, "gammapy.", onerror=lambda name: None)]))
"""


@pytest.mark.skipif(not PEER, reason="PEER_PYTHON names no python that has Gammapy")
def test_every_module_of_gammapy_is_here_or_says_what_to_do():
    names = json.loads(
        subprocess.check_output([PEER, "-W", "ignore", "-c", MODULES_OF_GAMMAPY], text=True, timeout=600)
    )
    unknown = []
    for name in names:
        if not {"tests", "conftest", "docs", "__main__"} & set(name.split(".")):
            try:
                importlib.import_module(name.replace("gammapy", "xgamma", 1))
            except LaterNameError:
                pass
            except ImportError as error:
                unknown.append(str(error))
    assert len(names) > 100
    assert not unknown
