"""Counts and events drawn from what maps predict."""

from __future__ import annotations

import numpy as np
import pytest

from sky_rows import image, sky_row, with_responses
from xgamma.datasets import MapDataset, MapDatasetEventSampler
from xgamma.errors import ConfigError, ConfigTypeError, DataError
from xgamma.models import FoVBackgroundModel, GaussianSpatialModel, Models, PowerLawSpectralModel, SkyModel

DRAWS = 40


@pytest.fixture
def dataset():
    """A Gaussian over a background, 24 by 20 pixels of 0.1 deg."""
    data = with_responses(sky_row(image(), background=0.4, exposure=1e9), 0.12, 1e9)
    spatial = GaussianSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg", sigma="0.2 deg")
    spectrum = PowerLawSpectralModel(index=2.0, amplitude="1e-11 cm-2 s-1 TeV-1")
    view = MapDataset(data)
    view.models = Models([SkyModel(spectrum, spatial, name="source"), FoVBackgroundModel(dataset_name=view.name)])
    return view


def pulls(total, expected):
    """Return pulls of rows, columns and energies of many draws together."""
    ways = [total.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    wanted = [expected.sum(axis=axes) for axes in ((1, 2), (0, 2), (0, 1))]
    return np.concatenate([(one - other) / np.sqrt(other) for one, other in zip(ways, wanted, strict=True)])


def test_faked_counts_are_on_average_what_is_predicted(dataset):
    expected, total = dataset.npred().data.copy(), 0.0
    for seed in range(DRAWS):
        dataset.fake(random_state=seed)
        total = total + dataset.counts.data
    assert np.abs(pulls(total, DRAWS * expected)).max() < 4
    drawn = dataset.counts.data.copy()
    dataset.fake(random_state=DRAWS - 1)
    np.testing.assert_array_equal(dataset.counts.data, drawn)


def test_events_fill_the_bins_as_is_predicted(dataset):
    expected = dataset.npred().data
    sampler, total, sources = MapDatasetEventSampler(random_state=3), np.zeros(expected.shape), []
    for _ in range(DRAWS):
        events = sampler.run(dataset)
        x, y = image().pixels_of(events.data["ra"].values, events.data["dec"].values)
        edges = [dataset.counts.geom.axes["energy"].plain.edges, np.arange(21) - 0.5, np.arange(25) - 0.5]
        found = np.histogramdd([events.energy.value, y, x], edges)[0]
        assert found.sum() == len(events)
        total += found
        sources.append(events.data["mc_id"].values)
    assert np.abs(pulls(total, DRAWS * expected)).max() < 4
    signal = DRAWS * dataset.npred_signal().data.sum()
    assert abs((np.concatenate(sources) == 1).sum() - signal) < 4 * np.sqrt(signal)


def test_events_are_in_good_time_and_in_order(dataset):
    events = MapDatasetEventSampler(random_state=1, keep_mc_id=False).run(dataset)
    seconds = events.data["time"].values
    assert (np.diff(seconds) >= 0).all()
    assert 0.0 <= seconds[0] < seconds[-1] < 1800.0
    assert events.table.colnames == ["EVENT_ID", "TIME", "RA", "DEC", "ENERGY"]
    again = MapDatasetEventSampler(random_state=1, keep_mc_id=False).run(dataset)
    assert again.data.identical(events.data)


def test_what_cannot_be_sampled_raises(dataset):
    with pytest.raises(ConfigTypeError, match="expected a MapDataset, got a str"):
        MapDatasetEventSampler().run("maps")
    with pytest.raises(ConfigError, match="random_state"):
        MapDatasetEventSampler(random_state="seed")
    without = dataset.data.assign(gti=dataset.data["gti"].copy(data=np.full((1, 1, 2), np.nan)))
    with pytest.raises(DataError, match="has no good time; give an observation"):
        MapDatasetEventSampler().run(MapDataset(without))
