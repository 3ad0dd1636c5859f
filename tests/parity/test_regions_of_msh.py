"""An annulus, an ellipse and two circles about MSH 15-52 at once: the numbers of Gammapy 2.1, one by one, of two runs.

``benchmarks/shapes.py`` compares all runs with an installed Gammapy; these numbers are those that it prints.
"""

from __future__ import annotations

import pytest

from xgamma.analysis import Analysis, AnalysisConfig

CONFIG = """
general: {store: "memory://msh"}
observations: {datastore: $GAMMAPY_DATA/hess-dl3-dr1, obs_ids: [20136, 20137], required_irf: [aeff, edisp]}
datasets:
    stack: false
    geom:
        axes:
            energy: {min: 0.5 TeV, max: 30 TeV, nbins: 12}
            energy_true: {min: 0.2 TeV, max: 60 TeV, nbins: 40}
    on_region:
    -   {name: pulsar, lon: 228.48 deg, lat: -59.13 deg, radius: 0.06 deg}
    -   {name: nebula, ds9: "icrs; ellipse(228.56,-59.22,0.14,0.08,55)"}
    -   {name: ring, shape: annulus, lon: 228.53 deg, lat: -59.16 deg, inner_radius: 0.3 deg, outer_radius: 0.4 deg}
    -   {name: empty, lon: 229.4 deg, lat: -59.3 deg, radius: 0.1 deg}
    containment_correction: false
    use_region_center: false
    safe_mask: {methods: []}
    background: {method: reflected}
"""
# Counts, off counts, off regions, and m2 s averaged over the region in bin 20 of true energy.
GAMMAPY = {
    "20136-pulsar": (9, 62, 14, 688460685.5078387),
    "20137-pulsar": (5, 53, 28, 362665866.080832),
    "20136-nebula": (25, 89, 8, 678824134.2344004),
    "20137-nebula": (17, 76, 12, 372624022.962096),
    "20137-ring": (46, 153, 3, 358593726.63035893),
    "20136-empty": (9, 152, 15, 642282124.6419419),
    "20137-empty": (5, 89, 14, 365648865.5600153),
}


def test_counts_off_regions_and_averaged_exposures_are_those_of_gammapy(gammapy_data):
    analysis = Analysis(AnalysisConfig.from_yaml(CONFIG))
    analysis.get_observations()
    analysis.get_datasets()
    assert sorted(analysis.datasets.names) == sorted(GAMMAPY)
    for name, (counts, off, number, exposure) in GAMMAPY.items():
        data = analysis.datasets[name].data
        assert [int(data[each].sum()) for each in ("counts", "counts_off", "off_number")] == [counts, off, number], name
        assert float(data["exposure"][0, 0, 20]) == pytest.approx(exposure, rel=1e-12), name
    # The ring of the other run has no room for an off region beside the others, as Gammapy says too.
    [masked] = analysis.datasets.unused
    assert (masked.name, int(masked.data["counts"].sum())) == ("20136-ring", 78)
    assert "no off region" in masked.outcome_detail.lower() or "room" in masked.outcome_detail
