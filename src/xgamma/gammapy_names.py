"""Names of Gammapy: which are here at the same import path, and what to do where one is not.

The page docs/gammapy-names.md is made of this table, and whoever imports a name or a module that is not here gets its
line of it as the message of the ``ImportError``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from xgamma.errors import LaterModuleError, LaterNameError

_HEALPIX = "HEALPix comes with a later version; give a WcsGeom"
_SENSITIVITY = "sensitivities come with a later version"
_CONFIG = "AnalysisConfig() holds one of each section, such as config.datasets.geom; a dict can be set in its place"
_META = "what an object is, is in its attributes and in data.attrs"
_REGISTRY = "xgamma.registry.names lists what is registered, such as names('spectral model')"
_BASE = "SpectralModel, SpatialModel, TemporalModel and ModelComponent are the bases of models"
_PULSARS = "catalogues of pulsars are not read"
_LHAASO = "the catalogue of LHAASO is not read"
_POINTING = "a run has its pointing: run.pointing"
_PARAMETER = "the numbers of a prior are Parameters: parameter.prior.mu.value"
_SAMPLER = "posteriors are not sampled; see Fit.stat_profile and Fit.confidence"
_NESTED = "fit both models and compare total_stat of the results"
_MAPS_OF_FLUX = "maps are not combined; stack the datasets, or add up counts of maps with +"
_REBIN = "rebinned flux points come with a later version; estimate them again with other edges"
_SEGMENTS = "region files, lists of regions and datasets.on_region take several shapes: xgamma.shapes"
_RESPONSE = "a run has its responses: run.aeff, run.edisp, run.psf, run.bkg, run.rad_max"
_OF_DATASET = "a dataset has its own: dataset.psf and dataset.edisp"
_REDUCED = "SpectrumDatasetMaker and MapDatasetMaker do it for a run, Analysis for all of them"
_STATISTIC = "xgamma.stats has functions of arrays: cash, cstat, wstat, chi2"
_COLOURS = "matplotlib has colour maps; pictures of xgamma take cmap"
_DATASETS = "datasets of spectra, of maps and FluxPointsDataset are all there are"
_ASTROPY = "astropy has it"
_COMPILED = "there is nothing to compile"
_MINIMISER = "Fit is the only way to minimise: iminuit's MIGRAD, with HESSE and MINOS for errors"
_NUMPY = "numpy has it: numpy.random.default_rng draws what is needed"

SAME: Mapping[str, str] = {
    "analysis": "Analysis AnalysisConfig",
    "catalog": "CATALOG_REGISTRY SourceCatalog SourceCatalog2FHL SourceCatalog2HWC SourceCatalog3FGL SourceCatalog3FHL "
    "SourceCatalog3HWC SourceCatalog4FGL SourceCatalogGammaCat SourceCatalogHGPS SourceCatalogObject "
    "SourceCatalogObject2FHL SourceCatalogObject2HWC SourceCatalogObject3FGL SourceCatalogObject3FHL "
    "SourceCatalogObject3HWC SourceCatalogObject4FGL SourceCatalogObjectGammaCat SourceCatalogObjectHGPS "
    "SourceCatalogObjectHGPSComponent",
    "data": "DataStore EventList GTI Observation Observations",
    "datasets": "Datasets FluxPointsDataset MapDataset MapDatasetEventSampler MapDatasetOnOff SpectrumDataset "
    "SpectrumDatasetOnOff",
    "estimators": "ExcessMapEstimator FluxMaps FluxPoints FluxPointsEstimator FluxProfileEstimator LightCurveEstimator "
    "TSMapEstimator",
    "estimators.utils": "compute_lightcurve_discrete_correlation compute_lightcurve_doublingtime "
    "compute_lightcurve_fpp compute_lightcurve_fvar find_peaks",
    "makers": "AdaptiveRingBackgroundMaker DatasetsMaker FoVBackgroundMaker MapDatasetMaker "
    "ReflectedRegionsBackgroundMaker ReflectedRegionsFinder RingBackgroundMaker SafeMaskMaker SpectrumDatasetMaker "
    "WobbleRegionsFinder",
    "makers.utils": "make_theta_squared_table",
    "maps": "Map MapAxes MapAxis MapCoord RegionGeom RegionNDMap WcsGeom WcsNDMap",
    "modeling": "Covariance CovarianceResult Fit FitResult OptimizeResult Parameter Parameters",
    "modeling.models": "BrokenPowerLawSpectralModel CompoundSpectralModel ConstantSpatialModel ConstantSpectralModel "
    "ConstantTemporalModel DatasetModels DiskSpatialModel EBLAbsorptionNormSpectralModel EBL_DATA_BUILTIN "
    "ExpCutoffPowerLaw3FGLSpectralModel ExpCutoffPowerLawNormSpectralModel ExpCutoffPowerLawSpectralModel "
    "ExpDecayTemporalModel FoVBackgroundModel GaussianPrior GaussianSpatialModel GaussianSpectralModel "
    "GaussianTemporalModel GeneralizedGaussianPrior GeneralizedGaussianSpatialModel GeneralizedGaussianTemporalModel "
    "LightCurveTemplateTemporalModel LinearTemporalModel LogParabola2SpectralModel LogParabolaNormSpectralModel "
    "LogParabolaSpectralModel LogUniformPrior MeyerCrabSpectralModel Models NaimaSpectralModel "
    "PiecewiseNormSpatialModel PiecewiseNormSpectralModel PointSpatialModel PowerLaw2SpectralModel "
    "PowerLawNormSpectralModel PowerLawSpectralModel PowerLawTemporalModel Prior ScaleSpectralModel "
    "Shell2SpatialModel ShellSpatialModel SineTemporalModel SkyModel SmoothBrokenPowerLawSpectralModel SpatialModel "
    "SpectralModel SuperExpCutoffPowerLaw3FGLSpectralModel SuperExpCutoffPowerLaw4FGLDR3SpectralModel "
    "SuperExpCutoffPowerLaw4FGLSpectralModel TemplateNDSpatialModel TemplateNDSpectralModel TemplateNPredModel "
    "TemplatePhaseCurveTemporalModel TemplateSpatialModel TemplateSpectralModel TemporalModel UniformPrior "
    "create_crab_spectral_model",
    "stats": "cash compute_chisq compute_flux_doubling compute_fpp compute_fvar cstat discrete_correlation "
    "structure_function wstat",
    "utils.check": "check_tutorials_setup",
    "utils.regions": "make_concentric_annulus_sky_regions make_orthogonal_rectangle_sky_regions",
    "visualization": "plot_distribution plot_theta_squared_table",
}
"""Names that are imported here as there, by module."""


def each(names: str, reason: str) -> dict[str, str]:
    """Return one reason for several names, which stand beside each other."""
    return dict.fromkeys(names.split(), reason)


INSTEAD: Mapping[str, Mapping[str, str]] = {
    "analysis": each(
        "BackgroundConfig DatasetsConfig ExcessMapConfig FitConfig FluxPointsConfig GeneralConfig GeomConfig "
        "LightCurveConfig LogConfig ObservationsConfig SafeMaskConfig",
        _CONFIG,
    ),
    "catalog": each("SourceCatalog2PC SourceCatalog3PC SourceCatalogObject2PC SourceCatalogObject3PC", _PULSARS)
    | each("SourceCatalog1LHAASO SourceCatalogObject1LHAASO", _LHAASO)
    | {"SourceCatalogLargeScaleHGPS": "the large-scale emission of the HGPS is not a source"},
    "data": each("HDUIndexTable ObservationTable", "DataStore reads the index of a release")
    | each("FixedPointingInfo PointingInfo PointingMode", _POINTING)
    | each("EventListMetaData GTIMetaData", _META)
    | {
        "ObservationFilter": "run.select_time cuts a run, run.events.select_parameter its events",
        "ObservationMetaData": "observations.table has a row for each run",
        "ObservationsEventsSampler": "xgamma simulate and xgamma.simulate make event lists of runs",
        "get_irfs_features": "observations are grouped by columns of the index: datasets.stack_by, see docs/scale.md",
        "observatory_locations": "the site of a run is in its file",
    },
    "datasets": each(
        "OGIPDatasetReader OGIPDatasetWriter",
        "datasets.write('spectra.yaml') writes OGIP files beside an index, Datasets.read takes both",
    )
    | each("DATASET_REGISTRY Dataset", _DATASETS)
    | each("create_map_dataset_geoms create_empty_map_dataset_from_irfs", "MapDataset.create makes an empty one")
    | {
        "FermipyDatasetsReader": "files of fermipy are not read",
        "MapDatasetMetaData": _META,
        "ObservationEventSampler": "xgamma simulate makes event lists of runs, MapDatasetEventSampler those of maps",
        "apply_edisp": "dataset.npred_signal folds a model with the response",
        "create_map_dataset_from_observation": "MapDataset.create makes an empty one, MapDatasetMaker fills it",
        "set_and_restore_mask_fit": "set dataset.mask_fit and put it back",
        "split_dataset": "dataset.cutout gives parts of a map",
    },
    "estimators": {
        "ASmoothMapEstimator": "adaptively smoothed maps are not made; map.smooth takes one width",
        "ESTIMATOR_REGISTRY": "each estimator is a class of xgamma.estimators and a function of xgamma.estimate",
        "EnergyDependentMorphologyEstimator": "fit the source in each dataset.slice_by_energy(low, high)",
        "Estimator": "an estimator of your own is a function of Datasets",
        "FluxMetaData": "what flux points are is in flux_points.data.attrs",
        "ImageProfile": "FluxProfileEstimator gives fluxes of regions along a line or in rings",
        "ImageProfileEstimator": "FluxProfileEstimator gives fluxes of regions along a line or in rings",
        "ParameterEstimator": "Fit.confidence and Fit.stat_profile give errors and profiles of a parameter",
        "ParameterSensitivityEstimator": _SENSITIVITY,
        "SensitivityEstimator": _SENSITIVITY,
    },
    "estimators.utils": each(
        "combine_flux_maps combine_significance_maps get_combined_flux_maps get_combined_significance_maps "
        "approximate_profile_map get_flux_map_from_profile",
        _MAPS_OF_FLUX,
    )
    | each("get_edges_fixed_bins get_edges_min_ts get_rebinned_axis", _REBIN)
    | {
        "apply_threshold_sensitivity": _SENSITIVITY,
        "estimate_exposure_reco_energy": "ExcessMapEstimator does it inside; see docs/excess-maps.md",
        "find_peaks_in_flux_map": "find_peaks of this module takes a map: find_peaks(maps['sqrt_ts'], threshold=5)",
        "resample_energy_edges": "dataset.resample_energy_axis takes edges",
    },
    "irf": each(
        "Background2D Background3D BackgroundIRF EffectiveAreaTable2D EnergyDependentMultiGaussPSF EnergyDispersion2D "
        "IRF PSF3D PSFKing ParametricPSF RadMax2D load_irf_dict_from_file",
        _RESPONSE,
    )
    | each("EDispKernel EDispKernelMap EDispMap IRFMap PSFKernel PSFMap RecoPSFMap", _OF_DATASET)
    | {"FoVAlignment": "files say how a background is aligned", "IRF_REGISTRY": "xgamma.formats.gadf has the layouts"},
    "makers": {
        "MAKER_REGISTRY": "xgamma.makers has all makers as classes",
        "Maker": "a maker of your own is an object with run(dataset, observation)",
        "PhaseBackgroundMaker": "datasets.background.method: phase in a configuration takes off phases",
        "RegionsFinder": "ReflectedRegionsFinder and WobbleRegionsFinder are all there are",
    },
    "makers.utils": each(
        "make_counts_off_rad_max make_counts_rad_max make_edisp_kernel_map make_edisp_map make_effective_livetime_map "
        "make_map_background_irf make_map_exposure_true_energy make_observation_time_map make_psf_map",
        _REDUCED,
    )
    | {"ThetaSquaredTable": "make_theta_squared_table returns a table"},
    "maps": each("HpxGeom HpxMap HpxNDMap", _HEALPIX)
    | each("LabelMapAxis LabelledMapAxis TimeMapAxis", "axes of maps are bins of numbers, as MapAxis makes them")
    | {
        "Geom": "WcsGeom and RegionGeom are all there are",
        "Maps": "a dict of maps will do",
        "WcsMap": "Map is the class of all maps",
        "containment_radius": "dataset.psf.containment_radius is that of a point",
        "containment_region": "dataset.psf.containment_radius is that of a point",
    },
    "modeling": each("PriorParameter PriorParameters", _PARAMETER)
    | each("Sampler SamplerResult", _SAMPLER)
    | {
        "select_nested_models": _NESTED,
        "stat_profile_ul_scipy": "limits of flux points come with selection_optional: [ul], of a parameter with "
        "Fit.confidence",
    },
    "modeling.models": each(
        "MODEL_REGISTRY SPATIAL_MODEL_REGISTRY SPECTRAL_MODEL_REGISTRY TEMPORAL_MODEL_REGISTRY", _REGISTRY
    )
    | {
        "ConstantFluxSpatialModel": "ConstantSpatialModel has a value for each solid angle",
        "Model": f"{_BASE}; SkyModel.create makes one of tags",
        "ModelBase": _BASE,
        "create_cosmic_ray_spectral_model": "write it as a PowerLawSpectralModel or a TemplateSpectralModel",
        "create_fermi_isotropic_diffuse_model": "TemplateSpectralModel takes its file, ConstantSpatialModel beside it",
        "integrate_spectrum": "spectra integrate themselves: model.integral(energy_min, energy_max)",
        "read_hermes_cube": "TemplateSpatialModel takes a map in FITS",
        "scale_plot_flux": "pictures are scaled by energy_power: model.plot(bounds, energy_power=2)",
    },
    "stats": {
        "CashCountsStatistic": "known_counts(n_on, mu_bkg), with counts_errn, counts_errp, counts_ul and cash_sqrt_ts",
        "WStatCountsStatistic": "on_off_counts(n_on, n_off, alpha), with counts_errn, counts_ul and wstat_sqrt_ts",
        "Chi2AsymmetricErrorFitStatistic": _STATISTIC,
        "Chi2FitStatistic": _STATISTIC,
        "GaussianPriorPenalty": "parameter.prior = GaussianPrior(mu=..., sigma=...)",
        "TimmerKonig_lightcurve_simulator": "red noise is not simulated; LightCurveTemplateTemporalModel takes a table",
        "get_wstat_gof_terms": "wstat has them: it is 0 where a prediction equals the counts",
        "get_wstat_mu_bkg": "wstat_background(n_on, n_off, alpha, mu_sig)",
        "sigma_to_ts": "the square for one degree of freedom; scipy.stats.chi2 for more",
        "ts_to_sigma": "the root for one degree of freedom; scipy.stats.chi2 for more",
    },
    "utils.regions": each("compound_region_to_regions regions_to_compound_region", _SEGMENTS)
    | {"region_to_frame": "shapes know their frame: shape.center is ICRS"},
    "visualization": each("colormap_hess colormap_milagro", _COLOURS)
    | each("annotate_heatmap plot_heatmap", "models.covariance.plot_correlation draws one, matplotlib others")
    | {
        "MapPanelPlotter": "map.plot_grid draws a panel for each bin of an axis",
        "add_colorbar": "pictures of xgamma have their colour bars",
        "plot_contour_line": "draw the points of Fit.stat_contour with matplotlib",
        "plot_map_rgb": "matplotlib's imshow takes three maps",
        "plot_npred_signal": "dataset.plot_excess draws the predicted signal",
        "plot_samples_violin_vs_energy": _SAMPLER,
        "plot_spectrum_datasets_off_regions": "datasets.plot_regions() draws them",
    },
}
"""What to do where a name is not here, by module."""


def _inside(package: str, modules: str, names: str = "") -> dict[str, str]:
    """Return what to do for modules inside a package: take their names from it, or from the module ``names``."""
    return {f"{package}.{module}": f"take its names from xgamma.{names or package}" for module in modules.split()}


MODULES: Mapping[str, str] = {
    "astro": "dark matter, populations and models of sources are not part of xgamma; a spectrum of your own can hold "
    "one, see docs/models.md",
    "data.io": "DataStore reads indices and runs with their events, xgamma simulate writes them",
    "data.ivoa": "tables for the virtual observatory are not made; observations.table has a row for each run",
    "datasets.actors": "general.n_jobs and general.scheduler say where is computed",
    "datasets.evaluator": "dataset.npred and npred_signal predict counts; xgamma.predict has functions of arrays",
    "maps.io": f"{_ASTROPY}: astropy.io.fits; Map.read finds the HDUs of a map by itself",
    "modeling.iminuit": _MINIMISER,
    "modeling.likelihood": "dataset.stat_sum is the statistic of a dataset, xgamma.stats has functions of arrays",
    "modeling.scipy": _MINIMISER,
    "modeling.selection": _NESTED,
    "modeling.sampler": _SAMPLER,
    "modeling.sherpa": _MINIMISER,
    "scripts": "the command is xgamma; xgamma --help lists what it does",
    "stats.fit_statistics_cython": _COMPILED,
    "stats.fit_statistics_jit": _COMPILED,
    "utils.array": "numpy has it",
    "utils.cache": "functools has caches",
    "utils.cluster": "groups of runs are datasets.stack_by, see docs/scale.md",
    "utils.compat": "it belongs to versions of numpy",
    "utils.compilation": _COMPILED,
    "utils.coordinates": f"{_ASTROPY}: astropy.coordinates",
    "utils.deprecation": "it belongs to Gammapy itself",
    "utils.fits": f"{_ASTROPY}: astropy.io.fits",
    "utils.gauss": "GaussianSpatialModel is one on the sky",
    "utils.integrate": "spectra integrate themselves: model.integral",
    "utils.interpolation": "scipy.interpolate has it; TemplateSpectralModel interpolates spectra",
    "utils.metadata": _META,
    "utils.observers": "the site of a run is in its file",
    "utils.parallel": "general.n_jobs and general.scheduler say where is computed",
    "utils.pbar": "progress is shown on a terminal and in a notebook by itself",
    "utils.random": _NUMPY,
    "utils.registry": "xgamma.registry registers functions",
    "utils.roots": "scipy.optimize has it",
    "utils.scripts": "paths with $NAMES are read everywhere; os.path.expandvars does it alone",
    "utils.table": f"{_ASTROPY}: astropy.table",
    "utils.testing": "pytest and numpy.testing have it",
    "utils.time": f"{_ASTROPY}: astropy.time",
    "utils.types": "it belongs to Gammapy itself",
    "utils.units": f"{_ASTROPY}: astropy.units",
    "version": "xgamma.__version__ is the version, xgamma doctor says those of what it needs",
    "workflow": "xgamma run CONFIG does all steps, xgamma.analysis.Analysis one by one",
    **_inside("analysis", "config core"),
    **_inside("catalog", "core fermi gammacat hawc hess lhaaso"),
    **_inside(
        "data",
        "data_store event_list filters gti hdu_index_table metadata obs_table observations pointing simulate utils",
    ),
    **_inside("datasets", "core io map metadata simulate utils"),
    **_inside("estimators", "core energydependentmorphology flux map metadata parameter profile"),
    **_inside("estimators.points", "core lightcurve profile sed sensitivity", names="estimators"),
    **_inside("irf", "background core edisp effective_area io psf rad_max"),
    **_inside("makers", "background core map reduce safe spectrum"),
    **_inside("maps", "axes coord core geom hpx maps measure region utils wcs"),
    **_inside("modeling", "covariance fit parameter utils"),
    **_inside("modeling.models", "core cube prior spatial spectral spectral_cosmic_ray spectral_crab temporal utils"),
    **_inside("stats", "counts_statistic fit_statistics utils variability"),
    **_inside("visualization", "cmap datasets heatmap panel utils violin"),
}
"""What to do where a module is not here."""


class Line(NamedTuple):
    """A name of Gammapy: its module, itself, and what to do; nothing where it is imported in the same way."""

    module: str
    name: str
    instead: str


def lines() -> Iterator[Line]:
    """Yield all names by module, and modules that are not here with an empty name."""
    for module in sorted({*SAME, *INSTEAD}):
        found = each(SAME.get(module, ""), "") | dict(INSTEAD.get(module, {}))
        yield from (Line(module, name, found[name]) for name in sorted(found, key=str.lower))
    yield from (Line(module, "", reason) for module, reason in MODULES.items())


def later_names(module: str) -> Callable[[str], Any]:
    """Return a ``__getattr__`` of a module that says what to do instead of a name of Gammapy that is not here.

    Where Gammapy has a package of that name, the module passes for an empty one: for what lies in no package, Python
    asks nobody who could say what to do.
    """
    reasons = INSTEAD.get(module.removeprefix("xgamma."), {})

    def refuse(name: str) -> Any:
        if name == "__path__":
            return []
        if name in reasons:
            raise LaterNameError(f"{module}.{name} is not part of this version of xgamma: {reasons[name]}.")
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return refuse


def validate_module(name: str) -> None:
    """Raise ``LaterModuleError`` for a module of Gammapy that is not here, whose full name begins with ``xgamma.``."""
    reason = MODULES.get(name.removeprefix("xgamma."))
    if reason is not None:
        raise LaterModuleError(f"{name} is not part of this version of xgamma: {reason}.")
