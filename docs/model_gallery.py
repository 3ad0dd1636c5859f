"""The gallery of models: formula, picture, parameters and tag of each, drawn from the classes themselves."""

import sys
from pathlib import Path

import astropy.units as u
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import yaml
from astropy.table import Table
from astropy.time import Time
from generated_tables import summary

from xgamma import models as known
from xgamma.maps import Map, WcsGeom
from xgamma.plot.style import STYLE_FILE

mpl.use("agg")
ENERGY = np.geomspace(0.1, 100, 300) * u.TeV
DAYS = np.linspace(-4, 12, 600)
POSITION = {"lon_0": "83.63 deg", "lat_0": "22.01 deg"}
TABLE = {"energy": [0.1, 1, 10, 100] * u.TeV, "values": [3e-10, 2e-12, 4e-14, 1e-16] * u.Unit("cm-2 s-1 TeV-1")}
# Fixed, as looking for margins that fit takes half of the time.
MARGINS = {"left": 0.15, "right": 0.97, "bottom": 0.17, "top": 0.93, "wspace": 0.3}
# Without a picture: their values come from files, or they are no model by themselves.
NOT_DRAWN = {"NaimaSpectralModel", "TemplateNDSpectralModel", "TemplateNDSpatialModel"}

FORMULAS = yaml.safe_load((Path(__file__).parent / "formulas.yaml").read_text(encoding="utf-8"))

# What makes an instance: arguments, and one parameter with the values that are drawn.
EXAMPLES = {
    "BrokenPowerLawSpectralModel": ({"index1": 1.5}, "index2", (2.0, 2.5, 3.5)),
    "ExpCutoffPowerLaw3FGLSpectralModel": ({}, "ecut", (3, 10, 30)),
    "ExpCutoffPowerLawNormSpectralModel": ({}, "lambda_", (0.03, 0.1, 0.3)),
    "ExpCutoffPowerLawSpectralModel": ({"index": 2}, "lambda_", (0.03, 0.1, 0.3)),
    "GaussianSpectralModel": ({"mean": "5 TeV"}, "sigma", (0.5, 1, 2)),
    "LogParabola2SpectralModel": ({}, "beta", (0.05, 0.15, 0.3)),
    "LogParabolaNormSpectralModel": ({}, "beta", (0.05, 0.15, 0.3)),
    "LogParabolaSpectralModel": ({"alpha": 2.2}, "beta", (0.0, 0.1, 0.3)),
    "MeyerCrabSpectralModel": ({}, "norm", (0.1, 0.3, 1)),
    "PowerLaw2SpectralModel": ({}, "index", (2.0, 2.5, 3.0)),
    "PowerLawNormSpectralModel": ({}, "tilt", (-0.2, 0.0, 0.2)),
    "PowerLawSpectralModel": ({}, "index", (2.0, 2.5, 3.0)),
    "SmoothBrokenPowerLawSpectralModel": ({"index1": 1.5, "index2": 3}, "beta", (0.1, 0.5, 1)),
    "SuperExpCutoffPowerLaw3FGLSpectralModel": ({"ecut": "10 TeV"}, "index_2", (0.5, 1, 2)),
    "SuperExpCutoffPowerLaw4FGLDR3SpectralModel": ({"expfactor": 0.2}, "index_2", (0.3, 0.6, 1)),
    "SuperExpCutoffPowerLaw4FGLSpectralModel": ({"expfactor": 1e-4}, "index_2", (0.5, 0.6, 0.7)),
    "DiskSpatialModel": ({**POSITION, "r_0": "0.4 deg"}, "e", (0, 0.9)),
    "GaussianSpatialModel": ({**POSITION, "sigma": "0.2 deg"}, "e", (0, 0.9)),
    "GeneralizedGaussianSpatialModel": ({**POSITION, "r_0": "0.25 deg"}, "eta", (0.2, 1)),
    "PointSpatialModel": (POSITION, "lon_0", (83.63,)),
    "Shell2SpatialModel": ({**POSITION, "r_0": "0.6 deg"}, "eta", (0.1, 0.5)),
    "ShellSpatialModel": ({**POSITION, "radius": "0.4 deg"}, "width", (0.05, 0.2)),
    "ExpDecayTemporalModel": ({}, "t0", (1, 3, 6)),
    "GaussianTemporalModel": ({}, "sigma", (1, 2, 4)),
    "GeneralizedGaussianTemporalModel": ({"t_rise": "1 d", "t_decay": "3 d"}, "eta", (0.3, 0.5, 1)),
    "LinearTemporalModel": ({"alpha": 1}, "beta", (-0.05, 0.0, 0.1)),
    "PowerLawTemporalModel": ({"t0": "1 d"}, "alpha", (-1.5, -1, -0.5)),
    "SineTemporalModel": ({"amp": 0.5}, "omega", (0.5, 1, 2)),
}


