"""No code of xgamma runs what it reads: no pickle, no eval, YAML by safe loaders, Zarr version 3 without objects."""

import ast
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from xgamma.formats.yaml_documents import Loader
from xgamma.store import Store

SOURCE = Path(__file__).resolve().parents[1] / "src" / "xgamma"
MODULES = {str(path.relative_to(SOURCE)): path for path in sorted(SOURCE.rglob("*.py"))}

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "codeop", "runpy"}
UNSAFE_NAMES = {"eval", "exec", "compile", "__import__"}
# Of these libraries, by the name that is called; methods of our own objects may have the same names.
UNSAFE_CALLS = {
    "os": {"system", "popen"},
    "yaml": {"unsafe_load", "unsafe_load_all", "full_load", "full_load_all", "load_all"},
    "np": {"load", "loads"},
    "pd": {"read_pickle", "eval", "read_hdf"},
    "subprocess": {"run", "call", "check_call", "check_output", "Popen"},
}
SAFE_LOADERS = {"Loader": Loader, "yaml.SafeLoader": yaml.SafeLoader}


def calls(tree):
    """Yield the calls of a module with the name of the function called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(tree):
    """Yield the first name of every module that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).split(".")[0]


def keyword(call, name):
    """Return the source of an argument, empty where it is not given."""
    return next((ast.unparse(word.value) for word in call.keywords if word.arg == name), "")


def unsafe(tree):
    """Return what a module does that can run what it reads."""
    found = [f"import {name}" for name in imported(tree) if name in UNSAFE_MODULES]
    for name, call in calls(tree):
        library, _, function = name.rpartition(".")
        loader = keyword(call, "Loader") or (ast.unparse(call.args[1]) if len(call.args) > 1 else "")
        if (
            name in UNSAFE_NAMES
            or function in UNSAFE_CALLS.get(library, ())
            or (name == "yaml.load" and loader not in SAFE_LOADERS)
            or keyword(call, "allow_pickle") not in ("", "False")
            or keyword(call, "shell") not in ("", "False")
            or (library == "zarr" and function.startswith("open") and keyword(call, "zarr_format") != "3")
        ):
            found.append(f"line {call.lineno}: {ast.unparse(call)}")
    return found


# Processes of our own send each other blocks, through pipes that nobody else holds: nothing that was read from a file.
BETWEEN_PROCESSES = {
    "execute/travel.py": ["import pickle", "import cloudpickle"],
    "execute/processes.py": ["subprocess.Popen(command, "],
}
UNPACKING = {"execute/processes.py", "execute/worker.py", "execute/cluster.py", "execute/travel.py"}


@pytest.mark.parametrize("module", MODULES)
def test_no_module_can_run_what_it_reads(module):
    found, allowed = unsafe(ast.parse(MODULES[module].read_text(encoding="utf-8"))), BETWEEN_PROCESSES.get(module, [])
    assert len(found) == len(allowed)
    assert all(text in line for text, line in zip(allowed, found, strict=True))


def test_only_processes_of_our_own_unpack_what_they_send_each_other():
    assert {module for module, path in MODULES.items() if "unpacked(" in path.read_text(encoding="utf-8")} == UNPACKING


def test_what_is_started_is_this_python_with_a_line_of_our_own():
    [command] = [
        node.value
        for node in ast.walk(ast.parse(MODULES["execute/processes.py"].read_text(encoding="utf-8")))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "command"
    ]
    assert ast.unparse(command) == "[sys.executable, '-P', *warnings, '-c', _START]"


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from dill import loads",
        "eval(text)",
        "yaml.load(text, yaml.Loader)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "yaml.unsafe_load(text)",
        "np.load(path)",
        "np.array(x, allow_pickle=True)",
        "pd.read_pickle(path)",
        "zarr.open_group(path)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_unsafe_calls_are_found(line):
    assert len(unsafe(ast.parse(line))) == 1


def test_every_yaml_loader_is_a_safe_one():
    assert all(issubclass(loader, yaml.SafeLoader) for loader in SAFE_LOADERS.values())
    constructors = Loader.yaml_constructors
    assert constructors == yaml.SafeLoader.yaml_constructors
    assert not Loader.yaml_multi_constructors


# --- a store from elsewhere


READERS = (Store.get, Store.open)


class Harm:
    """Touches a file when it is read from a pickle."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def product(tmp_path):
    """A store with one product, and the folder of the product."""
    store = Store(tmp_path / "store")
    record = store.put("dl3", "0" * 64, {"": xr.Dataset({"a": ("x", np.arange(4.0), {"units": ""})})}, {})
    for read in READERS:
        assert read(Store(store.url), "dl3", "0" * 64, "").load()["a"].values.tolist() == [0, 1, 2, 3]
    return store.url, tmp_path / "store" / record.folder


@pytest.mark.parametrize("codec", ["pickle", "numcodecs.pickle"])
def test_a_pickle_in_place_of_a_chunk_is_not_loaded(product, tmp_path, codec):
    url, folder = product
    harm = tmp_path / "harm"
    content = pickle.dumps(Harm(harm))
    for chunk in [path for path in folder.rglob("c*") if path.is_file()]:
        chunk.write_bytes(content)
    for document in folder.rglob("zarr.json"):
        document.write_text(document.read_text().replace('"blosc"', f'"{codec}"'))
    for read in READERS:
        with pytest.raises(Exception):  # noqa: B017 - which one is the business of the store
            read(Store(url), "dl3", "0" * 64, "").load()
    assert not harm.exists()
    pickle.loads(content)
    assert harm.exists()


def test_documents_of_zarr_version_2_are_not_read(product, tmp_path):
    url, folder = product
    harm = tmp_path / "harm"
    shutil.rmtree(folder / "a")
    (folder / "a").mkdir()
    (folder / "zarr.json").unlink()
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / "a/.zarray").write_text(
        '{"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": null, "fill_value": null,'
        ' "order": "C", "filters": [{"id": "pickle", "protocol": 5}]}'
    )
    (folder / "a/0").write_bytes(pickle.dumps(Harm(harm)))
    for read in READERS:
        with pytest.raises(Exception):  # noqa: B017 - which one is the business of the store
            read(Store(url), "dl3", "0" * 64, "").load()
    assert not harm.exists()
