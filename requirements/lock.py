"""Resolve the dependencies of pyproject.toml into lock files with hashes, for every platform.

One for each Python, and one of the oldest versions that are allowed, in which the tests are run as well.
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCKS = {
    "python-3.11": ("--python-version", "3.11", "--group", "dev"),
    "python-3.13": ("--python-version", "3.13", "--group", "dev"),
    # Of what others bring along the newest, as nobody installs all of it at its oldest.
    "oldest": ("--python-version", "3.11", "--group", "test", "--group", "build", "--resolution", "lowest-direct"),
    # For the container.
    "runtime": ("--python-version", "3.13"),
}


def main():
    """Make an environment with uv, and the lock files."""
    environment = ROOT / ".venv-lock"
    if not environment.exists():
        venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "uv"], check=True)
    for name, options in LOCKS.items():
        target = f"requirements/{name}.txt"
        command = [python, "-m", "uv", "pip", "compile", "pyproject.toml", *options, "--quiet"]
        command += ["--universal", "--generate-hashes"]
        command += ["--custom-compile-command", "make lock", "--output-file", target]
        subprocess.run(command + sys.argv[1:], cwd=ROOT, check=True)
        print(target)


if __name__ == "__main__":
    main()
