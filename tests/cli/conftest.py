"""A configuration in a file, a store with its results, and the command line in this process."""

import logging

import pytest

from command_line import CommandLine
from releases import config_of
from xgamma.analysis.run import run


@pytest.fixture(autouse=True)
def _verbs_leave_the_log_alone():
    log = logging.getLogger("xgamma")
    level = log.level
    yield
    log.setLevel(level)


@pytest.fixture(scope="session")
def out(tiny_release, tmp_path_factory):
    """The folder of a finished run, with its store inside; nobody changes it."""
    folder = tmp_path_factory.mktemp("reading") / "out"
    config = config_of(tiny_release, folder / "xgamma-store")
    config.general.outdir = str(folder)
    run(config)
    return folder


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


@pytest.fixture
def config(tiny_release, tmp_path):
    """A configuration file of the tiny release; results go beside it."""
    path = tmp_path / "my.yaml"
    config_of(tiny_release, tmp_path / "out" / "store").write(path)
    return path


@pytest.fixture
def changed(tiny_release, tmp_path):
    """Write a configuration file that is changed by YAML texts."""

    def write(*texts, release=tiny_release, name="changed.yaml"):
        path = tmp_path / name
        config_of(release, tmp_path / "out" / "store", *texts).write(path, overwrite=True)
        return path

    return write
