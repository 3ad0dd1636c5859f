"""Absorption by the extragalactic background light (EBL): tables of the transmission over redshift and energy."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError, MissingInputError, UnknownNameError, did_you_mean
from xgamma.formats.local_files import local_path
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.model import CompoundSpectralModel, SpectralModel
from xgamma.models.spectral.tables import grid_interpolator, linear_extrapolating, log_values, read_absorption
from xgamma.models.spectral.templates import energy_nodes, quantity_document, read_quantity
from xgamma.models.tabulated import table_bytes

log = logging.getLogger(__name__)

CATALOG = "$GAMMAPY_DATA/ebl"


class Published(NamedTuple):
    """A published model: its file in the catalogue, and the paper."""

    filename: str
    paper: str


PUBLISHED = {
    "franceschini": Published("ebl_franceschini.fits.gz", "Franceschini et al. 2008 (A&A 487, 837)"),
    "dominguez": Published("ebl_dominguez11.fits.gz", "Dominguez et al. 2011 (MNRAS 410, 2556)"),
    "finke": Published("frd_abs.fits.gz", "Finke et al. 2010 (ApJ 712, 238)"),
    "franceschini17": Published("ebl_franceschini_2017.fits.gz", "Franceschini & Rodighiero 2017 (A&A 603, A34)"),
    "saldana-lopez21": Published("ebl_saldana-lopez_2021.fits.gz", "Saldana-Lopez et al. 2021 (MNRAS 507, 5144)"),
}


class EBLAbsorptionNormSpectralModel(SpectralModel):
    """The transmission of the extragalactic background light, to the power ``alpha_norm``.

    Parameters
    ----------
    energy, param, data
        Nodes of energy (quantity) and redshift, and the transmission, shape (redshift, energy).
    redshift, alpha_norm
        Start values.
    filename
        The file that they came from, which a document names.
    **parameters
        Nothing else.
    """

    tag = ("EBLAbsorptionNormSpectralModel", "ebl-norm")
    alpha_norm = Parameter("alpha_norm", 1.0, frozen=True)
    redshift = Parameter("redshift", 0.1, frozen=True)

    def __init__(
        self, energy: u.Quantity, param: Any, data: Any, redshift: Any = 0.1, alpha_norm: Any = 1.0,
        filename: str | Path = "", **parameters: Any,
    ) -> None:  # fmt: skip
        self.energy, self.filename = u.Quantity(energy), str(filename)
        self.param, self.data = u.Quantity(param, ""), u.Quantity(data, "")
        energy_nodes(self.energy, self.tag[0])
        nodes = np.atleast_1d(self.energy.value)
        self._per_tev = float(u.TeV.to(self.energy.unit))
        if self.data.shape != (self.param.size, nodes.size):
            raise ConfigError(
                f"{self.tag[0]}: expected values of shape {(self.param.size, nodes.size)}, got {self.data.shape}."
            )
        lacking = int((~np.isfinite(self.data.value)).sum())
        if lacking:
            raise ConfigError(f"{self.tag[0]}: {lacking} of the {self.data.size} values of its table are no numbers.")
        self._interpolate = grid_interpolator(
            (self.param.value, nodes), ("lin", "log"), self.data.value, logarithmic=True
        )
        self._slope = _slope_in_redshift(self.param.value, nodes, self.data.value)
        super().__init__(redshift=redshift, alpha_norm=alpha_norm, **parameters)

    def tables(self) -> list[bytes]:
        """Return nodes and values of the table."""
        return table_bytes(self.energy.value, self.param.value, self.data.value)

    def origins(self) -> list[str]:
        """Return the paper, the file and the digest of its table."""
        name = Path(self.filename).name
        paper = next((one.paper for one in PUBLISHED.values() if one.filename == name), "a table of its own")
        table = hashlib.sha256(b"".join(self.tables())).hexdigest()[:12]
        return [f"EBL absorption: {paper}, {name or 'no file'}, table {table}"]

    def remark(self) -> str:
        """Return that the redshift lies beside the table, where it does."""
        low, high = float(self.param.value.min()), float(self.param.value.max())
        redshift = self.redshift.value
        if low <= redshift <= high:
            return ""
        return f"the redshift {redshift:g} lies beside its table of absorption, {low:g} to {high:g}, which is continued"

    def _dnde(self, energy: FloatArray, values: list[float]) -> FloatArray:
        alpha_norm, redshift = values
        return np.asarray(np.clip(self._interpolate(redshift, energy * self._per_tev), 0.0, 1.0) ** alpha_norm)

    def _dnde_gradient(
        self, energy: FloatArray, values: list[float], wanted: Sequence[int]
    ) -> tuple[FloatArray, FloatArray]:
        alpha_norm, redshift = values
        dnde, plain = self._dnde(energy, values), self._interpolate(redshift, energy * self._per_tev)
        # Where the table is cut at 0 and 1 the transmission does not change.
        inside = (plain > 0) & (plain < 1)
        depth = np.log(np.where(inside, plain, 1.0))
        slopes = (depth, np.where(inside, alpha_norm * self._slope(redshift, energy * self._per_tev), 0.0))
        return dnde, np.reshape([dnde * slopes[place] for place in wanted], (len(wanted), *np.shape(energy)))

    @classmethod
    def read(cls, filename: str | Path, redshift: float = 0.1, alpha_norm: float = 1.0) -> Self:
        """Read an XSPEC table model.

        ``filename`` is a path, or the name of a published model in the catalogue. Where there is no such file, one of
        its name in the catalogue is taken. Raises ``MissingInputError``, ``InputError``.
        """
        place = _located(str(filename))
        table = read_absorption(place)
        redshifts, energy = table.nodes
        return cls(u.Quantity(energy, table.energy_unit), redshifts, table.values, redshift, alpha_norm, place)

    @classmethod
    def read_builtin(cls, reference: str = "dominguez", redshift: float = 0.1, alpha_norm: float = 1.0) -> Self:
        """Read a published model from the catalogue, ``$GAMMAPY_DATA/ebl``: dominguez, franceschini, finke, ...

        Sources: see ``PUBLISHED``. Raises ``UnknownNameError``, ``MissingInputError``.
        """
        if reference not in PUBLISHED:
            raise UnknownNameError(f"There is no EBL model {reference!r}.{did_you_mean(reference, PUBLISHED)}")
        return cls.read(reference, redshift, alpha_norm)

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, parameters, and the file or the table."""
        own = super().document(full_output, labels)
        if self.filename:
            return own | {"filename": self.filename}
        table = {"energy": self.energy, "param": self.param, "values": self.data}
        return own | {key: quantity_document(quantity) for key, quantity in table.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Read the file that the document names, or take its table."""
        if document.get("filename"):
            model = cls.read(document["filename"])
        else:
            energy, param, data = (read_quantity(document, key, cls.tag[0]) for key in ("energy", "param", "values"))
            model = cls(energy, param, data)
        model.read_parameters(document, shared)
        return model

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # The table is never written to: copies share it.
        held = (self._interpolate, self._slope, self.data, self.param, self.energy)
        memo |= {id(shared): shared for shared in held}
        return super().__deepcopy__(memo)

    def _remarks(self) -> list[tuple[str, str]]:
        return [("Table", self.origins()[0])]


def _slope_in_redshift(redshift: FloatArray, energy: FloatArray, values: FloatArray) -> Any:
    """Return the derivative of the logarithm of a table in the redshift, a function of redshift and energy."""
    if redshift.size < 2:
        return lambda at, energies: np.zeros(np.shape(energies))
    slopes = np.diff(log_values(values), axis=0) / np.diff(redshift)[:, np.newaxis]

    def slope(at: float, energies: FloatArray) -> FloatArray:
        piece = int(np.clip(np.searchsorted(redshift, at, side="right") - 1, 0, redshift.size - 2))
        return linear_extrapolating(np.log(energies), np.log(energy), slopes[piece])

    return slope


def _located(filename: str) -> str:
    """Return the path of a table: of a published model, as given, or of the file of that name in the catalogue."""
    if local_path(filename).is_file():
        return filename
    name = PUBLISHED[filename].filename if filename in PUBLISHED else Path(filename).name
    beside = f"{CATALOG}/{name}"
    if not local_path(beside).is_file():
        raise MissingInputError(
            f"There is no table of absorption at {local_path(filename)}; set $GAMMAPY_DATA, give the path of the file, "
            f"or the name of a published model in $GAMMAPY_DATA/ebl: {', '.join(PUBLISHED)}."
        )
    if filename not in PUBLISHED:
        log.info("The table of absorption %s is not there; %s is read.", filename, beside)
    return beside


def intrinsic(spectrum: SpectralModel) -> SpectralModel:
    """Return a spectrum without its factors of absorption, which shares its parameters and their covariance.

    A spectrum that has none is returned itself.

    Examples
    --------
    >>> from xgamma.models import EBLAbsorptionNormSpectralModel, PowerLawSpectralModel
    >>> absorption = EBLAbsorptionNormSpectralModel([0.1, 10] * u.TeV, [0.1, 0.2], [[1, 0.5], [0.9, 0.1]])
    >>> intrinsic(PowerLawSpectralModel(index=2.5) * absorption)
    PowerLawSpectralModel(index=2.5, amplitude=1e-12, reference=1)
    """
    if not isinstance(spectrum, CompoundSpectralModel):
        return spectrum
    halves = (spectrum.model1, spectrum.model2)
    if spectrum.operator == "mul":
        kept = [intrinsic(half) for half in halves if not isinstance(half, EBLAbsorptionNormSpectralModel)]
    else:
        kept = [intrinsic(half) for half in halves]
    if len(kept) == 1:
        return kept[0]
    if not kept or all(one is half for one, half in zip(kept, halves, strict=True)):
        return spectrum
    result = CompoundSpectralModel(kept[0], kept[1], spectrum.operator)
    result.covariance = spectrum.covariance.restrict(result.parameters)
    return result
