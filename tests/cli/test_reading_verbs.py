"""Verbs that read a store: show, plot, export, explain, diff, doctor, completion; each on one finished run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from xgamma.analysis.plan import found_results, validated_request
from xgamma.cli.main import VERBS, group
from xgamma.config.config import AnalysisConfig
from xgamma.datasets import FluxPoints
from xgamma.fit import goodness_of_fit
from xgamma.formats.gadf import index
from xgamma.formats.yaml_documents import read_yaml
from xgamma.models import Models
from xgamma.store import Store

pytestmark = pytest.mark.draws

# --- places and products


def test_a_store_is_found_in_the_folder_of_a_run_and_in_its_configuration(xgamma, out):
    by_store = xgamma("ls", out / "xgamma-store", "--json").document
    assert xgamma("ls", out, "--json").document == by_store
    assert xgamma("ls", out / "config.yaml", "--json").document == by_store


def test_a_kind_alone_is_its_only_product_and_so_is_the_beginning_of_a_key(xgamma, out):
    named = xgamma("show", out, "fit", "--json").document
    for name in (f"fit/{named['key'][:4]}", named["key"][:10], "fit/latest"):
        assert xgamma("show", out, name, "--json").document["key"] == named["key"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("fits", "has no product 'fits'"),
        ("fits/1", "There is no kind of product 'fits'. Did you mean 'fit'?"),
        ("fit/zz", "has no product 'fit/zz'. It has fit/"),
        ("zz", "has no product 'zz'. It has dl3, fit, flux-points, picture, rows, stack."),
        ("light-curve", "has no product 'light-curve'"),
        ("run/99", "has no run 99."),
    ],
)
def test_what_is_not_there_is_said_in_one_sentence(xgamma, out, name, sentence):
    done = xgamma("show", out, name)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_a_key_with_a_wrong_letter_leads_to_the_nearest(xgamma, out):
    key = xgamma("show", out, "fit", "--json").document["key"]
    for verb in (["show"], ["explain"], ["plot"], ["export"], ["diff", out]):
        for kind in ("fit/", ""):
            done = xgamma(*verb, out, f"{kind}{key[:7]}z", *(["a.yaml"] if verb[0] in ("plot", "export") else []))
            assert done.code == 2
            assert f"Did you mean fit/{key[:8]} of " in done.err


WRONG_NAMES = [
    ("show", "{out}", "nothing"),
    ("show", "{out}", "run/99"),
    ("explain", "{out}", "fit/zz"),
    ("diff", "{out}", "{out}", "fit/zz"),
    ("plot", "{out}", "fit", "a.png", "--what", "nothing"),
    ("plot", "{out}", "stack", "a.png", "--row", "nothing"),
    ("export", "{out}", "fit", "a.csv", "--contour", "index", "nothing"),
    ("ls", "{out}", "--kind", "nothing"),
    ("ls", "{out}", "--runs", "--tag", "nothing"),
    ("ls", "{out}", "--runs", "--sort", "nothing"),
    ("ls", "{out}", "--runs", "--where", "nothing > 3"),
    ("ls", "{out}", "--runs", "--position", "nowhere"),
    ("help", "nothing"),
    ("fetch", "nothing"),
    ("completion", "nothing"),
    ("nothing",),
]
NOT_THERE = [
    ("ls", "{out}/no"),
    ("show", "{out}/no", "fit"),
    ("report", "{out}/no"),
    ("doctor", "{out}/no"),
    ("gc", "{out}/no"),
    ("verify", "{out}/no"),
    ("check", "{out}/no.yaml"),
    ("run", "{out}/no.yaml"),
    ("ingest", "{out}/no", "{out}/no-store"),
    ("simulate", "{out}/no-release", "--plan", "{out}/no.yaml"),
]


@pytest.mark.parametrize(
    ("words", "code"), [*((words, 2) for words in WRONG_NAMES), *((words, 3) for words in NOT_THERE)]
)
def test_a_wrong_name_ends_with_2_and_a_place_where_nothing_is_with_3(xgamma, out, words, code):
    done = xgamma(*(word.format(out=out) for word in words))
    assert (done.code, done.out) == (code, "")
    assert done.err.splitlines()[-1].startswith("Error: ")


# --- ls --runs


def test_runs_are_chosen_and_sorted(xgamma, out):
    every = xgamma("ls", out, "--runs", "--json").document
    assert [run["obs_id"] for run in every] == [1, 2, 3]
    assert all(run["livetime"] > 0 and run["night"] and run["events"] > 0 for run in every)
    falling = xgamma("ls", out, "--runs", "--sort", "-obs_id", "--where", "obs_id != 2", "--json").document
    assert [run["obs_id"] for run in falling] == [3, 1]


def test_the_offset_to_a_position_is_that_on_the_sphere(xgamma, out):
    run = xgamma("ls", out, "--runs", "--json").document[0]
    near = xgamma("ls", out, "--runs", "--position", f"{run['ra']} {run['dec'] + 0.5}", "--json").document[0]
    assert near["offset"] == pytest.approx(0.5)


def test_runs_of_a_release_are_those_of_the_store_that_it_was_read_into(xgamma, out, tiny_release, monkeypatch):
    read, names = index.read_file, []
    monkeypatch.setattr(index, "read_file", lambda file: names.append(file.name) or read(file))
    of_release = xgamma("ls", tiny_release, "--runs", "--json").document
    assert sorted(names) == ["hdu-index.fits.gz", "obs-index.fits.gz"]
    of_store = xgamma("ls", out, "--runs", "--json").document
    for ours, theirs in zip(of_store, of_release, strict=True):
        assert (ours["obs_id"], ours["target"], ours["has"]) == (theirs["obs_id"], theirs["target"], theirs["has"])


@pytest.mark.parametrize(
    "words",
    [
        ("--runs", "--where", "zenith <"),
        ("--runs", "--where", "altitude < 3"),
        ("--runs", "--sort", "altitude"),
        ("--runs", "--position", "83"),
        ("--position", "83.6 122", "--runs"),
        ("--where", "zenith < 3"),
    ],
)
def test_wrong_options_of_ls_are_named(xgamma, out, words):
    done = xgamma("ls", out, *words)
    assert done.code == 2
    assert done.err.startswith(f"Error: {next(word for word in words if word not in ('--runs',))}")


# --- show


def test_show_has_values_with_errors_and_degrees_of_freedom(xgamma, out):
    shown = xgamma("show", out, "fit").out
    assert "Fit: converged, statistic 6.86" in shown
    assert "±" in shown and "frozen" in shown
    assert "degrees of freedom, deviance 6.86; p = 0.24 by 1,000 simulated sets." in " ".join(shown.split())


def test_the_goodness_of_a_stored_fit_is_that_of_its_datasets(xgamma, out):
    config = AnalysisConfig.read(out / "config.yaml")
    request = validated_request(config)
    results, _ = found_results(request, request.selected())
    found = goodness_of_fit(results.datasets.fit_inputs(), results.datasets.models)
    stored = xgamma("show", out, "fit", "--json").document["content"]["goodness"]
    assert stored == {
        "bins": found.total.n_bins,
        "free": 2,
        "deviance": pytest.approx(found.total.value),
        "p_value": found.total.p_value,
        "draws": 1000,
    }


def test_show_of_every_kind_has_a_table_and_its_numbers(xgamma, out):
    for kind in ("fit", "flux-points", "stack", "rows", "dl3"):
        assert xgamma("show", out, kind).code == 0
    content = xgamma("show", out, "flux-points", "--json").document["content"]
    assert content[0]["e_min"] == pytest.approx(0.5)
    assert {"dnde", "dnde_err", "sqrt_ts", "is_ul"} <= set(content[0])
    assert xgamma("show", out, "stack", "--json").document["content"][0]["outcome"] == "used"
    [picture] = xgamma("show", out, "picture/latest", "--json").document["content"]
    assert picture == {"picture": "flux points", "bytes": (out / "flux-points.png").stat().st_size}


def test_one_run_is_shown_of_a_store_and_of_a_release(xgamma, out, tiny_release):
    assert xgamma("show", out, "run/2", "--json").document["obs_id"] == 2
    assert xgamma("show", tiny_release, "run/2").out.startswith("Run 2:")


# --- plot


def test_every_picture_that_is_listed_is_drawn(xgamma, out, tmp_path):
    for kind in ("fit", "flux-points", "stack"):
        names = xgamma("plot", out, kind, "--list").out.split()
        assert names
        for name in names if kind == "fit" else names[:1]:
            path = tmp_path / f"{kind}-{name}.png"
            assert xgamma("plot", out, kind, path, "--what", name).code == 0
            assert path.read_bytes().startswith(b"\x89PNG")


def test_pictures_are_written_as_pdf_and_svg_and_never_over_others(xgamma, out, tmp_path):
    for ending, start in ((".pdf", b"%PDF"), (".svg", b"<?xml")):
        path = tmp_path / f"points{ending}"
        assert xgamma("plot", out, "flux-points", path).code == 0
        assert path.read_bytes().startswith(start)
    again = xgamma("plot", out, "flux-points", tmp_path / "points.pdf")
    assert again.code == 2
    assert "overwrite=True" not in again.err and "--overwrite" in again.err


@pytest.mark.parametrize(
    "words",
    [
        ("flux-points", "a.gif"),
        ("flux-points", "a.png", "--what", "e3dnde"),
        ("stack", "a.png", "--row", "none"),
        ("dl3", "a.png"),
        ("picture/latest", "a.png"),
        ("fit/none", "a.png"),
    ],
)
def test_what_cannot_be_drawn_is_refused(xgamma, out, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = xgamma("plot", out, *words)
    assert done.code == 2
    assert done.err.startswith("Error: ") and "Traceback" not in done.err


# --- export


@pytest.mark.some_long(4)
@pytest.mark.parametrize("ending", [".fits", ".ecsv", ".csv"])
@pytest.mark.parametrize("sed_type", ["likelihood", "dnde", "flux", "eflux", "e2dnde"])
def test_flux_points_are_exported_in_every_kind_and_read_back(xgamma, out, tmp_path, ending, sed_type):
    path = tmp_path / f"points{ending}"
    assert xgamma("export", out, "flux-points", path, "--sed-type", sed_type).code == 0
    stored = FluxPoints(Store(out / "xgamma-store").get("flux-points", _only_key(out, "flux-points")))
    assert FluxPoints.read(path).dnde.to_value("cm-2 s-1 TeV-1") == pytest.approx(
        stored.dnde.to_value("cm-2 s-1 TeV-1"), rel=0.2 if sed_type in ("flux", "eflux") else 1e-6, nan_ok=True
    )


def _only_key(out, kind):
    [record] = Store(out / "xgamma-store", read_only=True).ls(kind)
    return record.key


def test_a_fit_is_exported_as_models_with_their_covariance(xgamma, out, tmp_path):
    path = tmp_path / "models.yaml"
    assert xgamma("export", out, "fit", path).code == 0
    content = xgamma("show", out, "fit", "--json").document["content"]
    index = Models.read(path).parameters[0]
    shown = content["parameters"][0]
    assert (index.value, index.error) == pytest.approx((shown["value"], shown["error"]))


@pytest.mark.parametrize("ending", [".ecsv", ".csv"])
def test_a_contour_of_one_sigma_is_as_wide_as_the_errors(xgamma, out, tmp_path, ending):
    path = tmp_path / f"contour{ending}"
    options = ("--contour", "index", "crab.spectral.amplitude", "--points", 12, "--sigma", 1, "--sigma", 2)
    assert xgamma("export", out, "fit", path, *options).code == 0
    table = Table.read(path, format="ascii.ecsv")
    assert table.colnames == ["sigma", "crab.spectral.index", "crab.spectral.amplitude"]
    assert table["sigma"].tolist() == 13 * [1.0] + 13 * [2.0]
    assert table["crab.spectral.amplitude"].unit == "cm-2 s-1 TeV-1"
    shown = xgamma("show", out, "fit", "--json").document["content"]["parameters"]
    for parameter in shown[:2]:
        values = table[f"crab.spectral.{parameter['name']}"][:13]
        assert np.ptp(values) / 2 == pytest.approx(parameter["error"], rel=0.1)
        assert values[0] == values[12]


def test_the_covariance_of_a_fit_is_a_table(xgamma, out, tmp_path):
    paths = [tmp_path / f"covariance{ending}" for ending in (".csv", ".yaml")]
    for path in paths:
        assert xgamma("export", out, "fit", path, "--covariance").code == 0
    table, document = Table.read(paths[0], format="ascii.ecsv"), read_yaml(paths[1], "covariance")
    shown = xgamma("show", out, "fit", "--json").document["content"]["parameters"][:2]
    assert table["error"].tolist() == pytest.approx([each["error"] for each in shown])
    for number, name in enumerate(table["parameter"]):
        assert table[name][number] == pytest.approx(shown[number]["error"] ** 2)
        assert document[name] == table[name].tolist()


def test_a_fit_of_which_the_datasets_are_not_there_has_no_contour(xgamma, out, tmp_path):
    store, alone = Store(out / "xgamma-store", read_only=True), Store(tmp_path / "alone")
    [record] = store.ls("fit")
    content = {"": store.get("fit", record.key)}
    alone.put("fit", record.key, content, dict(record.provenance), inputs=record.inputs, texts=dict(record.texts))
    done = xgamma("export", alone.url, "fit", tmp_path / "a.csv", "--contour", "index", "amplitude")
    assert done.code == 3
    assert "does not hold the datasets of fit/" in done.err
    for data in ("stack", "rows"):
        for each in store.ls(data):
            alone.put(data, each.key, {"": store.get(data, each.key)}, {}, texts=dict(each.texts))
    without_range = {"models": record.provenance["models"], "made_from": record.provenance["made_from"]}
    alone.put("fit", "f" * 32, content, without_range, texts=dict(record.texts))
    done = xgamma("export", alone.url, "fit/fff", tmp_path / "a.csv", "--contour", "index", "amplitude")
    assert "an older version did not write down its range" in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("fit", "fit.fits", "--covariance"), "The covariance of a fit: expected a name that ends in .ecsv"),
        (("fit", "a.csv", "--contour", "index", "index"), "--contour: expected two parameters, got 'index' twice."),
        (("fit", "a.csv", "--contour", "index", "reference"), "no free parameter 'reference'. Known: "),
        (("fit", "a.csv", "--contour", "index", "amplitude", "--covariance"), "ask for one of them at a time"),
        (("stack", "a.csv", "--covariance"), "--covariance is about fits, and this is stack; leave it out."),
        (("fit", "fit.fits"), "ends in"),
        (("stack", "a.fits", "--sed-type", "dnde"), "--sed-type is about fluxes"),
        (("dl3", "a.fits"), "Runs have no file format"),
        (("picture/latest", "a.png"), "Pictures are drawn, not exported; xgamma plot "),
        (("flux-points", "a.txt"), ".ecsv"),
        (("flux-points", "a.ecsv", "--sed-type", "dnd"), "--sed-type"),
    ],
)
def test_what_cannot_be_exported_is_refused(xgamma, out, words, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = xgamma("export", out, *words)
    assert done.code == 2
    assert sentence in done.err


# --- explain


def test_a_product_is_explained_down_to_its_files(xgamma, out):
    tree = xgamma("explain", out, "flux-points").out
    for word in ("flux-points/", "├─ stack/", "rows/", "dl3/", "fit/", "as above", ".fits", "unchanged"):
        assert word in tree
    document = xgamma("explain", out, "flux-points", "--json").document
    assert document["is_whole"] is True
    [stack, fit] = document["made_from"]
    assert stack["made_from"][0]["made_from"][0]["files"]
    assert fit["product"].startswith("fit/")


def test_pictures_are_explained_by_what_they_show(xgamma, out):
    made = {}
    for record in Store(out / "xgamma-store", read_only=True).ls("picture"):
        document = xgamma("explain", out, f"picture/{record.key}", "--json").document
        assert document["is_whole"]
        assert "picture is drawn again" in document["again"][0]
        [name] = [
            each["picture"] for each in xgamma("show", out, f"picture/{record.key}", "--json").document["content"]
        ]
        made[name] = [each["product"].partition("/")[0] for each in document["made_from"]]
    assert made == {"counts": ["stack", "fit"], "fit": ["stack", "fit"], "flux points": ["flux-points", "stack", "fit"]}


def test_an_older_picture_does_not_say_what_it_shows(xgamma, out, tmp_path):
    store, older = Store(out / "xgamma-store", read_only=True), Store(tmp_path / "older")
    record = store.ls("picture")[0]
    older.put("picture", record.key, {"": store.get("picture", record.key)}, {})
    assert "product" not in xgamma("ls", older.url).out
    document = xgamma("explain", older.url, "picture", "--json").document
    assert (document["is_whole"], document["made_from"]) == (False, [])
    assert "is not written down" in xgamma("explain", older.url, "picture").out


class GonePath:
    """A path at which nothing is any more."""

    def __init__(self, path):
        self.path = path

    def stat(self):
        raise FileNotFoundError(self.path)


def test_files_that_are_gone_are_named(xgamma, out, monkeypatch):
    monkeypatch.setattr("xgamma.store.lineage.Path", GonePath)
    assert "not there any more" in xgamma("explain", out, "stack").out


# --- diff


def test_the_same_product_does_not_differ(xgamma, out):
    done = xgamma("diff", out, out, "fit")
    assert (done.code, done.out) == (0, "They are the same.\n")


def test_configurations_differ_by_their_keys(xgamma, tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("general: {n_jobs: 1}\nfit: {fit_range: {min: 1 TeV}}\n")
    two.write_text("general: {n_jobs: 2}\nfit: {fit_range: {min: 1 TeV}}\n")
    done = xgamma("diff", one, two, "--json")
    assert done.code == 6
    [found] = done.document["differences"]
    assert (found["what"], found["first"], found["second"]) == ("general.n_jobs", "1", "2")


def test_what_only_one_model_has_is_one_difference_and_limits_that_are_not_set_are_none(xgamma, out, tmp_path):
    paths = [tmp_path / name for name in ("one.yaml", "two.yaml")]
    text = (out / "models.yaml").read_text(encoding="utf-8")
    for path, kind in zip(paths, ("PowerLawSpectralModel", "LogParabolaSpectralModel"), strict=True):
        path.write_text(f"fit: {{fit_range: {{min: .nan}}}}\n{text.replace('PowerLawSpectralModel', kind)}")
    [found] = xgamma("diff", *paths, "--json").document["differences"]
    assert (found["what"], found["second"]) == ("crab.spectral.type", "LogParabolaSpectralModel")
    paths[1].write_text("components: [{name: crab, spectral: {parameters: [{name: index, value: 2}]}}]\n")
    paths[0].write_text("components: [{name: crab, spectral: {parameters: [{name: alpha, value: 3, min: 1}]}}]\n")
    shown = [
        (each["what"], each["first"], each["second"])
        for each in xgamma("diff", *paths, "--json").document["differences"]
    ]
    assert shown == [("crab.spectral.alpha", "3", "-"), ("crab.spectral.index", "-", "2")]


def test_verbs_that_keep_a_store_take_the_folder_of_a_run_too(xgamma, out):
    for verb in ("tag", "verify", "validate", "doctor"):
        assert xgamma(verb, out).code == 0, verb


def test_a_report_is_a_page(xgamma, out, tmp_path):
    done = xgamma("report", out, "--output", tmp_path / "a.txt")
    assert (done.code, "A report: expected a name that ends in .html" in done.err) == (2, True)


def test_stores_differ_by_their_products(xgamma, out, tmp_path):
    Store(tmp_path / "empty")
    found = xgamma("diff", out, tmp_path / "empty", "--json").document["differences"]
    assert {each["where"] for each in found} == {"products"}
    assert len(found) == 8


def test_products_of_two_kinds_are_not_compared(xgamma, out):
    done = xgamma("diff", out, out, "fit", "stack")
    assert done.code == 2
    assert "two products of one kind" in done.err


# --- doctor, completion, help


def test_doctor_looks_at_the_installation_and_a_store(xgamma, out):
    found = {each["what"]: each for each in xgamma("doctor", out, "--json").document}
    assert found["store"]["state"].endswith(": 8 products")
    assert found["disk of store"]["state"].endswith(" GB there")
    assert "numpy" in found["packages"]["state"]
    assert {"xgamma", "python", "threads", "disk", "$GAMMAPY_DATA"} <= set(found)


def test_doctor_names_a_data_folder_that_is_not_there(xgamma, monkeypatch):
    monkeypatch.setenv("GAMMAPY_DATA", "/nowhere")
    done = xgamma("doctor")
    assert done.code == 6
    assert "! $GAMMAPY_DATA" in done.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_and_installs_the_script_of_a_shell(xgamma, shell, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    script = xgamma("completion", shell).out
    assert "_XGAMMA_COMPLETE" in script
    written = xgamma("completion", shell, "--install").out.strip()
    assert written.startswith(str(tmp_path))
    assert Path(written).read_text(encoding="utf-8").strip() == script.strip()


def test_a_shell_completes_verbs_kinds_and_keys(out):
    def completed(words, number):
        asked = {"_XGAMMA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(number)}
        command = [sys.executable, "-c", "import sys; sys.argv[0] = 'xgamma'; from xgamma.cli import main; main()"]
        done = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True, check=False)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert completed("xgamma expl", 1) == ["explain"]
    assert completed(f"xgamma show {out} flux", 3) == ["flux-points", "flux-points-each"]
    assert completed(f"xgamma show {out} fit/", 3) == [f"fit/{_only_key(out, 'fit')[:12]}"]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_ends_with_examples_that_can_be_typed(xgamma, verb):
    _, mark, shown = xgamma(verb, "--help").out.partition("Examples:\n")
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    assert mark and 1 <= len(lines) <= 5
    assert lines[0].startswith(f"xgamma {verb}")
    root = group.make_context("xgamma", ["help"])
    for line in lines:
        # Of the kind eval "$(xgamma completion zsh)" what is inside.
        words = shlex.split(line.partition("$(")[2].partition(")")[0] if "$(" in line else line)
        name, command, rest = group.resolve_command(root, words[1:])
        command.make_context(name, rest, parent=root)


@pytest.mark.parametrize("module", ["xgamma", "xgamma.cli"])
def test_the_command_is_a_module_of_python_too(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("xgamma, version ")


def test_every_verb_is_a_command_with_short_help():
    for verb, (_, text) in VERBS.items():
        command = group.get_command(None, verb)
        assert command is not None and command.name == verb
        assert text.endswith(".")


def documented_keys():
    """Return the verbs of the table of docs/cli.md, each with its keys, and whether there are others."""
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`|]+)` \| [^|]+ \| (`.+) \|$", page.partition("What `--json` prints")[2], re.MULTILINE)
    return {verb: (set(re.findall("`([a-z_]+)`", keys)), "under its label" in keys) for verb, keys in rows}


JSON_OF = {
    "ls": ("ls", "{out}"),
    "ls --runs": ("ls", "{out}", "--runs"),
    "show": ("show", "{out}", "fit"),
    "explain": ("explain", "{out}", "fit"),
    "diff": ("diff", "{out}", "{out}", "fit"),
    "doctor": ("doctor",),
    "fetch": ("fetch",),
    "plan": ("plan", "{out}/config.yaml"),
    "check": ("check", "{out}/config.yaml"),
    "run": ("run", "{out}/config.yaml"),
    "retry": ("retry", "{out}"),
    "verify": ("verify", "{out}"),
    "validate": ("validate", "{out}"),
    "tag NAME": ("tag", "{out}", "documented"),
}


@pytest.mark.parametrize("verb", JSON_OF)
def test_json_has_the_keys_that_are_documented_and_nothing_beside_it(xgamma, out, verb):
    keys, has_more = documented_keys()[verb]
    document = json.loads(xgamma(*(word.format(out=out) for word in JSON_OF[verb]), "--json").out)
    entries = document if isinstance(document, list) else list(document.values()) if "NAME" in verb else [document]
    assert entries
    for entry in entries:
        assert keys <= set(entry) if has_more else keys == set(entry)


def test_the_keys_of_all_verbs_are_documented():
    assert documented_keys().keys() == JSON_OF.keys()
    with_json = {
        name for name in VERBS if any("--json" in option.opts for option in group.get_command(None, name).params)
    }
    assert with_json - {verb.split()[0] for verb in JSON_OF} == {"gc", "compact", "closure"}
