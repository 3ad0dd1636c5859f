"""Installed versions and the location of data: the report for bug reports."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import xgamma
from xgamma.storage.disk import with_home

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


def check_tutorials_setup() -> None:
    """Print system, package versions and data folder, and what to do where the data folder is missing."""
    print(setup_report())
