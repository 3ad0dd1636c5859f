"""``xgamma init``: a commented configuration to start from."""

from __future__ import annotations

from pathlib import Path

import click

from xgamma.formats.atomic import write_files

TEMPLATE = """\
# An analysis with xgamma: the spectrum of one source.
#
#     xgamma check {name}     is everything there? (writes nothing)
#     xgamma plan {name}      what would be computed? (writes nothing)
#     xgamma run {name}       from observations to flux points and pictures

general:
    outdir: {outdir}                 # everything is written here
    # store: s3://bucket/store       # products are kept in <outdir>/xgamma-store unless you say where
    # n_jobs: 4                      # 1: threads of one process; more: a local cluster

observations:
    datastore: {datastore}           # a folder with hdu-index.fits.gz, or an xgamma store
    # obs_ids: [23523, 23526]        # these only; or a file with ids: obs_file: runs.txt
    obs_cone: {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 5 deg}}   # pointings near a position
    # obs_time: {{start: 2004-12-01, stop: 2004-12-31}}                           # UTC

datasets:
    type: 1d
    stack: true                      # false: a joint fit of all runs
    geom:
        axes:
            energy: {{min: 0.5 TeV, max: 30 TeV, nbins: 20}}         # reconstructed
            energy_true: {{min: 0.1 TeV, max: 50 TeV, nbins: 40}}    # must be wider
    on_region: {{frame: icrs, lon: 83.633 deg, lat: 22.014 deg, radius: 0.11 deg}}
    containment_correction: true     # false for point-like responses
    background:
        method: reflected
        # exclusion: exclusion.fits.gz   # a FITS image, nonzero where background may be taken
    safe_mask:
        methods: [aeff-default, aeff-max]   # also edisp-bias, offset-max, bkg-peak
        parameters: {{aeff_percent: 10}}

models:                              # or the path of a YAML file
    components:
    -   name: source
        type: SkyModel
        spectral:
            type: PowerLawSpectralModel
            parameters:
            - {{name: index, value: 2.5}}
            - {{name: amplitude, value: 1.0e-11, unit: cm-2 s-1 TeV-1}}
            - {{name: reference, value: 1.0, unit: TeV, frozen: true}}

fit:
    fit_range: {{min: 1 TeV, max: 20 TeV}}

flux_points:
    energy: {{min: 1 TeV, max: 20 TeV, nbins: 8}}
    source: source
"""


@click.command("init")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default="analysis.yaml")
@click.option(
    "--datastore", default="$GAMMAPY_DATA/hess-dl3-dr1", show_default=True, help="Where the observations are."
)
@click.option("--outdir", default="out", show_default=True, help="Where results go.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it is there.")
def command(file: Path, datastore: str, outdir: str, overwrite: bool) -> None:
    """Write a commented configuration to FILE (analysis.yaml)."""
    text = TEMPLATE.format(name=file.name, datastore=datastore, outdir=outdir)
    write_files({file: text.encode()}, overwrite=overwrite)
    click.echo(str(file))
    click.echo(f"Next: edit {file}, then xgamma check {file}", err=True)
