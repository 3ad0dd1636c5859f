"""``read``: spectra of files as entries of ``datasets``, beside those that are reduced from observations."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from xgamma import reduce
from xgamma.analysis.memory import Cost
from xgamma.analysis.steps.reduce import named, with_product
from xgamma.analysis.steps.step import Entry, Finding, Product, Reduction, Results, SeenSpectrum, Step
from xgamma.axes import Axis
from xgamma.config.requests import names_of
from xgamma.config.rules import files_of
from xgamma.datasets import files, inputs
from xgamma.errors import DataError
from xgamma.formats import spectrum_rows
from xgamma.outcome import Outcome
from xgamma.schema import safe_energies
from xgamma.store import dataset_digest

if TYPE_CHECKING:
    from xgamma.config.config import AnalysisConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadWanted(Entry):
    """Which spectra are wanted.

    Parameters
    ----------
    paths
        The files, in order.
    is_stacked
        Whether they are stacked.
    alpha_systematic
        The relative error of alpha that they are fitted with; 0 for that of a file, or none.
    """

    paths: tuple[Path, ...]
    is_stacked: bool
    alpha_systematic: float = 0.0

    def spectra(self) -> xr.Dataset:
        """Return the spectra of all files as rows, named after the entry.

        Raises
        ------
        MissingInputError, InputError
            When a file is not there, or is not what its name says.
        DataError
            When spectra do not share axes, region and statistic, or two have one name.
        """
        read = [each for path in self.paths for each in _spectra_of(path)]
        if not self.alpha_systematic and len(read) > 1 and any("alpha_systematic" in each for each in read):
            log.warning(
                "%s: one of its files holds a systematic error of alpha, which is not used beside others; give "
                "background.alpha_systematic.",
                self.name or "datasets",
            )
        data = _joined(read, self.name)
        data, mask = inputs.without_mask_fit(inputs.normalize_rows(data))
        if mask is not None:
            log.warning("%s: its files hold a fit mask, which is not used; give a fit_range.", self.name or "datasets")
        rows = data["dataset"].values.tolist()
        if len(rows) == 1 and self.name:
            return reduce.with_names(data, [self.name])
        if self.is_stacked and len(rows) > 1:
            return reduce.stack(data, name=self.name or "stacked")
        return named(data, self.name)

    def axis(self) -> Axis:
        """Return the axis of reconstructed energy; raises as ``spectra``."""
        return axis_of(self.spectra())


def axis_of(data: xr.Dataset) -> Axis:
    """Return the axis of reconstructed energy of spectra."""
    return Axis.from_coords(data.coords, "energy")


def seen_spectrum(wanted: ReadWanted, data: xr.Dataset) -> SeenSpectrum:
    """Return what the steps look at of spectra that were read."""
    return SeenSpectrum(wanted.name, axis_of(data), safe_energies(data), str(data.attrs.get("telescope", "")))


class ReadStep(Step[ReadWanted]):
    """Reads spectra; what is made of them has the key of their content, and they themselves stay in their files."""

    name, section = "read", "datasets"

    def wanted(self, config: AnalysisConfig) -> tuple[ReadWanted, ...]:
        """Return the files of each entry of ``datasets`` that reads some; raises ``MissingInputError`` for none."""
        names = names_of(config)
        return tuple(
            ReadWanted(
                number,
                name,
                len(names),
                files_of(f"{where}.read", entry.read),
                entry.stack,
                entry.background.alpha_systematic or 0.0,
            )
            for number, (name, (where, entry)) in enumerate(zip(names, config.entries.items(), strict=True))
            if entry.read is not None
        )

    def find(self, wanted: ReadWanted, results: Results) -> Finding:
        """Return the spectra as found: reading them is no more work than looking for them."""
        ahead = _with_spectra(wanted, results)
        reduction = ahead.reductions[wanted.number]
        key = None if reduction.product is None else reduction.product.key
        count = len(wanted.paths)
        reason = f"{count} file{'' if count == 1 else 's'} of spectra"
        return Finding(reduction.count, reason, ahead, key, Cost(), lambda: ahead)

    def compute(self, wanted: ReadWanted, results: Results) -> Results:
        """Read the spectra.

        Raises
        ------
        MissingInputError, InputError, DataError
            When they cannot be read, or not taken together.
        """
        after = _with_spectra(wanted, results)
        log.info("Read %d spectra from %d files.", after.reductions[wanted.number].count, len(wanted.paths))
        return after


def _spectra_of(path: Path) -> list[xr.Dataset]:
    try:
        return [inputs.normalize_rows(each) for each in files.read_datasets(path)]
    except DataError as error:
        raise DataError(f"{path} holds something else than spectra: {error}") from None


def _joined(groups: list[xr.Dataset], name: str) -> xr.Dataset:
    """Return the rows of several Datasets as one."""
    if len(groups) == 1:
        return groups[0]
    alike = spectrum_rows.grouped_rows([row for group in groups for row in spectrum_rows.spectrum_rows(group)])
    if len(alike) > 1:
        raise DataError(
            f"{name or 'datasets'}: its files hold spectra on {len(alike)} different sets of energy bins, regions or "
            "statistics, which are not one entry; write an entry with read for each of them."
        )
    return spectrum_rows.dataset_of_rows(alike[0])


def _with_spectra(wanted: ReadWanted, results: Results) -> Results:
    spectra = wanted.spectra()
    if not (spectra["outcome"].values == Outcome.USED).any():
        raise DataError(f"{wanted.name or 'datasets'}: none of its spectra can be used.")
    systematic = wanted.alpha_systematic
    reduction = Reduction(None, spectra.sizes["dataset"], wanted.name, alpha_systematic=systematic)
    after = replace(results, reductions={**results.reductions, wanted.number: reduction})
    return with_product(after, wanted, Product(spectra, dataset_digest(spectra), True))
