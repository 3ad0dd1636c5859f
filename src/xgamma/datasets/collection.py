"""``Datasets``: the rows of an analysis, indexed by number and name, with the models they share."""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from xgamma import datasets as kinds
from xgamma import fit, reduce, schema
from xgamma.axes import BoolArray, IntArray
from xgamma.datasets import event_list, files, info, inputs, text
from xgamma.datasets import made as made_rows
from xgamma.datasets.binned_row import BinnedRow, is_map
from xgamma.datasets.info import cumulative_table, info_table
from xgamma.datasets.inputs import ModelledRows, normalize_rows
from xgamma.datasets.joint_pictures import JointPictures
from xgamma.description import Description, Facts, Part, Sheet, ends
from xgamma.digits import decimals, some
from xgamma.errors import ConfigError, ConfigTypeError, DataError, LaterError
from xgamma.gammapy_methods import SaysInstead
from xgamma.outcome import Outcome
from xgamma.plot import excess as plot_excess
from xgamma.plot import regions as plot_regions
from xgamma.predict import background as predicted_background
from xgamma.schema.arrays import Arrays, PlainArrays

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.datasets.event_list import GTI
    from xgamma.datasets.flux_points_dataset import FluxPointsDataset
    from xgamma.fit import FitInput


log = logging.getLogger(__name__)

STACKED = "stacked"

SHOWN = 10
"""How many rows ``print`` and notebooks show; reprs stay fast with thousands."""


