"""Resolve the dependencies of pyproject.toml into one lock file per Python, with hashes, for every platform."""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.13")


def main():
    """Make an environment with uv, and the lock files."""
    environment = ROOT / ".venv-lock"
    if not environment.exists():
        venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--upgrade", "uv"], check=True)
    for version in PYTHONS:
        target = f"requirements/python-{version}.txt"
        command = [python, "-m", "uv", "pip", "compile", "pyproject.toml", "--group", "dev", "--quiet"]
        command += ["--universal", "--generate-hashes", "--python-version", version]
        command += ["--custom-compile-command", "make lock", "--output-file", target]
        subprocess.run(command + sys.argv[1:], cwd=ROOT, check=True)
        print(target)


if __name__ == "__main__":
    main()
