"""What objects say of themselves, as text and in notebooks: laws that hold for all of them."""

from __future__ import annotations

import importlib
import inspect
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given
from hypothesis import strategies as st

from builders import cash_dataset, flux_points_product, light_curve_product, on_off_dataset
from releases import MODEL
from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.axes import Axis
from xgamma.data import DataStore
from xgamma.datasets import Datasets, FluxPoints, FluxPointsDataset, LightCurve
from xgamma.description import Correlations, Described, Description, Facts, Folded, Sheet, correlation_text, ends
from xgamma.maps import Map, MapAxes, MapAxis, RegionGeom, WcsGeom
from xgamma.modeling import Fit
from xgamma.models import (
    EBLAbsorptionNormSpectralModel,
    FoVBackgroundModel,
    GaussianPrior,
    Models,
    PointSpatialModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplatePhaseCurveTemporalModel,
)
from xgamma.shapes import Circle
from xgamma.store import Store

HOSTILE = "<script>alert('1')</script> & \"co\""
VOID = {"br", "hr", "img", "input", "meta", "link", "col"}
# What makes and fits things has nothing of its own to show.
DOERS = re.compile(r".*(Maker|Finder|Estimator|Sampler|Registry|Error|Config|Mixin)$|Fit$|LogConfig$|Prior$")
PACKAGES = (
    "analysis",
    "data",
    "datasets",
    "estimators",
    "maps",
    "modeling",
    "modeling.models",
    "sources",
    "store",
    "shapes",
)
# A part of one source, and what only other objects hold.
OTHERS = {"SourceCatalogObjectHGPSComponent", "Record"}


