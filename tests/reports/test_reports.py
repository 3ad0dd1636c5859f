"""The report: its HTML, that it holds all that it needs, and that its numbers are those of the views."""

from __future__ import annotations

import base64
import dataclasses
import html
import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from report_pages import CREATED, HOSTILE, Page

from command_line import CommandLine
from releases import config_of
from xgamma.analysis.reported import MARK, report_of, write_report
from xgamma.digits import decimals, value_and_error
from xgamma.errors import OutputExistsError
from xgamma.fit import goodness_of_fit
from xgamma.plot import figures
from xgamma.report.fits import goodness_text
from xgamma.schema import product_violations
from xgamma.schema.picture import PICTURE
from xgamma.store import Store
from xgamma.store.prov import prov_document
from xgamma.store.said import warnings_of

LARGEST = 5_000_000


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


@pytest.fixture(params=["spectra", "maps"])
def each(request):
    return request.getfixturevalue("page" if request.param == "spectra" else "map_page")


def test_every_tag_is_closed_and_every_id_there_once(each):
    found = Page(each)
    assert (found.wrong, found.open) == ([], [])
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_link_leads_into_the_page_or_is_a_file_in_it(each):
    found = Page(each)
    ids = {attributes["id"] for _, attributes in found.tags if "id" in attributes}
    for link in found.of("a"):
        assert link["href"].startswith("data:") or link["href"][1:] in ids, link["href"][:80]
    for attributes in (attributes for _, attributes in found.tags):
        assert attributes.get("src", "data:").startswith("data:")
    assert not re.search(r"https?://", re.sub(r"data:[^\"']+", "", each))
    assert found.of("script") == []


def test_headings_go_down_one_by_one(each):
    levels = [int(tag[1]) for tag, _ in Page(each).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= before + 1 for before, later in itertools.pairwise(levels))


def test_every_picture_is_told_in_words(each):
    pictures = Page(each).of("img")
    assert len(pictures) >= 5
    assert all(len(picture["alt"].split()) >= 8 for picture in pictures)
    assert len({picture["alt"] for picture in pictures}) == len(pictures)


def test_it_is_small_enough_for_a_letter(each):
    assert len(each.encode()) < LARGEST


def test_what_is_called_like_a_program_is_no_program(page):
    found = Page(page)
    assert found.of("script") == found.of("b") == []
    assert "&lt;script&gt;alert(" in page
    parameters = found.table("Parameters")
    assert {row["model"] for row in parameters} == {HOSTILE}


def test_the_same_results_give_the_same_bytes_and_draw_nothing(hostile, page, monkeypatch):
    monkeypatch.setattr(figures, "drawing", None)
    later = report_of(hostile.config, hostile.results, ["<b>said</b> before."], "2027-01-01T00:00Z")
    assert later.replace("2027-01-01T00:00Z", CREATED) == page


def test_pictures_of_a_page_are_products_of_the_format(hostile, page):
    store = hostile.store
    [record] = [each for each in store.ls("picture") if "media" in store.get("picture", each.key)]
    data = store.get_valid("picture", record.key)
    assert data.attrs["step"] == "report"
    assert set(data["media"].values.tolist()) <= {"image/svg+xml", "image/png"}
    assert list(product_violations({"": data}, PICTURE)) == []
    assert data.sizes["picture"] == len(Page(page).of("img"))
    assert max(map(len, data["picture"].values.tolist())) <= 57


@pytest.mark.long
def test_a_store_that_may_only_be_read_has_them_drawn(hostile, page, tmp_path):
    shutil.copytree(hostile.store.url, tmp_path / "store", ignore=shutil.ignore_patterns("picture"))
    results = dataclasses.replace(hostile.results, store=Store(tmp_path / "store", read_only=True))
    assert report_of(hostile.config, results, ["<b>said</b> before."], CREATED) == page
    assert results.store.ls("picture") == []


def test_counts_and_significances_are_those_of_the_datasets(hostile, page):
    rows = Page(page).table("What is fitted")
    info = hostile.datasets.info_table()
    assert [row["dataset"] for row in rows] == list(info["name"])
    for row, line in zip(rows, info, strict=True):
        assert (row["on"], row["off"]) == (str(line["counts"]), str(line["counts_off"]))
        assert row["excess"] == decimals(line["excess"], 1)
        assert row["significance"] == decimals(line["sqrt_ts"], 1)