class Datasets(SaysInstead, JointPictures):
    """The rows of one or several DL4 Datasets, each as a ``SpectrumDataset`` or a ``MapDataset``, on-off or not.

    Flux points may stand among them as ``FluxPointsDataset``, to be fitted together with the rows.

    Parameters
    ----------
    datasets
        Views, in order, with unique names, or one view.
    unused
        Views of rows that could not be reduced; they are never fitted, and shown by ``info_table(all_rows=True)``.

    Raises
    ------
    ConfigError
        When two have the same name.

    Examples
    --------
    >>> datasets = Datasets.from_xarray(reduced)  # doctest: +SKIP
    >>> datasets["23523"].counts.sum()  # doctest: +SKIP
    """

    @classmethod
    def from_xarray(cls, data: Arrays | Sequence[Arrays], models: Any = None) -> Self:
        """Return the rows of one or several DL4 Datasets, made by a reduction or by hand.

        On-regions with names become rows of their own, such as ``stacked-shell``. Rows whose outcome is not 0 go to
        ``unused``; a variable ``mask_fit`` becomes the fit mask of the rows.

        Raises
        ------
        DataError
            When a Dataset is not one of spectra: a variable, dims, a unit or unique names are missing.
        """
        used: list[BinnedRow[Any]] = []
        unused: list[BinnedRow[Any]] = []
        for given in [data] if isinstance(data, Mapping | PlainArrays) else data:
            for piece in reduce.regions_apart(given):
                views, outcome = _views(piece)
                for view in views:
                    (used if outcome[view.position[0]] == Outcome.USED else unused).append(view)
        datasets = cls(used, unused)
        datasets.models = models
        return datasets

    # --- arrays

    def _validate_rows(self, what: str) -> None:
        if self._points:
            raise ConfigError(
                f"{what} takes spectra, and {self._points[0].name!r} are flux points; take them out, as by "
                "Datasets([dataset, ...]) of the spectra alone."
            )

    def _validate_one_region(self, what: str) -> None:
        self._validate_rows(what)
        regions = max([view.arrays.sizes.get("region", 1) for view in self._first_of_groups()], default=1)
        if regions > 1:
            raise ConfigError(
                f"{what} adds up the spectra of one region, and these are of {regions}; take copies of those of one, "
                "as by Datasets([dataset.copy(), ...])."
            )

    def parts(self) -> list[ModelledRows]:
        """Return the rows as few Datasets as possible, each with its fit mask in the dims of the counts or ``None``.

        Flux points are no rows, and left out.
        """
        runs = itertools.groupby(self._rows, key=lambda view: (id(view.arrays), view.models_key))
        return [part for _, views in runs for part in _parts(list(views))]

    def to_xarray(self) -> list[xr.Dataset]:
        """Return the rows as Datasets, the ones they came from where all their rows are there."""
        return [part.data for part in self.parts()]

    def fit_inputs(self) -> list[FitInput]:
        """Return the Datasets of ``to_xarray``, each with its bins to fit, and after them the flux points."""
        points = [one for view in self._points for one in view.fit_inputs()]
        return [*(fit.FitInput(part.arrays, part.mask_fit) for part in self.parts()), *points]

    def stat_sum(self) -> float:
        """The statistic of all rows, over their bins in use, and of all flux points."""
        total = float(sum(view.stat_sum() for view in self._points))
        for part in self.parts():
            used = fit.FitInput(part.arrays, part.mask_fit).used
            total += float(info.Prediction(part.data, part.models).stat_array.values[used].sum())
        return total

    def stack_reduce(self, name: str = STACKED) -> BinnedRow[Any]:
        """Return the stack of all rows, with their models; its fit mask holds the bins that any row fits.

        Backgrounds are added up as models of them say: those belong to single rows, and not to the stack.
        Maps that were cut out of several images with the same pixels are stacked in the smallest one that holds all.

        Raises
        ------
        DataError
            When the rows have different axes or statistics.
        ConfigError
            When there are flux points among them, or several regions.
        """
        self._validate_one_region("stack_reduce()")
        rows = [_with_background(part) for part in self.parts()]
        is_maps = any(is_map(view) for view in self._rows)
        [view] = views_of(
            reduce.window_sums.stack_of_windows(rows, name)
            if is_maps
            else reduce.stack(reduce.joined_rows(rows), name=name)
        )
        view.models = self.models
        view.mask_fit = made_rows.any_mask([view.mask_of(row) for row in self._rows])
        return view

    def info_table(self, cumulative: bool = False, all_rows: bool = False) -> Table:
        """Return one row a dataset: counts, significance, background, prediction, exposure, time, rates, statistic.

        Parameters
        ----------
        cumulative
            Stack progressively: the n-th row is the stack of the first n.
        all_rows
            Also show the rows that could not be used, and why: columns ``outcome`` and ``outcome_detail``.
        """
        if cumulative:
            table = cumulative_table(self.to_xarray(), self.models)
            table["name"] = np.full(len(table), STACKED)
            return table
        if not all_rows:
            return info_table(self.parts())
        both = self._with_unused()
        table = info_table(both.parts())
        table["outcome"] = [Outcome(int(view.data["outcome"].values[0])).name.lower() for view in both]
        table["outcome_detail"] = [view.outcome_detail for view in both]
        return table

    def _with_unused(self) -> Datasets:
        if not self.unused:
            return self
        views = [*self._views, *self.unused]
        order = {group: number for number, group in enumerate(dict.fromkeys(id(view.arrays) for view in views))}
        return Datasets(sorted(views, key=lambda view: (order[id(view.arrays)], view.position)))

    @property
    def meta_table(self) -> Table:
        """One row a spectrum: ``NAME``, ``TYPE``, ``TELESCOP``, of runs also ``OBS_ID``, ``RA_PNT``, ``DEC_PNT``."""
        return info.meta_table(self.parts())

    @property
    def gti(self) -> GTI:
        """The good time intervals of all rows, in their order; times are counted from the epoch of the first."""
        parts = [part.data for part in self.parts()]
        mjdref = float(parts[0].attrs["mjdref"]) if parts else 0.0
        return event_list.GTI(
            np.concatenate(
                [np.empty((0, 2)), *(reduce.since(ds, mjdref)["gti"].values.reshape(-1, 2) for ds in parts)]
            ),
            mjdref,
        )

    def slice_by_energy(self, energy_min: Any = None, energy_max: Any = None) -> Self:
        """Return the spectra in the bins between two energies; those without one are left out, with a warning."""
        self._validate_rows("slice_by_energy()")
        kept = []
        for view in self._rows:
            try:
                kept.append(view.slice_by_energy(energy_min, energy_max))
            except DataError as error:
                log.warning("%s is left out: %s", view.name, error)
        return type(self)(kept)

    def to_spectrum_datasets(self, region: Any, containment_correction: bool = False) -> Self:
        """Return the spectra of a region in the maps, under their names; see ``MapDataset.to_spectrum_dataset``.

        Raises ``ConfigTypeError`` where one is no map.
        """
        for view in self._views:
            if not is_map(view):
                raise ConfigTypeError(f"{view.name!r}: expected a MapDataset, got a {type(view).__name__}.")
        return type(self)([view.to_spectrum_dataset(region, containment_correction) for view in self._views])

    def plot_regions(self, ax: Axes | None = None) -> Axes:
        """Draw the on-regions on the sky, the off regions of the first runs and their pointings; stacks have neither.

        ``ax`` are axes of astropy with a projection; ``None`` makes them in a new figure.

        Raises ``ConfigTypeError`` where one of the rows is a map.
        """
        for view in self._rows:
            if is_map(view):
                raise ConfigTypeError(
                    f"plot_regions() draws regions, and {view.name!r} is a map; use its plot_counts()."
                )
        return plot_regions.plot_regions(self.to_xarray(), ax)

    def plot(self, cumulative: bool = True, **options: Any) -> Figure:
        """Draw excess and significance in a new figure, and return it.

        With ``cumulative`` they are those of the first row, of the first two, and so on, over live time; otherwise
        those of each row, over the time in the middle of its good time. ``options``: ``figsize``.
        """
        self._validate_one_region("plot()")
        table = self.info_table(cumulative=cumulative)
        excess, sqrt_ts = np.asarray(table["excess"]), np.asarray(table["sqrt_ts"])
        if cumulative:
            return plot_excess.plot_over_livetime(table["livetime"].quantity.to_value("h"), excess, sqrt_ts, **options)
        ends = [view.gti.mjd_bounds for view in self._rows]
        errors = np.concatenate([info.total_excess_errors(part.data) for part in self.parts()])
        return plot_excess.plot_over_time(np.array(ends), excess, errors, sqrt_ts, **options)

    # --- Gammapy

    def to_gammapy(self) -> Any:
        """Return ``Datasets`` of Gammapy: every used row with its models, masks, responses, times and regions.

        Numbers stay as they are. Ledgers and rows that were not used have no place there and stay here.

        Raises
        ------
        ConfigError
            When Gammapy is not installed, or does not know a model.
        LaterError
            For maps, which go to Gammapy by their FITS file.
        """
        self._validate_rows("to_gammapy()")
        if any(is_map(view) for view in self._rows):
            raise LaterError(
                "to_gammapy(): maps are not converted by this version of xgamma; write them to a .fits file, which "
                "Gammapy reads."
            )
        if self.unused:
            log.warning("%d rows that were not used stay here; see info_table(all_rows=True).", len(self.unused))
        return files.collection_of_gammapy(self.parts())

    @classmethod
    def from_gammapy(cls, datasets: Any) -> Self:
        """Return spectrum datasets of Gammapy (its ``Datasets``, a list or one), with their models and fit masks.

        Raises
        ------
        ConfigError
            When Gammapy is not installed, or for a dataset that is no spectrum or a model that is not known here.
        DataError, LaterError
            For spectra without counts or response, with other statistics, or from regions that are not circles.
        """
        taken = files.taken_from_gammapy(datasets)
        found = cls.from_xarray(taken.data)
        ordered = cls(found[name] for name in taken.names)
        if taken.models_are_shared:
            ordered.models = taken.models
        else:
            for view in ordered:
                view.models = [taken.models[name] for name in taken.models_of[view.name]]
        return ordered

    # --- words

    def __repr__(self) -> str:
        names = ", ".join(self.names[:SHOWN]) + (", ..." if len(self) > SHOWN else "")
        return f"<Datasets: {some(len(self), 'row')}{': ' * bool(names)}{names}>"

    def _description(self) -> Description:
        kinds = Counter(type(view).__name__ for view in self._views)
        about = [
            ("Rows", some(len(self), "row")),
            ("Kind", ", ".join(name if len(kinds) == 1 else f"{count:,} {name}" for name, count in kinds.items())),
            ("Not used", some(len(self.unused), "row") if self.unused else ""),
        ]
        numbers, more = ends(len(self), SHOWN)
        sheet = Sheet(_HEADS, [_words(self._views[number]) for number in numbers], more)
        parts: list[Part] = [sheet, *text.folded_models(self.models)] if len(self) else []
        return Description("Datasets", [Facts([row for row in about if row[1]]), *parts])

    # --- files

    def write(self, filename: str | PathLike[str], overwrite: bool = False, binsize_irf: Any = None) -> None:
        """Write every row, fit masks included; the ending decides.

        ``.zarr`` and ``.fits``, ``.fits.gz`` read back to the identical Datasets; ``.yaml`` is an index of files
        beside it, of spectra in OGIP, of maps in FITS. Rows that were not used stay in a ``.zarr`` or FITS file when
        all of their Dataset is written.

        Parameters
        ----------
        filename
            Whose ending says the format.
        overwrite
            Whether what exists is replaced.
        binsize_irf
            Of maps in FITS, the pixel size of the image that responses are written on, 0.5 deg by default.

        Raises
        ------
        ConfigError
            For another ending, or a size that is none.
        OutputExistsError, OutputError
            When the output exists and ``overwrite`` is false, or the folder cannot be written.
        """
        self._validate_rows("write()")
        groups = {id(view.arrays) for view in self._views}
        beside = [view for view in self.unused if id(view.arrays) in groups]
        parts = Datasets(self._views, beside)._with_unused().parts()
        made = [inputs.with_mask_fit(part.arrays, part.mask_fit) for part in parts]
        files.write_datasets(made, filename, overwrite, inputs.irf_pixel(binsize_irf))

    @classmethod
    def read(cls, filename: str | PathLike[str], models: Any = None) -> Self:
        """Read what ``write`` wrote, and datasets of Gammapy (OGIP with a YAML index, or its FITS file).

        Raises
        ------
        MissingInputError, InputError
            When a file is not there or cannot be read.
        """
        return cls.from_xarray(files.read_datasets(filename), models)


