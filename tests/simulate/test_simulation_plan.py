"""Plans and their documents."""

import dataclasses
from datetime import datetime

import numpy as np
import pytest
import yaml
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from xgamma.errors import ConfigError, MissingInputError
from xgamma.geometry import destination, from_field
from xgamma.models import LogParabolaSpectralModel
from xgamma.simulate import AnalyticResponse, Plan, Source, plan_document, plan_from_document, power_law, read_plan
from xgamma.simulate.plan import MJDREFF, MJDREFI


def test_the_catalogue_declares_the_default_plan(repository):
    assert read_plan(repository / "catalogs" / "simulated-crab.yaml") == Plan()


def test_the_catalogue_names_licence_and_citation(repository):
    for path in (repository / "catalogs").glob("*.yaml"):
        document = yaml.safe_load(path.read_text())
        assert {"schema", "name", "title", "licence", "citation"} <= set(document)
        assert document["name"] == path.stem


@given(
    seed=st.integers(0, 2**40),
    wobble=st.floats(0, 2),
    angles=st.lists(st.floats(0, 360), min_size=1, max_size=4),
    sigma=st.floats(0, 1),
    psf=st.sampled_from(["psf_table", "psf_3gauss", "psf_king"]),
    share=st.booleans(),
)
def test_plan_to_document_to_plan_is_the_identity(seed, wobble, angles, sigma, psf, share):
    plan = Plan(
        seed=seed,
        wobble=wobble,
        wobble_angles=tuple(angles),
        share_irfs=share,
        source=Source(sigma=sigma, spectral=power_law(2.1, 1e-12)),
        response=AnalyticResponse(psf=psf),
    )
    assert plan_from_document(yaml.safe_load(yaml.safe_dump(plan_document(plan)))) == plan


def test_a_partial_document_keeps_the_defaults():
    plan = plan_from_document({"runs": 3, "source": {"sigma": "6 arcmin"}, "response": {"area": "10 km2"}})
    assert plan == Plan(runs=3, source=Source(sigma=0.1), response=AnalyticResponse(area=1e7))


def test_quantities_are_read_in_any_unit():
    assert Plan(duration="0.5 h", slew=2 * u.min) == Plan(duration=1800.0, slew=120.0)
    assert Plan(start=datetime(2025, 1, 1, 20)).start == "2025-01-01T20:00:00"


def test_a_source_accepts_a_model():
    source = Source(spectral=LogParabolaSpectralModel(alpha=2.2))
    assert source.spectral["type"] == "LogParabolaSpectralModel"
    assert plan_from_document(plan_document(Plan(source=source))).source == source


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"rnus": 3}, "simulation: there is no 'rnus'. Did you mean 'runs'?"),
        ({"source": {"sigm": 1}}, "simulation.source: there is no 'sigm'. Did you mean 'sigma'?"),
        ({"response": {"psf": "psf_tabel"}}, "response.psf: there is no 'psf_tabel'. Did you mean 'psf_table'?"),
        ({"runs": 0}, "simulation.runs: expected at least 1, got 0."),
        ({"runs": 2.5}, "simulation.runs: expected a whole number, got 2.5."),
        ({"duration": "5 deg"}, "simulation.duration: expected a value in s, got '5 deg' (deg)."),
        ({"wobble_angles": []}, "simulation.wobble_angles: expected a list of at least one number, got []."),
        ({"dead_time": 1.0}, "simulation.dead_time: expected a fraction below 1, got 1.0."),
        ({"efficiencies": [1.0, 0.0]}, "simulation.efficiencies: expected factors above 0, got (1.0, 0.0)."),
        ({"start": "today"}, "simulation.start: expected a time in TT without a zone, such as '2024-12-10T21:30:00'"),
        ({"start": "2025-01-01T20:00:00Z"}, "simulation.start: expected a time in TT without a zone"),
        ({"telescope": "Č"}, "simulation.telescope: expected 1 to 60 printable ASCII characters, got 'Č'."),
        ({"source": {"lat": "91 deg"}}, "source.lat: expected at most 90 deg, got 91.0 deg."),
        (
            {"runs_per_night": 60},
            "simulation.runs_per_night: 60 runs of 1680 s and slews of 120 s are longer than a day.",
        ),
        (
            {"response": {"energy_min": "200 TeV"}},
            "response: expected energy_min < energy_max, got 200.0 and 100.0 TeV.",
        ),
        ({"source": "crab"}, "simulation.source: expected a mapping of names to values, got 'crab'."),
    ],
)
def test_a_wrong_document_raises(document, sentence):
    with pytest.raises(ConfigError) as error:
        plan_from_document(document)
    assert str(error.value).startswith(sentence)