def test_parameters_and_flux_points_have_their_values_and_errors(hostile, page):
    found = Page(page)
    rows = {row["parameter"]: row for row in found.table("Parameters")}
    for name in ("index", "amplitude"):
        parameter = hostile.models.parameters[name]
        assert rows[name]["value"] == value_and_error(parameter.value, parameter.error)
    table = hostile.flux_points.data.to_table("dnde")
    shown = found.table("Flux points")
    assert [row["dnde"] for row in shown] == [value_and_error(float(a), float(b)) for a, b in table["dnde", "dnde_err"]]
    curve = found.table("Light curve")
    assert len(curve) == hostile.light_curve.data.sizes["time"]


def test_the_goodness_of_fit_is_that_of_the_datasets(hostile, page):
    found = goodness_of_fit(hostile.datasets.fit_inputs(), hostile.models)
    assert goodness_text(found) in page
    assert found.total.value == pytest.approx(hostile.fit_result.total_stat, rel=1e-9)


def test_the_ledger_adds_up_to_all_events(hostile, page):
    rows = Page(page).table("Ledger")
    for row, view in zip(rows, hostile.datasets, strict=True):
        counts = [int(text) for name, text in row.items() if name not in ("dataset", "all")]
        assert sum(counts) == int(row["all"]) == int(view.data["ledger"].values.sum())


def test_each_run_stands_in_the_table_with_what_became_of_it(hostile, page):
    rows = Page(page).table("Runs")
    assert [row["run"] for row in rows] == hostile.observations.ids
    assert {row["outcome"] for row in rows} == {"used"}
    assert all(row["offset (deg)"] == "0.50" for row in rows)


def test_the_provenance_leads_from_flux_points_to_files(hostile, page):
    download = next(link for link in Page(page).of("a") if link.get("download") == "prov.json")
    document = json.loads(base64.b64decode(download["href"].partition(",")[2]))
    derived = {}
    for relation in document["wasDerivedFrom"].values():
        derived.setdefault(relation["prov:generatedEntity"], []).append(relation["prov:usedEntity"])
    for relation in document["hadMember"].values():
        derived.setdefault(relation["prov:collection"], []).append(relation["prov:entity"])
    [start] = [name for name in document["entity"] if name.startswith("xgamma:flux-points.")]
    found, wait = set(), [start]
    while wait:
        name = wait.pop()
        assert name in document["entity"]
        found.add(name)
        wait += derived.get(name, [])
    kinds = {name.partition(".")[0].removeprefix("xgamma:") for name in found}
    assert {"flux-points", "fit", "rows", "dl3"} <= kinds
    files = [name for name in found if name.startswith("sha256:")]
    assert len(files) == 3
    assert not any("not among" in str(entity) for entity in document["entity"].values())


def test_every_product_is_named_with_its_key(hostile, page):
    kinds = {row["product"].partition("/")[0] for row in Page(page).table("Products")}
    assert kinds == {"dl3", "rows", "fit", "flux-points", "light-curve", "fit-each"} - (
        set() if hostile.fit_each is not None else {"fit-each"}
    )
    for kind in kinds:
        for record in hostile.store.ls(kind):
            assert record.key in page


def test_every_product_is_made_of_files_or_of_products_of_the_table(each):
    rows = Page(each).table("Products in the store")
    names = {"files", *(row["product"] for row in rows)}
    behind = {row["product"]: row["made of"].split(", ") for row in rows}
    assert {name for made in behind.values() for name in made} <= names
    assert all(name not in made for name, made in behind.items())


def test_nothing_of_this_machine_is_in_it_that_the_configuration_does_not_say(hostile, page):
    without = page
    for said in (hostile.config.observations.datastore, hostile.config.general.store, hostile.config.general.outdir):
        without = without.replace(str(said), "")
    texts = [
        base64.b64decode(link["href"].partition(",")[2]).decode()
        for link in Page(page).of("a")
        if link["href"].startswith("data:")
    ]
    prov = next(text for text in texts if '"prefix"' in text)
    assert str(Path.home()) not in re.sub(r"data:[^\"]+", "", without)
    assert str(hostile.config.observations.datastore) not in prov
    assert "host" not in prov