_HEADS = ("name", "counts", "background", "excess", "sqrt(TS)", "livetime [h]")


def _words(view: BinnedRow[Any] | FluxPointsDataset) -> tuple[str, ...]:
    if not isinstance(view, BinnedRow):
        return view.name, some(len(view.mask), "point"), "", "", "", ""
    row = {name: column.values[0] for name, column in view._summary().items()}
    numbers = (decimals(float(row[name]), 1) for name in ("background", "excess", "sqrt_ts"))
    return view.name, f"{row['counts']:,}", *numbers, decimals(float(row["livetime"]) / 3600)


def views_of(group: Arrays) -> list[BinnedRow[Any]]:
    """Return the views of all rows of a validated DL4 Dataset, of the class that its cells and statistic ask for."""
    view_class = _class_of(group)
    positions = itertools.product(range(group.sizes["dataset"]), range(group.sizes.get("region", 1)))
    names = info.row_names(group)
    return [view_class.from_row(group, *position, name) for position, name in zip(positions, names, strict=True)]


def _class_of(group: Arrays) -> type[BinnedRow[Any]]:
    if schema.space_dims(group) == schema.REGIONS:
        return kinds.SpectrumDatasetOnOff if info.is_on_off(group) else kinds.SpectrumDataset
    return kinds.MapDatasetOnOff if info.is_on_off(group) else kinds.MapDataset


