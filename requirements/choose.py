"""Print the lock file for the Python that runs this, or with ``--newest`` the newest Python that has one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LOCKED = sorted(
    tuple(int(part) for part in path.stem[len("python-") :].split(".")) for path in HERE.glob("python-*.txt")
)


def lock_file(version):
    """Return the newest lock file that is not newer than ``version``; a lock also holds for later versions."""
    older = [locked for locked in LOCKED if locked <= version]
    if not older:
        sys.exit(
            f"xgamma needs Python 3.11 or newer, this is {sys.version.split()[0]}: make PYTHON=/path/to/python ..."
        )
    return Path(os.path.relpath(HERE)) / f"python-{'.'.join(map(str, older[-1]))}.txt"


def candidates():
    """Yield the interpreters in PATH and of pyenv."""
    for major, minor in LOCKED:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(path) for path in versions.glob("*/bin/python"))
    yield sys.executable


def version_of(python):
    """Return (major, minor) of an interpreter, (0, 0) of one that does not start."""
    code = "import sys; print('%d %d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return tuple(map(int, done.stdout.split())) if re.fullmatch(r"\d+ \d+\s*", done.stdout) else (0, 0)


def newest():
    """Return the newest interpreter that is not newer than the newest lock file."""
    return max((version_of(python), python) for python in candidates() if version_of(python) <= LOCKED[-1])[1]


if __name__ == "__main__":
    print(newest() if "--newest" in sys.argv else lock_file(sys.version_info[:2]))
