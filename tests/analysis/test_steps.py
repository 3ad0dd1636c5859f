"""The list of steps: what a plan says is computed is what a run computes, and each step is known in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import xgamma.analysis
from releases import config_of
from xgamma.analysis import Analysis
from xgamma.analysis.plan import plan
from xgamma.analysis.run import run
from xgamma.analysis.steps import SECTIONS, STEPS
from xgamma.config.config import STEP

# What was run before, and what is asked for then.
EARLIER = {
    "nothing": None,
    "some runs": "observations: {obs_ids: [1, 2]}",
    "rows without their stack": "datasets: {stack: false}\nsteps: [observations, datasets]",
    "another fit": "fit: {fit_range: {min: 1 TeV, max: 20 TeV}}",
    "other flux points": "flux_points: {energy: {nbins: 2}}",
}
FEW = "flux_points: {energy: {nbins: 1}, parameters: {selection_optional: []}}"


def test_the_words_of_the_steps_are_in_the_order_of_the_configuration():
    assert [word for word in STEP.words if word in SECTIONS] == list(SECTIONS)
    assert all(set(step.needs) <= set(SECTIONS) for step in STEPS)


@pytest.mark.some_long(3)
@pytest.mark.parametrize("earlier", EARLIER)
def test_a_run_computes_what_its_plan_says(tiny_release, tmp_path, earlier, monkeypatch):
    config = config_of(tiny_release, tmp_path / "store", FEW)
    if EARLIER[earlier] is not None:
        run(config.update(EARLIER[earlier]))
    with monkeypatch.context() as patch:
        patch.setattr(Analysis, "__init__", lambda *_, **__: pytest.fail("a plan makes an Analysis"))
        planned = [step.step for step in plan(config) if step.state == "compute"]
    assert run(config).analysis.computed == {step.section for step in STEPS if step.name in planned}


def test_only_steps_and_the_methods_of_a_session_name_a_step():
    folder = Path(xgamma.analysis.__file__).parent
    named = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in SECTIONS
    }
    # And those that say and draw what was made.
    assert named == {"session.py", "words.py", "reported.py", "stored_pictures.py"}
