"""The sections of the configuration: fields are quantities in the unit given, methods return plain TeV and deg."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator, WithJsonSchema

from xgamma.config.fields import (
    Angle,
    Choice,
    Energy,
    Flag,
    Frame,
    Latitude,
    Level,
    LogFormat,
    PathOrUrlField,
    Size,
    Text,
)
from xgamma.config.parameters import (
    BackgroundMapping,
    SafeMaskMapping,
    backgrounds_for,
)
from xgamma.config.ranges import EnergyAxis, SkyCircle, TimeRange, icrs_of
from xgamma.config.regions import ExcludedSky, OnRegionConfig, OnRegions
from xgamma.config.section import Section, key, subsection
from xgamma.config.section_fields import (
    Bins,
    Condition,
    Datastore,
    Each,
    Files,
    Groups,
    Jobs,
    MemorySize,
    ObsIds,
    Share,
)
from xgamma.events import GOOD_TIME_RULES
from xgamma.reduce.background.names import SPACES
from xgamma.reduce.safe_mask import KIND as SAFE_MASK_KIND
from xgamma.reduce.safe_mask import safe_masks_of
from xgamma.registry import Method, lookup, normalize_parameters

IRF = Choice(("events", "gti", "aeff", "bkg", "edisp", "psf", "rad_max"))
MAP = Choice(("counts", "exposure", "background", "psf", "edisp"))
DATASET_TYPE = Choice(("1d", "3d"))
PROJECTION = Choice(("CAR", "TAN", "AIT"))
BACKGROUND = Choice(tuple(SPACES), kind="background")
SAFE_MASK_METHOD = Choice(("aeff-default", "aeff-max", "edisp-bias", "offset-max", "bkg-peak"), kind=SAFE_MASK_KIND)
FILE_MODE = Choice(("w", "a", "x"))
GOOD_TIME = Choice(GOOD_TIME_RULES)

# What Gammapy calls them where it selects observations.
IRF_SETS = {
    "point-like": ("aeff", "edisp"),
    "full-enclosure": ("aeff", "edisp", "psf", "bkg"),
    "all-optional": (),
}


def read_irfs(value: Any) -> list[str]:
    """Read a list of responses, in which names of sets stand for those of the set; a name may stand alone."""
    items = [value] if isinstance(value, str) and value in IRF_SETS else value
    words = Choice((*IRF.words, *IRF_SETS)).each(items)
    return list(dict.fromkeys(role for word in words for role in IRF_SETS.get(word, (word,))))


FileMode = Annotated[str, PlainValidator(FILE_MODE), WithJsonSchema(FILE_MODE.schema())]
DatasetType = Annotated[str, PlainValidator(DATASET_TYPE), WithJsonSchema(DATASET_TYPE.schema())]
BackgroundMethod = Annotated[str, PlainValidator(BACKGROUND), WithJsonSchema(BACKGROUND.schema())]
Projection = Annotated[str, PlainValidator(PROJECTION), WithJsonSchema(PROJECTION.schema())]
GoodTimeRule = Annotated[str, PlainValidator(GOOD_TIME), WithJsonSchema(GOOD_TIME.schema())]
Irfs = Annotated[
    list[str],
    PlainValidator(read_irfs),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string", "enum": [*IRF.words, *IRF_SETS]}},
                {"type": "string", "enum": list(IRF_SETS)},
            ]
        }
    ),
]
Maps = Annotated[list[str], PlainValidator(MAP.each), WithJsonSchema({"type": "array", "items": MAP.schema()})]
SafeMaskMethods = Annotated[
    list[str],
    PlainValidator(SAFE_MASK_METHOD.each),
    WithJsonSchema({"type": "array", "items": SAFE_MASK_METHOD.schema()}),
]


class LogConfig(Section):
    """What is logged, where and how; as in ``logging`` of the standard library."""

    where: ClassVar[str] = "general.log"

    level: Level = key("info", "The least severe level that is shown.")
    filename: PathOrUrlField | None = key(None, "A file for the messages; null is standard error.")
    filemode: FileMode | None = key(None, "How the file is opened; null is a.")
    format: LogFormat | None = key(None, "For example '%(asctime)s %(levelname)s %(message)s'.")
    datefmt: Text | None = key(None, "How times are written, as in time.strftime.")


class GeneralConfig(Section):
    """Where results are written and how they are computed."""

    where: ClassVar[str] = "general"
    silent: ClassVar[frozenset[str]] = frozenset({"store", "scheduler", "fail_fast", "memory_limit"})

    log: LogConfig = subsection(LogConfig)
    outdir: PathOrUrlField = key(".", "The folder for everything that is written.")
    n_jobs: Jobs = key(1, "1: threads of this process; more: so many processes of this machine.")
    datasets_file: PathOrUrlField | None = key(None, "Where datasets are read from and written to.")
    models_file: PathOrUrlField | None = key(None, "Where models are read from and written to.")
    store: PathOrUrlField | None = key(None, "The product store, a path or URL; null is <outdir>/xgamma-store.")
    scheduler: Text | None = key(None, "The address of a dask scheduler, for example tcp://host:8786.")
    fail_fast: Flag | None = key(None, "Whether the first run that fails ends the analysis; null is no.")
    memory_limit: MemorySize | None = key(
        None, "A plan that needs more is not run, for example 4 GB; null is no limit."
    )

    def store_location(self) -> str:
        """Return the path or URL of the product store."""
        if self.store is not None:
            return self.store.expanded()
        return f"{self.outdir.expanded().rstrip('/')}/xgamma-store"


class ObsTimeConfig(TimeRange):
    """Only events inside these intervals are used."""

    where: ClassVar[str] = "observations.obs_time"


class ObsConeConfig(SkyCircle):
    """Only observations that point inside this circle."""

    where: ClassVar[str] = "observations.obs_cone"


class ObservationsConfig(Section):
    """Which observations are used."""

    where: ClassVar[str] = "observations"
    silent: ClassVar[frozenset[str]] = frozenset({"expression", "tag"})

    datastore: Datastore = key(
        "$GAMMAPY_DATA/hess-dl3-dr1",
        "A folder with index files, one index file, or an xgamma store; where index files have other names "
        "{path: ..., hdu_index: ..., obs_index: ...}.",
    )
    tag: Text | None = key(None, "Of an xgamma store as datastore: the tag whose versions of the runs are read.")
    obs_ids: ObsIds = key([], "Observation ids; an empty list is all.")
    obs_file: PathOrUrlField | None = key(None, "A text file with observation ids in its first column.")
    obs_cone: ObsConeConfig = subsection(ObsConeConfig)
    obs_time: ObsTimeConfig = subsection(ObsTimeConfig)
    required_irf: Irfs = key(
        ["aeff", "edisp", "psf", "bkg"],
        "Responses that an observation must have, or point-like, full-enclosure, all-optional.",
    )
    expression: Condition | None = key(
        None, "A condition on the columns of an observation, such as zenith < 40 and livetime > 600."
    )

    def is_requested(self, config: Any) -> bool:
        """Whether datasets are made of observations."""
        return bool(config.are_observed)


class OwnTimeConfig(ObsTimeConfig):
    """Only events inside these intervals are used."""

    where: ClassVar[str] = "datasets.observations.obs_time"


class OwnConeConfig(ObsConeConfig):
    """Only observations that point inside this circle."""

    where: ClassVar[str] = "datasets.observations.obs_cone"


class OwnObservationsConfig(ObservationsConfig):
    """Which observations an entry of datasets is made of, where these are not those of all."""

    where: ClassVar[str] = "datasets.observations"

    obs_cone: OwnConeConfig = subsection(OwnConeConfig)
    obs_time: OwnTimeConfig = subsection(OwnTimeConfig)


class SkyDirConfig(Section):
    """The centre of the maps; without lon and lat it is the mean pointing of the selected runs."""

    where: ClassVar[str] = "datasets.geom.wcs.skydir"

    frame: Frame | None = key(None, "The frame of the maps; null, without lon and lat, is icrs.")
    lon: Angle | None = key(None, "Longitude, with a unit such as deg.")
    lat: Latitude | None = key(None, "Latitude, with a unit such as deg.")


class WidthConfig(Section):
    """The size of the maps."""

    where: ClassVar[str] = "datasets.geom.wcs.width"

    width: Size = key("5 deg", "With a unit such as deg.")
    height: Size = key("5 deg", "With a unit such as deg.")


class WcsConfig(Section):
    """The pixels of the maps (3d)."""

    where: ClassVar[str] = "datasets.geom.wcs"
    silent: ClassVar[frozenset[str]] = frozenset({"proj"})

    skydir: SkyDirConfig = subsection(SkyDirConfig)
    binsize: Size = key("0.02 deg", "Size of a pixel, with a unit such as deg.")
    width: WidthConfig = subsection(WidthConfig)
    proj: Projection | None = key(None, "The projection: CAR (plate carree), TAN, AIT (Aitoff); null is CAR.")
    binsize_irf: Size = key("0.2 deg", "Size of a pixel of the responses, with a unit such as deg.")


class SelectionConfig(Section):
    """Which part of the field of view is used."""

    where: ClassVar[str] = "datasets.geom.selection"

    offset_max: Size = key(
        "2.5 deg",
        "Largest offset from the pointing, with a unit such as deg; of maps (3d) half the width of a run's window.",
    )


class RecoAxisConfig(EnergyAxis):
    """The axis of reconstructed energy."""

    where: ClassVar[str] = "datasets.geom.axes.energy"

    min: Energy = key("1 TeV", "Lowest edge, with a unit such as TeV.")
    max: Energy = key("10 TeV", "Highest edge, with a unit such as TeV.")
    nbins: Bins = key(5, "Number of bins, equal in log energy.")


class TrueAxisConfig(EnergyAxis):
    """The axis of true energy; counts are lost where it is hardly wider than that of reconstructed energy."""

    where: ClassVar[str] = "datasets.geom.axes.energy_true"

    min: Energy = key("0.5 TeV", "Lowest edge, with a unit such as TeV.")
    max: Energy = key("20 TeV", "Highest edge, with a unit such as TeV.")
    nbins: Bins = key(16, "Number of bins, equal in log energy.")


class AxesConfig(Section):
    """The energy axes."""

    where: ClassVar[str] = "datasets.geom.axes"

    energy: RecoAxisConfig = subsection(RecoAxisConfig)
    energy_true: TrueAxisConfig = subsection(TrueAxisConfig)


class GeomConfig(Section):
    """The geometry of the datasets."""

    where: ClassVar[str] = "datasets.geom"

    wcs: WcsConfig = subsection(WcsConfig)
    selection: SelectionConfig = subsection(SelectionConfig)
    axes: AxesConfig = subsection(AxesConfig)


class BackgroundConfig(Section):
    """How the background is estimated."""

    where: ClassVar[str] = "datasets.background"
    silent: ClassVar[frozenset[str]] = frozenset({"alpha_systematic"})

    method: BackgroundMethod | None = key(None, f"{backgrounds_for('1d')} (1d), {backgrounds_for('3d')} (3d).")
    exclusion: ExcludedSky | None = key(
        None, "A FITS map, nonzero where background may be taken; or regions and sources: a file, DS9 text, a list."
    )
    parameters: BackgroundMapping = key({}, "Parameters of the method.")
    alpha_systematic: Share | None = key(
        None, "The relative systematic error of acceptance / acceptance_off, for example 0.05; null is none."
    )

    def settings(self) -> Method | None:
        """Return the method with its parameters in canonical units, defaults filled in; ``None`` without a method."""
        if self.method is None:
            return None
        known = lookup("background", self.method)
        return Method(known, normalize_parameters(known, self.parameters, f"{self.where}.parameters"))


class SafeMaskConfig(Section):
    """Which energies are used."""

    where: ClassVar[str] = "datasets.safe_mask"

    methods: SafeMaskMethods = key(["aeff-default"], "Bins that pass all of these methods are used.")
    parameters: SafeMaskMapping = key({}, "Parameters of the methods.")

    def settings(self) -> tuple[Method, ...]:
        """Return the methods, each with its parameters in canonical units, defaults filled in."""
        return safe_masks_of(self.methods, self.parameters, f"{self.where}.parameters")

    def position(self) -> tuple[float, float] | None:
        """Return the ICRS position in degrees whose responses are looked at; raises ``ConfigError`` for no position."""
        given = self.parameters.get("position")
        return None if given is None else icrs_of(given)


class FitRangeConfig(Section):
    """Reconstructed energies that are fitted."""

    where: ClassVar[str] = "fit.fit_range"

    min: Energy | None = key(None, "With a unit such as TeV; null is the lowest.")
    max: Energy | None = key(None, "With a unit such as TeV; null is the highest.")

    def bounds(self) -> tuple[float | None, float | None]:
        """Return min and max in TeV."""
        low, high = (None if value is None else float(value.to_value("TeV")) for value in (self.min, self.max))
        return low, high


class OwnFitRangeConfig(FitRangeConfig):
    """Reconstructed energies of an entry of datasets that are fitted."""

    where: ClassVar[str] = "datasets.fit_range"


class DatasetsConfig(Section):
    """How the datasets are made."""

    where: ClassVar[str] = "datasets"
    silent: ClassVar[frozenset[str]] = frozenset(
        {"name", "read", "observations", "stack_by", "good_time", "use_region_center", "fit_range"}
    )

    name: Text | None = key(None, "The name of the stack, with which names of rows and of stacks by group begin.")
    read: Files | None = key(
        None, "Files of spectra, instead of observations: OGIP, FITS or Zarr; a path, a pattern, or a list of them."
    )
    observations: OwnObservationsConfig | None = key(
        None, "Which observations are used; null is those of the section observations."
    )
    type: DatasetType = key("1d", "1d: the spectrum of a region; 3d: maps.")
    stack: Flag = key(True, "Whether the observations are stacked.")
    stack_by: Groups | None = key(
        None, "A stack for each: night, month, bands such as {zenith: [0, 20, 40]}, an expression; null is one for all."
    )
    geom: GeomConfig = subsection(GeomConfig)
    map_selection: Maps = key(
        ["counts", "exposure", "background", "psf", "edisp"],
        "Which maps are made (3d); counts and exposure always are.",
    )
    background: BackgroundConfig = subsection(BackgroundConfig)
    safe_mask: SafeMaskConfig = subsection(SafeMaskConfig)
    on_region: OnRegions = subsection(
        OnRegionConfig, "The region whose spectrum is extracted; of a list each gives a spectrum of its own."
    )
    good_time: GoodTimeRule | None = key(
        None,
        "Which events count: strict, those in good time as written; rounded, also those up to the end of a last second "
        "that the writer cut off; ignored, all, as Gammapy does; null is rounded.",
    )
    containment_correction: Flag = key(
        True, "Whether the exposure is corrected for events that fall outside the region (1d)."
    )
    use_region_center: Flag | None = key(
        None, "Whether responses are those of the centre of the region (1d); false averages them over it; null is true."
    )
    fit_range: OwnFitRangeConfig | None = key(
        None, "Reconstructed energies of these datasets that are fitted; null is fit.fit_range."
    )


class FitConfig(Section):
    """The fit."""

    where: ClassVar[str] = "fit"
    silent: ClassVar[frozenset[str]] = frozenset({"each"})

    fit_range: FitRangeConfig = subsection(FitRangeConfig)
    each: Each | None = key(
        None, "What is fitted by itself after the fit of all: each dataset, night, month, band; as datasets.stack_by."
    )

    def is_requested(self, config: Any) -> bool:
        """Whether there are models."""
        return config.models is not None or config.general.models_file is not None
