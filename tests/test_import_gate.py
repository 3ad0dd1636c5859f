"""Starting is cheap: what only an analysis needs is not loaded by the package or by the help of its command."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("xarray", "dask", "matplotlib", "scipy", "astropy.coordinates")

REPORT = f"""
loaded = [name for name in {HEAVY!r} if name in sys.modules]
print("loaded:", " ".join(loaded))
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


def loaded_by(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{REPORT}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_by("import xgamma") == "loaded: "


@pytest.mark.parametrize("arguments", [["xgamma", "--help"], ["xgamma", "--version"]], ids=" ".join)
def test_the_help_of_the_command_loads_nothing_heavy(arguments):
    assert loaded_by(COMMAND.format(arguments=arguments)) == "loaded: "