def test_maps_are_shown_with_their_residuals(map_page):
    alts = " ".join(picture["alt"] for picture in Page(map_page).of("img"))
    for words in ("Four maps of stacked", "significance of the excess", "residuals", "the first run, the first two"):
        assert words in alts
    assert "not refitted, as bins are many more than parameters" in map_page
    assert re.search(r"within 0\.\d+ deg \(68% of a point source at [\d.]+ TeV\) of 83\.633, 22\.014 deg", map_page)


# --- the command


@pytest.mark.long
def test_a_report_is_made_of_what_a_run_left_and_of_its_store(tiny_release, tmp_path, xgamma, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = config_of(tiny_release, tmp_path / "out" / "store")
    config.write("my.yaml")
    early = xgamma("report", "my.yaml")
    assert early.code == 2
    assert early.err.startswith("Error: Nothing was run: ingest, 3 of 3 runs are new or have changed.")
    assert not (tmp_path / "out").exists()

    xgamma("run", "my.yaml", "--until", "datasets")
    half = xgamma("report", "my.yaml")
    assert (half.code, half.err.startswith("Not done yet: fit: ")) == (0, True)
    text = (tmp_path / "out" / "report.html").read_text()
    assert "Not done yet: fit: there is no such product in the store; flux points" in html.unescape(text)
    assert len(Page(text).table("Runs")) == 3

    assert "Next: xgamma report" in xgamma("run", "my.yaml").err
    made = xgamma("report", "out")
    assert (made.code, made.out.strip()) == (0, str(tmp_path / "out" / "report.html"))
    assert len(Page((tmp_path / "out" / "report.html").read_text()).table("Flux points")) == 4

    assert xgamma("report", "out/store").out.strip() == "report-of-store.html"
    of_store = Page(Path("report-of-store.html").read_text())
    assert len(of_store.table("Runs")) == 3
    kinds = {row["kind"] for row in of_store.table("Products by kind")}
    assert kinds == {"dl3", "rows", "stack", "fit", "flux-points", "picture"}


def test_where_nothing_is_the_command_says_what_it_takes(tmp_path, xgamma):
    ran = xgamma("report", tmp_path / "nowhere")
    assert ran.code == 3
    assert "Give a configuration, a folder that xgamma run wrote, or a store" in ran.err


def test_an_earlier_report_is_replaced_and_another_file_is_not(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, f"<!DOCTYPE html>{MARK} 1", False)
    write_report(path, f"<!DOCTYPE html>{MARK} 2", False)
    path.write_text("mine")
    with pytest.raises(OutputExistsError, match="is no report of xgamma"):
        write_report(path, "other", False)
    write_report(path, "other", True)
    assert path.read_text() == "other"


def test_what_was_warned_of_is_said_again_of_what_is_found(hostile, page):
    [record] = hostile.store.records("flux-points")
    [cut] = warnings_of(record)
    assert cut.startswith("Flux points, TeV: cut by the fit range")
    assert html.unescape(page).count(cut) == 1
    assert not any("warnings" in each.provenance for each in hostile.store.records("dl3"))


def test_warnings_are_printed_with_a_product(hostile, xgamma):
    shown = xgamma("show", hostile.store.url, "flux-points")
    assert "Warning when it was made: Flux points, TeV: cut by the fit range" in shown.out


def test_what_is_no_product_is_a_collection_of_what_it_is_made_of(hostile):
    records = hostile.store.ls("dl3")
    document = prov_document(records, {"seen": [records[0].key, "unknown"]})
    assert document["entity"]["xgamma:seen"] == {"prov:type": "prov:Collection"}
    assert {each["prov:entity"] for each in document["hadMember"].values()} == {
        f"xgamma:dl3.{records[0].key}",
        "xgamma:unknown",
    }
    assert document["entity"]["xgamma:unknown"]["prov:label"] == "not among these products"
    assert np.isfinite(records[0].nbytes)