def classes(kind):
    """Yield the models of a kind that documents can name: Spectral, Spatial, Temporal."""
    for name in known.__all__:
        found = getattr(known, name)
        if name.endswith(f"{kind}Model") and getattr(found, "tag", ()):
            yield found


def write(folder: Path) -> None:
    """Write the parts of the page and the pictures beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ("Spectral", "Spatial", "Temporal"):
        lines = [line for model in classes(kind) for line in _entry(model, kind, folder)]
        (folder / f"{kind.lower()}.md").write_text("\n".join(lines), encoding="utf-8")


def _entry(model, kind, folder):
    name = model.__name__
    yield from (f"### {name}", "", f"$${FORMULAS[name]}$$", "")
    if name not in NOT_DRAWN:
        with plt.style.context(STYLE_FILE):
            figure = _DRAW[kind](model)
            figure.savefig(folder / f"{name}.png", dpi=90)
            plt.close(figure)
        yield from (f"![{name} for the values in the legend or the titles]({name}.png)", "")
    parameters = ", ".join(f"`{each.name}`" for each in getattr(model, "default_parameters", ()))
    names = f" Parameters: {parameters}." if parameters else ""
    yield from (f"{summary(model)}. In documents `type: {model.tag[0]}` or `{model.tag[-1]}`.{names}", "")


def _variants(model):
    """Yield a label and an instance for each value that is drawn."""
    given, name, values = EXAMPLES.get(model.__name__, ({}, "", (None,)))
    for value in values:
        made = _MADE.get(model.__name__, lambda: model(**given))()
        if name:
            parameter = made.parameters[name]
            parameter.value = value
            yield f"{name} = {value:g} {parameter.unit.to_string('fits')}".rstrip(), made
        else:
            yield "", made


def _draw_spectral(model):
    figure, ax = plt.subplots(figsize=(5, 3.2), gridspec_kw=MARGINS)
    for label, made in _variants(model):
        values = made(ENERGY)
        if values.unit.is_equivalent(u.Unit("cm-2 s-1 TeV-1")):
            ax.plot(ENERGY, (values * ENERGY**2).to_value("TeV cm-2 s-1"), label=label)
            ax.set(ylabel="E² dN/dE [TeV cm⁻² s⁻¹]")
        else:
            ax.plot(ENERGY, values, label=label)
            ax.set(ylabel="Factor")
    ax.set(xscale="log", yscale="log", xlabel="Energy [TeV]")
    top = max(line.get_ydata().max() for line in ax.lines)
    low, high = max(ax.get_ylim()[0], top / 3e4) * 0.999, top * 2
    # At least two decades, so that powers of ten are the only labels: others do not fit into the margin.
    ax.set_ylim(min(low, high / 100), high)
    return _with_legend(figure, ax)


def _draw_spatial(model):
    variants = list(_variants(model))
    figure, axes = plt.subplots(1, len(variants), figsize=(5, 2.9), squeeze=False, gridspec_kw=MARGINS)
    width = np.linspace(-1, 1, 201)
    lon, lat = np.meshgrid(83.63 - width / np.cos(np.radians(22.01)), 22.01 + width)
    for ax, (label, made) in zip(axes[0], variants, strict=True):
        if made.tag[-1] == "point":
            ax.plot(0, 0, "o", color="k")
            ax.set(xlim=(1, -1), ylim=(-1, 1))
        else:
            image = np.broadcast_to(u.Quantity(made(lon * u.deg, lat * u.deg)).value, lon.shape)
            ax.imshow(image, origin="lower", extent=(1, -1, -1, 1), cmap="magma_r", vmin=0)
        ax.set(title=label, xlabel="East [deg]", aspect="equal")
    axes[0, 0].set_ylabel("North [deg]")
    return figure


def _draw_temporal(model):
    figure, ax = plt.subplots(figsize=(5, 3.2), gridspec_kw=MARGINS)
    for label, made in _variants(model):
        reference = made.parameters["t_ref"].value if "t_ref" in made.parameters.names else 51544.0
        times = Time(reference + DAYS, format="mjd", scale="utc")
        ax.plot(DAYS, np.broadcast_to(made(times), DAYS.shape), label=label)
    ax.set(xlabel="Days since t_ref", ylabel="Factor of the flux", ylim=(0, min(5, 1.1 * ax.get_ylim()[1])))
    return _with_legend(figure, ax)


def _with_legend(figure, ax):
    if any(line.get_label() and not line.get_label().startswith("_") for line in ax.lines):
        ax.legend(frameon=False)
    ax.grid(alpha=0.2)
    return figure


def _image():
    geom = WcsGeom.create(skydir=(83.63, 22.01), binsz=0.05, width=2, frame="icrs")
    y, x = np.mgrid[-1:1:40j, -1:1:40j]
    return Map.from_geom(geom, data=np.exp(-((x - y) ** 2) / 0.1 - (x + y) ** 2), unit="sr-1")


def _light_curve():
    table = Table({"TIME": [0.0, 2, 3, 6, 10] * u.d, "NORM": [0.5, 1, 3, 1.5, 1]})
    table.meta = {"MJDREFI": 51544, "MJDREFF": 0.0, "TIMESYS": "utc", "TIMEUNIT": "d"}
    return known.LightCurveTemplateTemporalModel.from_table(table)


def _phases():
    table = Table({"PHASE": [0.0, 0.3, 0.4, 0.5, 0.8], "NORM": [0.2, 0.3, 2.0, 0.6, 0.2]})
    return known.TemplatePhaseCurveTemporalModel(table, f0="2.9e-6 Hz", t_ref="51544 d")


def _absorption():
    energy, redshift = np.geomspace(0.05, 200, 60) * u.TeV, [0.05, 0.2]
    depth = np.outer(redshift, 12 * energy.value**0.8)
    return known.EBLAbsorptionNormSpectralModel(energy, redshift, np.exp(-depth), redshift=0.1)


def _line():
    return known.GaussianSpectralModel(amplitude="1e-13 cm-2 s-1", mean="5 TeV", sigma="0.5 TeV")


def _power_law():
    return known.PowerLawSpectralModel()


_MADE = {
    "CompoundSpectralModel": lambda: _power_law() + _line(),
    "ConstantSpectralModel": lambda: known.ConstantSpectralModel(const="1e-12 cm-2 s-1 TeV-1"),
    "EBLAbsorptionNormSpectralModel": _absorption,
    "PiecewiseNormSpectralModel": lambda: known.PiecewiseNormSpectralModel([0.3, 3, 30] * u.TeV, [1, 1.5, 0.6]),
    "ScaleSpectralModel": lambda: known.ScaleSpectralModel(_power_law(), norm=0.5),
    "TemplateSpectralModel": lambda: known.TemplateSpectralModel(**TABLE),
    "ConstantSpatialModel": lambda: known.ConstantSpatialModel(),
    "PiecewiseNormSpatialModel": lambda: known.PiecewiseNormSpatialModel(
        ([82.6, 84.7, 82.6, 84.7, 83.6] * u.deg, [21, 21, 23, 23, 22] * u.deg), [0.5, 1, 1, 0.7, 1.6]
    ),
    "TemplateSpatialModel": lambda: known.TemplateSpatialModel(_image()),
    "LightCurveTemplateTemporalModel": _light_curve,
    "TemplatePhaseCurveTemporalModel": _phases,
}  # fmt: skip
_DRAW = {"Spectral": _draw_spectral, "Spatial": _draw_spatial, "Temporal": _draw_temporal}


if __name__ == "__main__":
    write(Path(sys.argv[1]))
