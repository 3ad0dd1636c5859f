"""``xgamma init``: a commented configuration that runs on a release, or one to start from."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from xgamma.analysis.preview import preview
from xgamma.analysis.suggest import Suggestion, suggestion
from xgamma.axes import Axis
from xgamma.cli.console import examples, some
from xgamma.cli.places import PlaceType
from xgamma.cli.run import UNUSABLE_SHOWN
from xgamma.config.config import AnalysisConfig
from xgamma.config.fields import PathOrUrl
from xgamma.formats.local_files import is_there, validate_output, write_files
from xgamma.grid import Circle
from xgamma.ingest import open_release

DEFAULT_DATASTORE = "$GAMMAPY_DATA/hess-dl3-dr1"
CRAB = Suggestion(
    "Crab nebula",
    Circle(83.633, 22.014, 0.11),
    5.0,
    ("aeff", "edisp", "psf"),
    True,
    Axis.from_bounds("energy", 0.5, 30.0, 24),
    Axis.from_bounds("energy_true", 0.1, 50.0, 60),
    8,
    ("aeff-default", "aeff-max"),
)
TEMPLATE = """\
# An analysis with xgamma: the spectrum of one source{about}.
#
#     xgamma check {name}     is everything there? (writes nothing)
#     xgamma plan {name}      what would be computed? (writes nothing)
#     xgamma run {name}       from observations to flux points and pictures

general:
    outdir: {outdir}                 # everything is written here
    # store: s3://bucket/store       # products are kept in <outdir>/xgamma-store unless you say where
    # n_jobs: 4                      # 1: threads of one process; more: processes

observations:
    datastore: {datastore}           # a folder with hdu-index.fits.gz, or an xgamma store
    {obs_ids}
    obs_cone: {{frame: icrs, lon: {lon} deg, lat: {lat} deg, radius: {cone} deg}}   # pointings near a position
    # obs_time: {{start: 2004-12-01, stop: 2004-12-31}}                           # UTC
    required_irf: [{required}]    # what a run must have; psf for the containment correction, bkg for maps

datasets:
    type: 1d
    stack: true                      # false: a joint fit of all runs
    geom:
        axes:
            energy: {{min: {e_min} TeV, max: {e_max} TeV, nbins: {e_nbins}}}         # reconstructed
            energy_true: {{min: {t_min} TeV, max: {t_max} TeV, nbins: {t_nbins}}}    # wider, so that no counts are lost
    on_region: {{frame: icrs, lon: {lon} deg, lat: {lat} deg, radius: {radius} deg}}{point}
    containment_correction: {containment}     # false for point-like responses, whose radius is RAD_MAX, and without psf
    background:
        method: {background}
        # exclusion: exclusion.fits.gz   # a FITS image, nonzero where background may be taken
    safe_mask:
        methods: [{safe_masks}]   # also edisp-bias, offset-max, bkg-peak
        parameters: {{aeff_percent: 10}}

models:                              # or the path of a YAML file
    components:
    -   name: {source}
        type: SkyModel
        spectral:
            type: PowerLawSpectralModel
            parameters:
            - {{name: index, value: 2.5}}
            - {{name: amplitude, value: 1.0e-12, unit: cm-2 s-1 TeV-1}}
            - {{name: reference, value: {reference}, unit: TeV, frozen: true}}

# fit:                               # all energies, unless you say which
#     fit_range: {{min: {e_min} TeV, max: {e_max} TeV}}

flux_points:                         # their edges are edges of energy above
    energy: {{min: {e_min} TeV, max: {e_max} TeV, nbins: {points}}}
    source: {source}

