"""OGIP files as programs of X-ray astronomy write them: keV, cm2, channels from 1, values as keywords."""

import numpy as np
from astropy.io import fits

CHANNELS, TRUE = 6, 9
LIVETIME, LIVETIME_OFF = 1000.0, 2500.0
E_RECO = np.geomspace(0.5e9, 32e9, CHANNELS + 1)  # keV: 0.5 to 32 TeV
E_TRUE = np.geomspace(0.3e9, 60e9, TRUE + 1)
COUNTS = np.array([40, 31, 17, 12, 5, 2])
COUNTS_OFF = np.array([70, 44, 30, 13, 6, 1])
AREA = np.geomspace(2e8, 3e9, TRUE)  # cm2


def kernel():
    """Return probabilities, shape (TRUE, CHANNELS), with a gap in one row and a row of zeros."""
    random = np.random.default_rng(3)
    values = random.dirichlet(np.ones(CHANNELS), TRUE)
    values[2, 1:3] = 0.0
    values[4] = 0.0
    return values.astype(np.float32).astype(float)


def ragged(matrix, first=1):
    """Return N_GRP, F_CHAN, N_CHAN and MATRIX of the groups of non-zeros."""
    starts, lengths, values = [], [], []
    for row in matrix:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row != 0, [0]])))
        starts.append(edges[::2] + first)
        lengths.append(edges[1::2] - edges[::2])
        values.append(row[row != 0])
    return [len(one) for one in starts], starts, lengths, values


def objects(rows):
    array = np.empty(len(rows), dtype=object)
    array[:] = [np.asarray(row) for row in rows]
    return array


def padded(rows):
    return np.array([np.pad(np.asarray(row, float), (0, max(map(len, rows)) - len(row))) for row in rows])


def matrix_columns(layout, first, matrix):
    """Return the columns of a matrix: ``ragged``, ``padded`` (fixed vectors) or ``whole`` (plain numbers)."""
    if layout == "whole":
        full, plain = np.full(TRUE, CHANNELS), np.full(TRUE, first)
        groups = fits.Column("N_GRP", "I", array=np.ones(TRUE))
        values = fits.Column("MATRIX", f"{CHANNELS}E", array=matrix)
        return [groups, fits.Column("F_CHAN", "I", array=plain), fits.Column("N_CHAN", "I", array=full), values]
    number, starts, lengths, values = ragged(matrix, first)
    groups = fits.Column("N_GRP", "I", array=number)
    if layout == "padded":
        width, size = max(number), max(map(len, values))
        return [
            groups,
            fits.Column("F_CHAN", f"{width}I", array=padded(starts)),
            fits.Column("N_CHAN", f"{width}I", array=padded(lengths)),
            fits.Column("MATRIX", f"{size}E", array=padded(values)),
        ]
    return [
        groups,
        fits.Column("F_CHAN", "PI()", array=objects(starts)),
        fits.Column("N_CHAN", "PI()", array=objects(lengths)),
        fits.Column("MATRIX", "PE()", array=objects(values)),
    ]


def table(name, columns, header):
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    hdu.header.update(header)
    return hdu


def spectrum(name, counts, livetime, columns, header, counts_name="COUNTS"):
    held = [
        fits.Column("CHANNEL", "I", array=np.arange(CHANNELS) + 1),
        fits.Column(counts_name, "E" if counts_name == "RATE" else "J", array=counts),
        *(fits.Column(key, "I" if key in ("GROUPING", "QUALITY") else "E", array=v) for key, v in columns.items()),
    ]
    said = {
        "HDUCLASS": "OGIP", "HDUCLAS1": "SPECTRUM", "HDUCLAS2": "TOTAL", "HDUCLAS3": "COUNT", "HDUVERS": "1.1.0",
        "TELESCOP": "NONE", "INSTRUME": "NONE", "FILTER": "NONE", "CHANTYPE": "PI", "POISSERR": True,
        "DETCHANS": CHANNELS, "EXPOSURE": livetime, "BACKSCAL": 1.0, "AREASCAL": 1.0, "CORRSCAL": 1.0,
        "CORRFILE": "none",
        "RESPFILE": "none", "ANCRFILE": "none", "BACKFILE": "none", "GROUPING": 0, "QUALITY": 0,
    }  # fmt: skip
    for key in columns:
        said.pop(key, None)
    return table(name, held, said | header)


def write(
    folder,
    *,
    columns=None,
    header=None,
    off_columns=None,
    off_header=None,
    counts=COUNTS,
    counts_name="COUNTS",
    name="SPECTRUM",
    layout="ragged",
    first=1,
    tlmin=True,
    unit="keV",
    area=True,
    matrix_header=None,
    matrix_name="MATRIX",
):
    """Write src.fits with bkg.fits, arf.fits and rmf.fits (or rsp.fits, with the area in it) and return its path."""
    factor = {"keV": 1.0, None: 1.0, "MeV": 1e-3, "TeV": 1e-9}[unit]
    true = [
        fits.Column(n, "E", unit=unit, array=v * factor)
        for n, v in (("ENERG_LO", E_TRUE[:-1]), ("ENERG_HI", E_TRUE[1:]))
    ]
    matrix = kernel() if area else kernel() * AREA[:, None]
    held = [*true, *matrix_columns(layout, first, matrix)]
    response = {
        "HDUCLASS": "OGIP",
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": "RSP_MATRIX",
        "DETCHANS": CHANNELS,
        "CHANTYPE": "PI",
    }
    limits = {"TLMIN4": first, "TLMAX4": first + CHANNELS - 1} if tlmin else {}
    bounds = [
        fits.Column("CHANNEL", "I", array=np.arange(CHANNELS) + 1),
        fits.Column("E_MIN", "E", unit=unit, array=E_RECO[:-1] * factor),
        fits.Column("E_MAX", "E", unit=unit, array=E_RECO[1:] * factor),
    ]
    files = {
        "rmf" if area else "rsp": [
            table(matrix_name, held, response | limits | (matrix_header or {})),
            table("EBOUNDS", bounds, response | {"HDUCLAS2": "EBOUNDS"}),
        ],
        "bkg": [spectrum(name, COUNTS_OFF, LIVETIME_OFF, off_columns or {}, {"HDUCLAS2": "BKG"} | (off_header or {}))],
    }
    names = {"RESPFILE": "rmf.fits" if area else "rsp.fits", "BACKFILE": "bkg.fits"}
    if area:
        values = fits.Column("SPECRESP", "E", array=AREA)
        files["arf"] = [table("SPECRESP", [*true, values], response | {"HDUCLAS2": "SPECRESP"})]
        names["ANCRFILE"] = "arf.fits"
    files["src"] = [spectrum(name, counts, LIVETIME, columns or {}, names | (header or {}), counts_name)]
    for part, hdus in files.items():
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(folder / f"{part}.fits", overwrite=True)
    return folder / "src.fits"