class Page(HTMLParser):
    """Raises unless every element is closed where it was opened; collects the tags and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag
        self.text += " "

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.text += data


def crab(name: str = HOSTILE) -> SkyModel:
    model = SkyModel(PowerLawSpectralModel(), PointSpatialModel(lon_0="83.6 deg", lat_0="22 deg"), name=name)
    model.spectral_model.index.prior = GaussianPrior(mu=2.1, sigma=0.1)
    return model


def fitted() -> tuple[Datasets, object]:
    datasets = Datasets.from_xarray(on_off_dataset(2, names=[HOSTILE, "second"]))
    datasets.models = Models([SkyModel(PowerLawSpectralModel(), name=HOSTILE)])
    return datasets, Fit().run(datasets)


def shown_objects(folder) -> dict[str, object]:
    datasets, result = fitted()
    axis = Axis.from_bounds("energy", 1.0, 100.0, 4)
    geom = WcsGeom.create(skydir=(83.6, 22.0), binsz=0.1, width=1, axes=[axis])
    image = Map(geom, np.full(geom.data_shape, -0.0), "m2", name=HOSTILE)
    store = Store(folder / "a<b>store")
    config = AnalysisConfig(models=MODEL, general={"outdir": str(folder / "<i>")}, datasets={"stack": False})
    ebl = EBLAbsorptionNormSpectralModel([0.1, 1.0] * u.TeV, [0.1, 0.2], np.ones((2, 2)), redshift=0.1)
    points = FluxPoints(flux_points_product())
    parameters = datasets.models.parameters
    return {
        "analysis": Analysis(config, store=store), "config": config, "section": config.datasets,
        "region-map": image.to_region_nd_map(Circle(83.6, 22.0, 0.3)), "map": image, "geom": geom,
        "axes": MapAxes([axis]), "axis": axis, "map-axis": MapAxis.of(axis), "coords": geom.get_coord(), "store": store,
        "region-geom": RegionGeom.create(Circle(83.6, 22.0, 0.1), [axis]), "region": Circle(83.6, 22.0, 0.1),
        "datasets": datasets, "row": datasets[0], "cash": Datasets.from_xarray(cash_dataset())[0],
        "none": Datasets(), "gti": datasets.gti, "result": result, "optimum": result.optimize_result,
        "covariance-result": result.covariance_result, "points": points, "curve": LightCurve(light_curve_product()),
        "points-dataset": FluxPointsDataset(points, Models([crab()]), name=HOSTILE),
        "models": Models([crab(), FoVBackgroundModel(dataset_name=HOSTILE)]), "model": crab(), "no-models": Models(),
        "parameters": parameters, "parameter": parameters[0], "prior": GaussianPrior(mu=2.1, sigma=0.1),
        "covariance": datasets.models.covariance, "no-covariance": Models([crab()]).covariance,
        "spectrum": crab().spectral_model, "place": crab().spatial_model, "ebl": ebl,
        "compound": PowerLawSpectralModel() * ebl,
        "phases": TemplatePhaseCurveTemporalModel({"PHASE": [0.0, 1.0], "NORM": [0.0, 1.0]}),
    }  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """All kinds of objects that a notebook shows, with names that are HTML."""
    return shown_objects(tmp_path_factory.mktemp("described"))


@pytest.fixture(scope="module")
def pages(shown):
    return {name: one._repr_html_() for name, one in shown.items()}


# --- all objects


def public_classes() -> dict[str, type]:
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(f"xgamma.{package}")
        for name in module.__all__:
            one = getattr(module, name)
            if inspect.isclass(one) and not DOERS.fullmatch(name) and name not in OTHERS:
                found[name] = one
    return found


def test_every_public_class_of_things_that_are_looked_at_has_html():
    without = [name for name, one in public_classes().items() if not hasattr(one, "_repr_html_")]
    assert not without


def test_pages_are_whole_and_what_they_say_is_escaped(pages):
    for name, page in pages.items():
        found = Page(page)
        assert not {"script", "i", "b"} & set(found.tags), name
        assert "<script" not in page, name


def test_names_arrive_as_they_are(pages):
    for name in ("row", "datasets", "models", "model", "points-dataset", "result", "map"):
        assert HOSTILE in Page(pages[name]).text, name


def test_text_and_page_say_the_same(shown, pages):
    for name in ("gti", "points", "curve", "covariance", "parameters", "axis", "geom", "store", "analysis"):
        words = re.findall(r"[\w.]{4,}", Page(pages[name]).text)
        printed = str(shown[name])
        assert [word for word in words if word not in printed] == [], name


def test_nothing_is_nan_and_no_zero_has_a_sign(shown, pages):
    for name, page in pages.items():
        for text in (Page(page).text, str(shown[name]), repr(shown[name])):
            assert not re.search(r"\bnan\b|\binf\b|(?<!\w)-0(\.0+)?(?![\d.e])", text), (name, text)


def test_no_object_shows_arrays_or_addresses_of_memory(shown, pages):
    for name, one in shown.items():
        for text in (pages[name], str(one), repr(one)):
            assert not re.search(r"array\(|dtype=|0x[0-9a-f]{6}|\[\s*\d+\.\d* +\d", text), (name, text)


def test_reprs_are_one_line_but_those_of_reports(shown):
    for name, one in shown.items():
        if name not in ("result", "ebl", "compound"):
            assert "\n" not in repr(one), name


def test_what_is_shown_twice_is_the_same(shown, pages):
    for name, one in shown.items():
        assert one._repr_html_() == pages[name], name
        assert str(one) == str(one), name


def test_looking_at_an_analysis_makes_no_store(tmp_path):
    analysis = Analysis(AnalysisConfig(general={"outdir": str(tmp_path / "out")}))
    assert "to do" in str(analysis)
    analysis._repr_html_()
    assert not (tmp_path / "out").exists()


# --- many rows


def test_ten_thousand_rows_are_shown_as_ten():
    datasets = Datasets.from_xarray(on_off_dataset(10_000, n_energy=2, n_true=3))
    datasets.models = Models([SkyModel(PowerLawSpectralModel(), name="crab")])
    page, names = datasets._repr_html_(), datasets.names
    assert "and 9,990 more" in page
    assert names[0] in page
    assert names[-1] in page
    assert len(page) < 12_000
    assert len(str(datasets)) < 4_000
    assert len(repr(datasets)) < 200


def test_thousands_of_models_are_shown_as_some():
    models = Models([FoVBackgroundModel(dataset_name=f"run-{number}") for number in range(2_000)])
    assert "and 1,990 more" in models._repr_html_()
    assert len(models._repr_html_()) < 60_000
    assert "... and 1,900 more ..." in str(models)


def test_many_correlations_are_listed_by_their_size():
    size = 40
    values = np.eye(size)
    values[3, 7] = values[7, 3] = -0.9
    names = [f"p{number}" for number in range(size)]
    lines = Description("Covariance", [Correlations(names, values.tolist())]).text.splitlines()
    assert lines[3] == "Largest of 780 correlations"
    assert lines[6].split() == ["p3", "p7", "-0.90"]
    assert len(lines) == 3 + 3 + 10


@given(st.integers(0, 500), st.integers(1, 40))
def test_the_ends_of_a_list_and_what_lies_between_are_all_of_it(count, shown):
    numbers, more = ends(count, shown)
    assert len(numbers) + more == count
    assert numbers == sorted(set(numbers))
    assert len(numbers) <= shown
    if count:
        assert numbers[0] == 0
        assert more or numbers[-1] == count - 1
    if shown > 1 and more:
        assert numbers[-1] == count - 1


# --- parts


def test_a_configuration_marks_what_is_not_the_default():
    config = AnalysisConfig(datasets={"stack": False})
    page = config._repr_html_()
    assert re.search(r'font-weight: bold">stack</th><td[^>]*font-weight: bold">false</td>', page)
    assert "<summary>datasets: 1 set</summary>" in page
    assert page.count("font-weight: bold") == 2
    assert "<details>\n  <summary>fit</summary>" in page


def test_correlations_are_shown_in_colour_and_in_numbers():
    page = Description("", [Correlations(["a", "b"], [[1.0, -0.5], [-0.5, 1.0]])]).html
    assert "rgba(33,102,172,0.28)" in page or "rgba(33,102,172,0.27)" in page
    assert ">-0.50</td>" in page
    assert "rgba(178,24,43,0.55)" in page


def test_correlations_have_two_decimals_and_no_signed_zero():
    assert [correlation_text(value) for value in (1.0, -0.004, 0.126, float("nan"))] == ["1.00", "0.00", "0.13", "-"]


def test_texts_of_several_lines_stay_below_their_label():
    text = Description("T", [Folded("More", [Facts([("models", "a:\n  b")])])]).text
    first, second = text.splitlines()[-2:]
    assert first.index("a:") + 2 == second.index("b")


def test_columns_without_a_text_are_not_printed():
    assert Sheet(("a", "b"), [("1", ""), ("2", "")]).lines() == ["  a", "  -", "  1", "  2"]


def test_a_subclass_of_a_user_says_its_own_name():
    class Line(PowerLawSpectralModel):
        tag = ("LineOfAUser",)

    assert str(Line()).startswith("Line\n----\n")
    assert issubclass(Line, Described)


def test_runs_are_listed_with_their_times_and_events(tiny_release):
    release = DataStore.from_dir(tiny_release)
    observations = release.get_observations()
    run = observations[0]
    for one in (release, observations, run, run.events, run.gti, run.aeff):
        Page(one._repr_html_())
        assert "nan" not in str(one)
    assert "  Runs                            : 3 runs\n" in str(observations)
    assert len(observations._description().parts[1].rows) == 3
    assert f"{len(run.events):,}" in str(run)
    assert "... 1" not in str(run.gti)
    assert f"... {len(run.events) - 6:,} more ..." in str(run.events)
