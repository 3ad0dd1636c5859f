"""Installed versions and the location of data: the report for bug reports."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import xgamma
from xgamma.digits import some
from xgamma.storage.backend import local_folder
from xgamma.storage.disk import is_closed, with_home
from xgamma.store import Store

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "astropy",
    "xarray",
    "dask",
    "distributed",
    "zarr",
    "obstore",
    "pydantic",
    "PyYAML",
    "iminuit",
    "matplotlib",
    "threadpoolctl",
    "click",
    "rich",
)
DATA_VARIABLE = "GAMMAPY_DATA"
NOT_INSTALLED = "not installed"
EXTRAS = {
    "distributed": "clusters of dask",
    "gammapy": "conversion to and from its objects, xgamma verify --against gammapy",
    "regions": "regions as objects and in files of other programs",
}
"""Packages that not everyone needs, and what for."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LEAST_ROOM = 1_000_000_000
"""Bytes below which a disk counts as full."""


def system_facts() -> dict[str, str]:
    """Return interpreter, its version, machine and operating system."""
    return {
        "python_executable": sys.executable,
        "python_version": platform.python_version(),
        "machine": platform.machine(),
        "system": platform.system(),
    }


def package_facts() -> dict[str, str]:
    """Return the version of xgamma and the folder it is loaded from."""
    return {"version": xgamma.__version__, "path": str(Path(xgamma.__file__).parent)}


def installed_versions() -> dict[str, str]:
    """Return the version of each package that xgamma builds on; the packages are not imported."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return NOT_INSTALLED


def environment_facts(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that xgamma reads, each with whether the folder exists."""
    value = environment.get(DATA_VARIABLE)
    return {DATA_VARIABLE: "not set" if value is None else f"{value} ({_presence(value)})"}


def _presence(folder: str) -> str:
    return "the folder exists" if with_home(folder).is_dir() else "the folder does not exist"


def setup_report(environment: Mapping[str, str] = os.environ) -> str:
    """Return the report as text.

    Parameters
    ----------
    environment
        The environment variables.
    """
    return "\n".join(_lines(environment))


def _lines(environment: Mapping[str, str]) -> Iterator[str]:
    sections = {
        "System": system_facts(),
        "xgamma package": package_facts(),
        "Other packages": installed_versions(),
        "xgamma environment variables": environment_facts(environment),
    }
    for title, facts in sections.items():
        yield f"{title}:"
        yield ""
        yield from (f"\t{name:22} : {value}" for name, value in facts.items())
        yield ""
    folder = environment.get(DATA_VARIABLE)
    if folder is None or not with_home(folder).is_dir():
        yield f"Set {DATA_VARIABLE} to the folder that holds hess-dl3-dr1, or simulate data: xgamma simulate --help"


class Finding(NamedTuple):
    """One thing that was looked at: how it is, whether that is wrong, and what to do."""

    what: str
    state: str
    is_wrong: bool = False
    remedy: str = ""


def findings_of_setup(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Return what was found of the installation: versions, threads, disk, data and optional packages."""
    system, package = system_facts(), package_facts()
    versions = installed_versions()
    missing = [name for name, version in versions.items() if version == NOT_INSTALLED and name not in EXTRAS]
    found = [
        Finding("xgamma", f"{package['version']} in {package['path']}"),
        Finding("python", f"{system['python_version']}, {system['system']} {system['machine']}"),
        Finding("packages", ", ".join(f"{name} {version}" for name, version in versions.items() if name not in EXTRAS)),
    ]
    if missing:
        found.append(Finding("missing", ", ".join(missing), True, f"Install them: pip install {' '.join(missing)}"))
    found += [_extra(name, purpose) for name, purpose in EXTRAS.items()]
    return [*found, _threads(environment), _disk("disk", Path.cwd(), "here"), _data(environment)]


def _extra(name: str, purpose: str) -> Finding:
    version = _version(name)
    return Finding(name, version, remedy=f"Optional: {purpose}." if version == NOT_INSTALLED else "")


def _threads(environment: Mapping[str, str]) -> Finding:
    given = {name: environment[name] for name in THREADS if name in environment}
    cores = os.cpu_count() or 1
    state = ", ".join([some(cores, "core"), *(f"{name}={value}" for name, value in given.items())])
    remedy = "" if given else "Several processes on one machine are faster with OMP_NUM_THREADS=1."
    return Finding("threads", state, remedy=remedy)


def _disk(what: str, folder: Path, where: str) -> Finding:
    usage = shutil.disk_usage(folder)
    is_full = usage.free < LEAST_ROOM
    remedy = "Make space, or take another folder as general.outdir or general.store." if is_full else ""
    return Finding(what, f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.0f} GB {where}", is_full, remedy)


def _data(environment: Mapping[str, str]) -> Finding:
    state, folder = environment_facts(environment)[DATA_VARIABLE], environment.get(DATA_VARIABLE)
    if folder is not None and with_home(folder).is_dir():
        return Finding(f"${DATA_VARIABLE}", state)
    remedy = "Set it to the folder that holds hess-dl3-dr1, fetch a release (xgamma fetch), or simulate one."
    # A variable that leads nowhere is a mistake; none is needed.
    return Finding(f"${DATA_VARIABLE}", state, folder is not None, remedy)


def findings_of_store(store: Store) -> list[Finding]:
    """Return what was found of a store: how many products it has, damaged records and runs that failed."""
    records, damaged = store.listing()
    failures = store.failures()
    found = [Finding("store", f"{store.url}: {some(len(records), 'product')}")]
    folder = local_folder(store.url)
    if folder is not None:
        found.append(_disk("disk of store", folder, "there"))
        if is_closed(folder):
            found.append(Finding("rights", "the store can be read, and not be written"))
    if damaged:
        remedy = f"xgamma verify {store.url} says what to do."
        found.append(Finding("damaged", ", ".join(list(damaged)[:3]), True, remedy))
    if failures:
        found.append(Finding("failed", some(len(failures), "run"), False, f"xgamma retry {store.url} tries again."))
    return found


def check_tutorials_setup() -> None:
    """Print system, package versions and data folder, and what to do where the data folder is missing."""
    print(setup_report())