# light_curve:                       # needs stack: false above; one bin for each run, unless you say which
#     time_bins: night               # or {{width: 7 d}}, or blocks
#     energy_edges: {{min: {e_min} TeV, max: {e_max} TeV, nbins: 1}}
#     source: {source}
"""


@dataclass(frozen=True)
class InitRequest:
    """Where the configuration goes, and what it is about."""

    file: Path
    datastore: str
    outdir: str
    is_meant: bool
    """Whether the datastore was named as the one to look at, so that it has to be there."""


@click.command(
    "init",
    epilog=examples(
        "xgamma init my.yaml",
        "xgamma init $GAMMAPY_DATA/hess-dl3-dr1 crab.yaml --outdir crab",
        "xgamma init --datastore s3://bucket/release my.yaml",
    ),
)
@click.argument("words", nargs=-1, metavar="[DATASTORE] [FILE]", type=PlaceType())
@click.option(
    "--datastore", type=PlaceType(), help=f"A datastore that need not be there yet.  [default: {DEFAULT_DATASTORE}]"
)
@click.option("--outdir", type=PlaceType(), default="out", show_default=True, help="Where results go.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def init_command(words: tuple[str, ...], datastore: str | None, outdir: str, overwrite: bool) -> None:
    """Look at the runs in DATASTORE and write a configuration that runs to FILE (analysis.yaml).

    It is about the most observed target: its position, the responses that its runs have, the energies that are safe,
    and flux points on the edges of their axis. FILE ends in .yaml. A datastore that is not there can be named by
    --datastore; the configuration then is one to start from.
    """
    asked = _asked(words, datastore, outdir)
    validate_output(asked.file, overwrite)
    place = PathOrUrl(asked.datastore)
    can_look = asked.is_meant or (place.unknown_variable is None and (place.is_url or is_there(place)))
    text, remarks = _looked(asked) if can_look else (_text(asked, CRAB, ()), [])
    write_files({asked.file: text.encode()}, overwrite=overwrite)
    click.echo(str(asked.file))
    for remark in remarks:
        click.echo(remark, err=True)
    click.echo(f"Next: edit {asked.file}, then xgamma check {asked.file}", err=True)


def _asked(words: Sequence[str], datastore: str | None, outdir: str) -> InitRequest:
    files = [word for word in words if word.lower().endswith((".yaml", ".yml"))]
    stores = [word for word in words if word not in files]
    if len(files) > 1 or len(stores) + (datastore is not None) > 1:
        raise click.UsageError(f"Expected one DATASTORE and one FILE that ends in .yaml, got {' '.join(words)}.")
    return InitRequest(
        Path(files[0] if files else "analysis.yaml"),
        stores[0] if stores else datastore or DEFAULT_DATASTORE,
        outdir,
        bool(stores),
    )


def _looked(asked: InitRequest) -> tuple[str, list[str]]:
    """Return a configuration that ``check`` and ``run`` accept, and remarks to print.

    Runs that they would leave out are left out, and named.
    """
    release = open_release(PathOrUrl(asked.datastore).expanded())
    found = suggestion(release)
    text = _text(asked, found, ())
    seen = preview(AnalysisConfig.from_yaml(text), release)
    unusable = [f"Run {obs_id} is left out: {reason}." for obs_id, reason in seen.unusable.items()]
    usable = [obs_id for obs_id in seen.obs_ids if obs_id not in seen.unusable]
    if len(usable) < len(seen.obs_ids) or seen.dropped.get("required_irf"):
        text = _text(asked, found, usable)
        seen = preview(AnalysisConfig.from_yaml(text), release)
    left_out = unusable[:UNUSABLE_SHOWN]
    if len(unusable) > UNUSABLE_SHOWN:
        left_out.append(f"{some(len(unusable), 'run')} are left out in all.")
    selected, every = len(seen.obs_ids), len(release.facts())
    chosen = f"{selected} of the {some(every, 'run')}" if selected < every else f"{some(every, 'run')}, all"
    return text, [f"It is about {chosen} of {release.name}.", *left_out, *found.guesses]


def _text(asked: InitRequest, found: Suggestion, obs_ids: Sequence[int]) -> str:
    region, energy, energy_true = found.region, found.energy, found.energy_true
    named = f"obs_ids: [{', '.join(map(str, obs_ids))}]" if obs_ids else "# obs_ids: [23523, 23526]    "
    return TEMPLATE.format(
        about=f", {_comment(found.target)}" if found.target else "",
        name=asked.file.name,
        outdir=_scalar(asked.outdir),
        datastore=_scalar(asked.datastore),
        obs_ids=f"{named}    # these only; or a file with ids: obs_file: runs.txt",
        lon=f"{region.lon:.7g}",
        lat=f"{region.lat:.7g}",
        radius=f"{region.radius:.7g}",
        point="    # a point, whose radius the responses say for each energy" if region.radius == 0 else "",
        background=f"wobble\n        parameters: {{n_off_regions: {found.off}}}" if found.off else "reflected",
        cone=f"{found.cone:g}",
        required=", ".join(found.required),
        e_min=f"{energy.edges[0]:.7g}",
        e_max=f"{energy.edges[-1]:.7g}",
        e_nbins=energy.nbin,
        t_min=f"{energy_true.edges[0]:.7g}",
        t_max=f"{energy_true.edges[-1]:.7g}",
        t_nbins=energy_true.nbin,
        containment=str(found.containment).lower(),
        safe_masks=", ".join(found.safe_masks),
        reference=_reference(energy),
        points=found.points,
        source=_source(found),
    )


def _source(found: Suggestion) -> str:
    """Return a name for the model: that of the target, unless the position is none of a target.

    >>> _source(CRAB)
    'crab-nebula'
    """
    words = re.findall("[a-z0-9.+-]+", found.target.lower())
    return "-".join(words) if words and words[0][0].isalpha() and not found.guesses else "source"


def _reference(energy: Axis) -> str:
    """Return the reference energy of the model: 1 TeV where that is among the energies, else one amid them."""
    middle = (energy.edges[0] * energy.edges[-1]) ** 0.5
    return "1.0" if energy.edges[0] <= 1 <= energy.edges[-1] else f"{middle:.1g}"


def _scalar(text: str) -> str:
    """Return a text as YAML has it."""
    return text if re.fullmatch(r"[\w./$~][\w./$~:{}+-]*", text) else json.dumps(text)


def _comment(text: str) -> str:
    return " ".join("".join(letter for letter in text if letter.isprintable()).split())
