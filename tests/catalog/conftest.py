"""A small release of made-up files, its catalogue, and a server of them."""

from __future__ import annotations

import pytest
import yaml
from made_release import HASTY, INDEX, ONE, SIZES, TWO, catalogued, made_bytes
from release_server import serving

from command_line import CommandLine
from xgamma.releases import DataRelease, fetch, release_document


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


@pytest.fixture(scope="session")
def contents():
    return {name: made_bytes(size, seed) for seed, (name, size) in enumerate(SIZES.items())}


@pytest.fixture
def server(contents):
    with serving(contents) as running:
        yield running


@pytest.fixture
def release(server, contents):
    """Two runs and an index; of the second run the size is not known."""
    return DataRelease(
        name="made-up",
        title="Two runs of nothing",
        licence="CC0-1.0",
        citation="Nobody (2026)",
        attribution="Made by nobody.",
        urls=(server.url,),
        index=(INDEX,),
        files=(
            catalogued(ONE, contents[ONE], 1),
            catalogued(TWO, contents[TWO], 2, with_size=False),
            catalogued(INDEX, contents[INDEX]),
        ),
    )


@pytest.fixture
def catalogue(release, tmp_path):
    """The catalogue of the release as a file."""
    path = tmp_path / "made-up.yaml"
    path.write_text(yaml.safe_dump(release_document(release)), encoding="utf-8")
    return path


@pytest.fixture
def fetched(release, tmp_path):
    """Fetch the release into a folder; return a status or, of a failure, its sentence, by file."""

    def run(**options):
        report = fetch(release, tmp_path / "here", **{"retries": HASTY, **options})
        return {entry.file.name: entry.message or str(entry.status) for entry in report.files}

    run.folder = tmp_path / "here"
    run.bytes = lambda name: (tmp_path / "here" / name).read_bytes()
    run.names = lambda: sorted(p.relative_to(run.folder).as_posix() for p in run.folder.rglob("*") if p.is_file())
    return run
