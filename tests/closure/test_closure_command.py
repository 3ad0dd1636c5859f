"""``xgamma closure``: a table, files, and an exit code that says whether it closes."""

import json

import pytest
import yaml

from command_line import CommandLine
from releases import TINY
from xgamma.analysis import AnalysisConfig
from xgamma.closure.estimates import default_document
from xgamma.simulate import plan_document


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({"simulation": plan_document(TINY)}))
    return path


def test_closure_prints_a_table_and_writes_results_and_a_picture(xgamma, plan, tmp_path):
    done = xgamma("closure", plan, "--sets", 12, "--seed", 3, "--out", tmp_path / "out")
    assert done.code == 0
    assert "12 sets, 0 without a converged fit, which are left out.\nIt closes.\n" in done.out
    document = json.loads((tmp_path / "out" / "closure.json").read_text())
    assert (document["sets"], document["first_seed"], document["closes"]) == (12, 3, True)
    assert document["findings"][0]["what"] == "index"
    assert (tmp_path / "out" / "closure.png").read_bytes().startswith(b"\x89PNG")
    again = xgamma("closure", plan, "--sets", 12, "--seed", 3, "--out", tmp_path / "out", "--json")
    assert again.document == document


def test_closure_ends_with_6_when_it_does_not_close(xgamma, plan, tmp_path):
    document = default_document(TINY)
    # As if all of the source fell into the region.
    document["datasets"]["containment_correction"] = False
    AnalysisConfig(**document).write(tmp_path / "wrong.yaml")
    done = xgamma("closure", plan, "--config", tmp_path / "wrong.yaml", "--sets", 40)
    assert done.code == 6
    assert "It does not close: " in done.out


def test_closure_refuses_what_it_cannot_do(xgamma, tmp_path):
    assert xgamma("closure", tmp_path / "no.yaml").code == 3
    assert xgamma("closure", "--sets", 1).code == 2
    done = xgamma("closure", "--config", tmp_path / "no.yaml")
    assert done.code == 3
    assert done.err.startswith("Error: There is no configuration file ")