def test_a_file_without_a_simulation_raises(tmp_path):
    (tmp_path / "other.yaml").write_text("name: other\n")
    with pytest.raises(ConfigError, match="declares no simulation"):
        read_plan(tmp_path / "other.yaml")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        read_plan(tmp_path / "broken.yaml")
    with pytest.raises(MissingInputError, match="There is no simulation plan"):
        read_plan(tmp_path / "absent.yaml")


def test_runs_point_around_the_source():
    plan = Plan(runs=4, wobble=0.7)
    center = SkyCoord(plan.source.lon, plan.source.lat, unit="deg")
    pointings = SkyCoord([plan.run(k).lon for k in range(4)], [plan.run(k).lat for k in range(4)], unit="deg")
    np.testing.assert_allclose(center.separation(pointings).deg, 0.7, rtol=1e-12)
    angles = center.position_angle(pointings).deg
    np.testing.assert_allclose(np.cos(np.deg2rad(angles - np.array([0, 180, 90, 270]))), 1.0)


def test_runs_follow_each_other_within_nights():
    plan = Plan(runs=5, runs_per_night=2, intervals=3, gap=20.0, duration=900.0, slew=60.0)
    starts = np.array([plan.run(k).gti[0, 0] for k in range(5)])
    assert np.diff(starts).round(3).tolist() == [1000.0, 85400.0, 1000.0, 85400.0]
    run = plan.run(1)
    assert (run.gti[1:, 0] - run.gti[:-1, 1]).round(6).tolist() == [20.0, 20.0]
    assert run.ontime == pytest.approx(900.0, abs=1e-6)
    assert run.livetime == pytest.approx(846.0, abs=1e-6)


def test_the_first_run_starts_when_the_plan_says():
    plan = Plan()
    start = Time(MJDREFI, MJDREFF, format="mjd", scale="tt") + plan.run(0).gti[0, 0] * u.s
    assert start.tt.isot == plan.start + ".000"


def test_a_run_does_not_depend_on_the_number_of_runs():
    few, many = Plan(runs=2).run(1), dataclasses.replace(Plan(), runs=1000).run(1)
    np.testing.assert_array_equal(few.gti, many.gti)
    assert (few.lon, few.lat, few.obs_id) == (many.lon, many.lat, many.obs_id)


coordinates = {"lon": st.floats(0, 360), "lat": st.floats(-89, 89)}


@given(**coordinates, angle=st.floats(0, 360), distance=st.floats(0, 179))
def test_destination_agrees_with_astropy(lon, lat, angle, distance):
    expected = SkyCoord(lon, lat, unit="deg").directional_offset_by(angle * u.deg, distance * u.deg)
    there = SkyCoord(*destination(lon, lat, angle, distance), unit="deg")
    assert expected.separation(there).deg < 1e-9


@given(**coordinates, x=st.floats(-3, 3), y=st.floats(-3, 3))
def test_field_coordinates_agree_with_astropy(lon, lat, x, y):
    frame = SkyCoord(lon, lat, unit="deg").skyoffset_frame()
    expected = SkyCoord(x * u.deg, y * u.deg, frame=frame).icrs
    assert expected.separation(SkyCoord(*from_field(x, y, lon, lat), unit="deg")).deg < 1e-9
