"""A notebook of an analysis, executed: what it shows, and that nothing else is written beside."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from releases import config_of

CELLS = (
    "from xgamma.analysis import Analysis, AnalysisConfig\n"
    "from xgamma.models import Models\n"
    "analysis = Analysis(AnalysisConfig.read(PATH))\n"
    "analysis",
    "analysis.get_observations()\nanalysis.get_datasets()\nanalysis.datasets",
    "analysis.set_models(Models.from_dict(analysis.config.models))\nanalysis.run_fit()\nanalysis.fit_result",
    "import logging\nlogging.basicConfig(level=logging.INFO)\nlogging.getLogger('xgamma.own').warning('said once')",
    "import time\n"
    "from xgamma.execute import progress_bar\n"
    "with progress_bar('Reducing', 3) as step:\n"
    "    for number in range(3):\n"
    "        time.sleep(0.4)\n"
    "        step()",
    "analysis.get_flux_points()\nanalysis",
)


@pytest.fixture(scope="module")
def cells(tiny_release, tmp_path_factory):
    """The outputs of each cell, as they are saved."""
    folder = tmp_path_factory.mktemp("notebook")
    config = config_of(
        tiny_release,
        folder / "store",
        "datasets: {stack: false, geom: {axes: {energy_true: {nbins: 60, min: 0.1 TeV, max: 100 TeV}}}}",
    )
    config.write(folder / "config.yaml")
    code = [new_code_cell(cell.replace("PATH", repr(str(folder / "config.yaml")))) for cell in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = new_notebook(cells=code, metadata=kernel)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    saved = json.loads(nbformat.writes(notebook))
    return [cell["outputs"] for cell in saved["cells"]]


def texts(outputs, stream):
    return "".join("".join(one["text"]) for one in outputs if one.get("name") == stream)


def page(outputs):
    return "".join(outputs[-1]["data"]["text/html"])


def test_steps_are_to_do_and_then_done(cells):
    assert "to do" in page(cells[0])
    assert "to do" not in page(cells[-1])
    assert "computed" in page(cells[-1])


def test_datasets_and_fits_are_shown_as_tables(cells):
    assert page(cells[1]).count("<tr>") > 4
    assert " ± " in page(cells[2])
    assert "xgamma-correlations" in page(cells[2])


def test_progress_is_output_and_only_warnings_look_like_errors(cells):
    assert [texts(outputs, "stderr") for outputs in cells[:3]] == ["", "", ""]
    assert "Reduced 3 rows, found 0 in the store.\n" in texts(cells[1], "stdout")


def test_a_message_is_shown_once_also_where_the_user_logs_too(cells):
    assert texts(cells[3], "stderr").count("said once") == 1
    assert "said once" not in texts(cells[3], "stdout")


def test_a_progress_bar_leaves_nothing_in_what_is_saved(cells):
    assert [outputs.get("data") for outputs in cells[4]] == [{"text/html": [], "text/plain": []}]


def test_no_control_characters_are_saved(cells):
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in json.dumps(cells, ensure_ascii=False))
    assert "\\u001b" not in json.dumps(cells)