def _views(given: Arrays) -> tuple[list[BinnedRow[Any]], IntArray]:
    ds, mask = inputs.without_mask_fit(normalize_rows(given))
    views = views_of(ds)
    if mask is not None:
        for view in views:
            row, region = view.position
            view.mask_fit = mask[row, region] if "region" in ds.sizes else mask[row]
    return views, ds["outcome"].values


def _parts(views: list[BinnedRow[Any]]) -> list[ModelledRows]:
    group, models = views[0].arrays, views[0].models
    positions = [view.position for view in views]
    regions = group.sizes.get("region", 1)
    if positions == list(itertools.product(range(group.sizes["dataset"]), range(regions))):
        return [ModelledRows(group, models, _stacked_masks(views, group))]
    if regions == 1:
        numbers = [row for row, _ in positions]
        rows = group.isel({"dataset": numbers}) if "region" in group.sizes else reduce.select_rows(group, numbers)
        return [ModelledRows(rows, models, _stacked_masks(views, rows))]
    return [ModelledRows(view.data, models, _stacked_masks([view], view.data)) for view in views]


def _with_background(part: ModelledRows) -> xr.Dataset:
    """Return rows with the expected background that their models say."""
    names = [str(name) for name in part.data.variables["dataset"].values]
    if "background" not in part.data or not any(
        predicted_background.background_model(part.models, name) for name in names
    ):
        return part.data
    own = part.data["background"].transpose(*schema.bin_dims(part.data))
    planes = predicted_background.background_planes(part.data, part.models).astype(own.dtype)
    return part.data.assign(background=own.copy(data=planes))


def _stacked_masks(views: list[BinnedRow[Any]], ds: Arrays) -> BoolArray | None:
    masks = [view.fit_bins for view in views]
    if all(mask is None for mask in masks):
        return None
    rows = [np.ones(view.bins_shape, bool) if view.fit_bins is None else view.fit_bins for view in views]
    return np.stack(rows).reshape(ds["mask_safe"].shape)
