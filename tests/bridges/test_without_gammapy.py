"""Where Gammapy is not installed, everything but the bridges works, and these raise with what to install."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest
from format_samples import points, spectra

from command_line import CommandLine
from xgamma import bridges
from xgamma.bridges.names import places_of, plain_name
from xgamma.datasets import Datasets, FluxPoints, FluxPointsDataset, SpectrumDatasetOnOff
from xgamma.errors import ConfigError
from xgamma.models import Models, PowerLawSpectralModel, SkyModel
from xgamma.store import Store

SENTENCE = r"^This needs Gammapy, which cannot be loaded here \(.*\); install it: pip install 'xgamma\[gammapy\]'\.\n"


missing = pytest.mark.skipif(find_spec("gammapy") is not None, reason="gammapy is installed")

CALLS = {
    "Datasets.to_gammapy": lambda: Datasets.from_xarray(spectra()).to_gammapy(),
    "Datasets.from_gammapy": lambda: Datasets.from_gammapy([]),
    "SpectrumDatasetOnOff.to_gammapy": lambda: Datasets.from_xarray(spectra())[0].to_gammapy(),
    "SpectrumDatasetOnOff.from_gammapy": lambda: SpectrumDatasetOnOff.from_gammapy(None),
    "Models.to_gammapy": lambda: Models().to_gammapy(),
    "Models.from_gammapy": lambda: Models.from_gammapy([]),
    "SkyModel.to_gammapy": lambda: SkyModel(PowerLawSpectralModel()).to_gammapy(),
    "SkyModel.from_gammapy": lambda: SkyModel.from_gammapy(None),
    "FluxPoints.to_gammapy": lambda: FluxPoints(points()).to_gammapy(),
    "FluxPoints.from_gammapy": lambda: FluxPoints.from_gammapy(None),
    "FluxPointsDataset.to_gammapy": lambda: FluxPointsDataset(FluxPoints(points())).to_gammapy(),
    "FluxPointsDataset.from_gammapy": lambda: FluxPointsDataset.from_gammapy(None),
}


@missing
@pytest.mark.parametrize("call", CALLS)
def test_a_bridge_raises_with_what_to_install(call):
    with pytest.raises(ConfigError, match=SENTENCE):
        CALLS[call]()


@missing
def test_the_command_fails_with_what_to_install(capsys, tmp_path):
    Store(str(tmp_path / "store")).put("x", "y", {}, {})
    ran = CommandLine(capsys)("verify", tmp_path / "store", "--against", "gammapy")
    assert (ran.code, "pip install 'xgamma[gammapy]'" in ran.err, ran.out) == (2, True, "")


@pytest.mark.skipif(find_spec("gammapy") is None, reason="gammapy is not installed, and so nothing loads it")
def test_no_bridge_is_loaded_before_it_is_used():
    loaded = "{name.split('.')[0] for name in sys.modules}"
    code = f"import sys, xgamma.analysis, xgamma.cli.verify\nassert 'gammapy' not in {loaded}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_there_is_no_other_bridge():
    with pytest.raises(AttributeError, match="no attribute 'sherpa'"):
        bridges.sherpa  # noqa: B018


def test_parameters_are_found_by_their_plain_names_the_nth_by_the_nth():
    assert plain_name("a.spectral.model1.model2.index") == "a.spectral.index"
    assert places_of(["index", "norm", "index"], ["norm", "index", "index"]) == [1, 0, 2]
