"""Build wheel and source distribution, install the wheel into an empty environment, and use it as a user would.

The interpreter that runs this needs hatchling; the environment is made by it, or by the one that ``--python`` names.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Processes of this machine are there without the extra for clusters.
PROCESSES = """
import importlib.util, math
from xgamma.execute import Workers, run_blocks
assert importlib.util.find_spec("distributed") is None
assert run_blocks(math.factorial, [(3,), (4,)], "x", Workers(2)) == [6, 24]
"""


def run(*words: object, where: Path = ROOT) -> str:
    """Return what a command prints; end with its own words where it fails."""
    print("+", *(Path(str(words[0])).name, *words[1:]), flush=True)
    # Nothing of this repository is found beside the wheel.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(word) for word in words]
    done = subprocess.run(command, cwd=where, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nexit code {done.returncode}: {' '.join(command)}")
    return done.stdout


def contents(wheel: Path) -> dict[str, int]:
    """Return the files of a wheel with their checksums."""
    with zipfile.ZipFile(wheel) as archive:
        return {each.filename: each.CRC for each in archive.infolist()}


def built(folder: Path) -> Path:
    """Build both distributions, and the wheel once more from the source distribution; return the wheel."""
    run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder / "source", filter="data")
    [unpacked] = (folder / "source").iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "again", where=unpacked)
    [again] = (folder / "again").glob("*.whl")
    assert contents(again) == contents(wheel), "the source distribution makes another wheel"
    return wheel


def validate_files(wheel: Path) -> None:
    """Raise ``AssertionError`` where the wheel lacks a file of the package."""
    package = ROOT / "src"
    own = [path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()]
    own += [f"xgamma/catalogs/{path.name}" for path in (ROOT / "catalogs").iterdir()]
    missing = {name for name in own if "__pycache__" not in name} - set(contents(wheel))
    assert not missing, f"the wheel lacks {', '.join(sorted(missing))}"
    assert any(name.endswith(".mplstyle") for name in own)
    assert "xgamma/py.typed" in own


def use(python: str, wheel: Path, folder: Path) -> None:
    """Install a wheel and what it needs, and nothing else; run its command."""
    run(python, "-m", "venv", folder / "env")
    of = folder / "env" / "bin"
    run(of / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    run(of / "python", "-m", "pip", "check")
    print(run(of / "python", "--version").strip(), run(of / "xgamma", "--version").strip(), sep=", ")
    assert "simulate" in run(of / "xgamma", "--help")
    run(of / "python", "-W", "error", "-c", PROCESSES, where=folder)
    run(of / "xgamma", "simulate", "demo/release", where=folder)
    run(of / "xgamma", "run", ROOT / "examples" / "demo.yaml", "--n-jobs", 2, where=folder)
    assert list((folder / "demo" / "crab").glob("*.png")), "the demo left no picture"


def use_once(python: str, wheel: Path, folder: Path) -> None:
    """Run the command by pipx, which installs it for one call."""
    run(python, "-m", "venv", folder / "pipx")
    pip = folder / "pipx" / "bin" / "python"
    run(pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pipx")
    os.environ |= {f"PIPX_{name}": str(folder / "pipx" / name.lower()) for name in ("HOME", "BIN_DIR", "SHARED_LIBS")}
    print(
        run(folder / "pipx" / "bin" / "pipx", "run", "--python", python, "--spec", wheel, "xgamma", "--version").strip()
    )


def main() -> None:
    """Do all of it in a folder that is deleted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--pipx", action="store_true", help="run the command by pipx as well")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = built(folder)
        validate_files(wheel)
        use(given.python, wheel, folder)
        if given.pipx:
            use_once(given.python, wheel, folder)
    print("the wheel is whole, and works in an empty environment")


if __name__ == "__main__":
    main()
