"""Small catalogues in the columns of the published ones, with invented sources."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

DNDE = "1 / (cm2 s TeV)"
NAN = float("nan")


def write_hwc(path: Path, rows: list[dict], names: dict[str, str]) -> Path:
    """Write rows as an ECSV table; ``names`` are the columns and their units."""
    table = Table()
    for name, unit in names.items():
        values = [row.get(name, NAN) for row in rows]
        table[name] = np.array(values)
        if unit:
            table[name].unit = unit
    table.write(path, format="ascii.ecsv")
    return path


_HWC = {"source_name": "", **dict.fromkeys(("ra", "dec", "glon", "glat", "pos_err", "search_radius"), "deg"), "ts": ""}
_2HWC = _HWC | {
    f"spec{number}_{name}": unit
    for number in (0, 1)
    for name, unit in (("dnde", DNDE), ("dnde_err", DNDE), ("index", ""), ("index_err", ""), ("radius", "deg"))
}
_3HWC = _HWC | {
    f"spec0_{name}{part}": unit
    for name, unit in (("dnde", DNDE), ("index", ""))
    for part in ("", "_errn", "_errp", "_sys_errn", "_sys_errp")
} | {"spec0_radius": "deg"}  # fmt: skip


def write_3hwc(path: Path) -> Path:
    """Write a point, a disk and a source without any number."""
    place = {"ra": 95.317, "dec": 38.206, "glon": 175.444, "glat": 10.966, "pos_err": 0.3, "search_radius": 0.5}
    point = {"ra": 83.6, "dec": 22.0, "glon": 184.5, "glat": -5.8, "pos_err": 0.06, "search_radius": 0.0}
    spectrum = {
        "spec0_dnde": 9e-15, "spec0_dnde_errn": -1.5e-15, "spec0_dnde_errp": 1.4e-15,
        "spec0_index": -2.41, "spec0_index_errn": -0.13, "spec0_index_errp": 0.12,
    }  # fmt: skip
    rows = [
        {"source_name": "3HWC J0534+220", **point, "ts": 35000.0, **spectrum, "spec0_radius": 0.0},
        {"source_name": "3HWC J0621+382", **place, "ts": 28.0, **spectrum, "spec0_radius": 0.5},
        {"source_name": "3HWC J0659+147", **place, "ts": 28.8},
    ]
    return write_hwc(path, rows, _3HWC)


def write_2hwc(path: Path) -> Path:
    """Write a source that was measured as a point, and one that was measured as a disk of 2 deg too."""
    place = {"ra": 98.0, "dec": 17.0, "glon": 195.6, "glat": 3.5, "pos_err": 0.1, "search_radius": 0.0, "ts": 29.6}
    point = {
        "spec0_dnde": 6.7e-15, "spec0_dnde_err": 1.5e-15, "spec0_index": -2.57, "spec0_index_err": 0.15,
        "spec0_radius": 0.0,
    }  # fmt: skip
    disk = {
        "spec1_dnde": 4.9e-14, "spec1_dnde_err": 6.9e-15, "spec1_index": -2.23, "spec1_index_err": 0.08,
        "spec1_radius": 2.0,
    }  # fmt: skip
    rows = [
        {"source_name": "2HWC J0534+220", **place, **point},
        {"source_name": "2HWC J0631+169", **place, **point, **disk},
    ]
    return write_hwc(path, rows, _2HWC)


# --- Fermi-LAT

DENSITY, FLUX, NU_F_NU = "photon/cm**2/MeV/s", "photon/cm**2/s", "erg/cm**2/s"
MINUS_INF = float("-inf")
_ASSOCIATIONS_4FGL = ("FGL", "FHL", "GAM1", "GAM2", "GAM3", "TEV")


def table_hdu(name: str, rows: list[dict], units: dict[str, str] | None = None, **cards) -> fits.BinTableHDU:
    """Return rows as a binary table: texts, whole numbers, and numbers in single precision as the catalogues have."""
    columns = []
    for column in dict.fromkeys(name for row in rows for name in row):
        first = rows[0][column] if column in rows[0] else next(row[column] for row in rows if column in row)
        empty = "" if isinstance(first, str) else np.full_like(np.asarray(first, dtype=float), np.nan)
        values = np.array([row.get(column, empty) for row in rows])
        size = int(np.prod(values.shape[1:], dtype=int))
        letter = f"{max(1, values.dtype.itemsize // 4)}A" if values.dtype.kind == "U" else f"{size}E"
        if column.upper().endswith("START"):
            letter = "D"
        if values.dtype.kind in "iub":
            letter = f"{size}{'B' if values.dtype == np.uint8 else 'J'}"
        dim = {"dim": str(tuple(reversed(values.shape[1:]))).replace(" ", "")} if values.ndim > 2 else {}
        columns.append(fits.Column(column, letter, unit=(units or {}).get(column), array=values, **dim))
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    hdu.header.update(cards)
    return hdu


def write_hdus(path: Path, *hdus) -> Path:
    """Write tables as a FITS file."""
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path


def fermi_place(name: str, ra: float, dec: float, **others) -> dict:
    """Return name, position and an ellipse of confidence along the meridian."""
    ellipse = {"Conf_95_SemiMajor": 0.05, "Conf_95_SemiMinor": 0.04, "Conf_95_PosAng": 0.0}
    return {"Source_Name": name, "RAJ2000": ra, "DEJ2000": dec, "GLON": 0.0, "GLAT": 0.0, **ellipse, **others}


PLACE_UNITS = dict.fromkeys(("RAJ2000", "DEJ2000", "GLON", "GLAT", "Conf_95_SemiMajor", "Conf_95_SemiMinor",
                             "Conf_95_PosAng", "Pos_err_68"), "deg")  # fmt: skip


def extended_hdu(name: str) -> fits.BinTableHDU:
    """Return a disk, a Gaussian of which 68 % lie within 3 deg, an elongated disk, and one that is a map."""
    rows = [
        ("FGES J1409.1-6121", "Disk", "RadialDisk", 0.7331, 0.7331, 0.0, ""),
        ("Cygnus Cocoon", "2D Gaussian", "RadialGauss", 3.0, 3.0, 0.0, ""),
        ("W 51C", "Disk", "RadialDisk", 0.375, 0.26, 30.0, ""),
        ("Cygnus Loop", "Ring", "SpatialMap", 1.65, 1.65, 0.0, "CygnusLoop.fits"),
        ("2FHL J1409.1-6121e", "Disk", "RadialDisk", 0.7331, 0.7331, 0.0, ""),
    ]
    names = ("Source_Name", "Model_Form", "Spatial_Function", "Model_SemiMajor", "Model_SemiMinor", "Model_PosAng",
             "Spatial_Filename")  # fmt: skip
    units = dict.fromkeys(names[3:6], "deg")
    return table_hdu(name, [dict(zip(names, row, strict=True)) for row in rows], units)


# Of eight bands, as of a real source: where a fit found nothing there is no error downwards.
_FLUX_BAND = [2.1e-8, 1.2e-12, 3.9e-10, 1.3e-10, 3.5e-11, 5.4e-12, 3.6e-16, 5.2e-17]
_DOWN = [-1.7e-8, NAN, -1.4e-10, -2.7e-11, -9.2e-12, -2.6e-12, NAN, NAN]
_UP = [1.5e-8, 1.7e-9, 1.5e-10, 2.8e-11, 1.0e-11, 3.7e-12, 2.2e-12, 2.1e-12]
_NU_BAND = [3.3e-12, 2.9e-16, 2.6e-13, 3.1e-13, 2.3e-13, 1.3e-13, 2.4e-17, 8.3e-18]
_TS_BAND = [1.2, 0.0, 2.8, 6.1, 5.6, 3.5, 0.0, 0.0]
EDGES_4FGL = [50.0, 100, 300, 1000, 3000, 10000, 30000, 100000, 1000000]


def fermi_4fgl_rows(dr3: bool) -> list[dict]:
    """Return six sources of 4FGL: one of each spectrum as a point, and four of each morphology."""
    s = "S" if dr3 else ""
    cutoff = {f"PLEC_Index{s}": 2.27, f"Unc_PLEC_Index{s}": 0.008, "PLEC_Exp_Index": 0.52, "Unc_PLEC_Exp_Index": NAN}
    cutoff |= {f"PLEC_Expfactor{s}": 0.2337 if dr3 else 0.0035, f"Unc_PLEC_Expfactor{s}": 0.0188 if dr3 else 0.0002}
    common = {
        "Pivot_Energy": 1343.0, "PL_Flux_Density": 1.1e-12, "Unc_PL_Flux_Density": 4e-14, "PL_Index": 2.2,
        "Unc_PL_Index": 0.03, "LP_Flux_Density": 1.3e-12, "Unc_LP_Flux_Density": 5e-14, "LP_Index": 2.1,
        "Unc_LP_Index": 0.031, "LP_beta": 0.07, "Unc_LP_beta": 0.014, "PLEC_Flux_Density": 1.1e-10,
        "Unc_PLEC_Flux_Density": 7e-13, **cutoff, "Signif_Avg": 25.0, "Flux_Band": _FLUX_BAND,
        "Unc_Flux_Band": np.transpose([_DOWN, _UP]), "nuFnu_Band": _NU_BAND, "Sqrt_TS_Band": _TS_BAND,
    }  # fmt: skip
    common |= {f"ASSOC_{name}": "" for name in _ASSOCIATIONS_4FGL} | {"ASSOC2": ""}
    common |= {"Flux_History": [2.5e-9, 2.8e-9, 6e-12], "Sqrt_TS_History": [1.7, 3.6, 0.0],
               "Unc_Flux_History": [[-1.6e-9, 1.8e-9], [-1.2e-9, 1.4e-9], [NAN, 1.9e-9]]}  # fmt: skip
    point = {"Extended_Source_Name": ""}
    return [
        fermi_place("4FGL J0534.5+2200", 83.637, 22.015, SpectrumType="PLSuperExpCutoff", ASSOC1="PSR J0534+2200",
                    **point, **common) | {"ASSOC_TEV": "Crab pulsar", "ASSOC2": "Crab"},
        fermi_place("4FGL J0534.5+2201i", 83.633, 22.02, SpectrumType="LogParabola", ASSOC1="Crab", **point, **common),
        fermi_place("4FGL J0000.3-7355", 0.0983, -73.922, SpectrumType="PowerLaw", ASSOC1="", **point, **common),
        *(fermi_place(name, ra, dec, SpectrumType="PowerLaw", ASSOC1="", Extended_Source_Name=extended, **common)
          for name, ra, dec, extended in (
              ("4FGL J1409.1-6121e", 212.294, -61.353, "FGES J1409.1-6121"),
              ("4FGL J2028.6+4110e", 307.17, 41.17, "Cygnus Cocoon"),
              ("4FGL J1923.2+1408e", 290.818, 14.145, "W 51C"),
              ("4FGL J2051.0+3049e", 312.75, 30.67, "Cygnus Loop"))),
    ]  # fmt: skip


UNITS_4FGL = PLACE_UNITS | {"Pivot_Energy": "MeV", "nuFnu_Band": NU_F_NU} | {
    f"{part}Flux_{of}": FLUX for part in ("", "Unc_") for of in ("Band", "History")} | {
    f"{part}{kind}_Flux_Density": DENSITY for part in ("", "Unc_") for kind in ("PL", "LP", "PLEC")
}  # fmt: skip


def write_4fgl(path: Path, dr3: bool = True, maps: bool = True) -> Path:
    """Write 4FGL, as of DR3 and later or before, with the source that is a map or without; three years."""
    rows = fermi_4fgl_rows(dr3)[: None if maps else -1]
    main = table_hdu("LAT_Point_Source_Catalog", rows, UNITS_4FGL, VERSION="v32" if dr3 else "v27")
    bands = [{"LowerEnergy": low, "UpperEnergy": high} for low, high in itertools.pairwise(EDGES_4FGL)]
    bounds = table_hdu("EnergyBounds", bands, dict.fromkeys(("LowerEnergy", "UpperEnergy"), "MeV"))
    starts = [{"Hist_Start": 239557417.0 + 3.15e7 * year} for year in range(4)]
    times = table_hdu("Hist_Start", starts, {"Hist_Start": "s"})
    good = table_hdu("GTI", [{"START": 239557417.0}], {"START": "s"}, MJDREFI=51910, MJDREFF="7.428703703703703D-4",
                     TIMESYS="TT")  # fmt: skip
    return write_hdus(path, main, extended_hdu("ExtendedSources"), bounds, times, good)


def write_3fgl(path: Path) -> Path:
    """Write one source of each spectrum of 3FGL; -inf is missing, as in its file."""
    common = {
        "Pivot_Energy": 1500.0, "Flux_Density": 2e-12, "Unc_Flux_Density": 1e-13, "Spectral_Index": 1.9,
        "Unc_Spectral_Index": 0.05, "Cutoff": MINUS_INF, "Unc_Cutoff": MINUS_INF, "Exp_Index": MINUS_INF,
        "Unc_Exp_Index": MINUS_INF, "beta": MINUS_INF, "Unc_beta": MINUS_INF, "Extended_Source_Name": "",
    }  # fmt: skip
    for number, band in enumerate(("100_300", "300_1000", "1000_3000", "3000_10000", "10000_100000")):
        down = (-2e-9, -1e-10, -5e-11, -1e-11, MINUS_INF)[number]
        common |= {f"Flux{band}": (1e-8, 1e-9, 2e-10, 3e-11, 1e-17)[number], f"Unc_Flux{band}": [down, 2e-12]}
        common |= {f"nuFnu{band}": 1e-12 / (number + 1), f"Sqrt_TS{band}": 5.0 - number}
    common |= {"Flux_History": [3e-8, 1e-12], "Unc_Flux_History": [[-1e-8, 2e-8], [MINUS_INF, 3e-8]]}
    aliases = ("0FGL_Name", "1FGL_Name", "2FGL_Name", "1FHL_Name", "ASSOC_TEV", "ASSOC1", "ASSOC2")
    common |= dict.fromkeys(aliases, "")
    rows = [
        fermi_place("3FGL J0000.1+6545", 0.0377, 65.75, SpectrumType="PowerLaw", **common),
        fermi_place("3FGL J0001.4+2120", 0.3, 21.3, SpectrumType="LogParabola",
                    **common | {"beta": 0.1, "Unc_beta": 0.02}),
        fermi_place("3FGL J0023.4+0923", 5.8, 9.4, SpectrumType="PLExpCutoff",
                    **common | {"Cutoff": 1500.0, "Unc_Cutoff": 300.0}),
        fermi_place("3FGL J0835.3-4510", 128.8, -45.2, SpectrumType="PLSuperExpCutoff",
                    **common | {"Cutoff": 250.0, "Unc_Cutoff": 20.0, "Exp_Index": 0.5, "Unc_Exp_Index": 0.02}),
    ]  # fmt: skip
    units = PLACE_UNITS | {"Pivot_Energy": "MeV", "Cutoff": "MeV", "Unc_Cutoff": "MeV"}
    units |= dict.fromkeys(("Flux_Density", "Unc_Flux_Density"), DENSITY)
    units |= {name: FLUX for name in common if name.startswith(("Flux1", "Flux3", "Unc_Flux1", "Unc_Flux3"))}
    units |= {name: NU_F_NU for name in common if name.startswith("nuFnu")}
    main = table_hdu("LAT_Point_Source_Catalog", rows, units)
    starts = [{"Hist_Start": start} for start in (2.4e8, 2.426e8, 2.452e8)]
    start = table_hdu("Hist_Start", starts, {"Hist_Start": "s"}, MJDREFI=51910, MJDREFF=7.4e-4, TIMESYS="TT")
    return write_hdus(path, main, extended_hdu("ExtendedSources"), start)


def write_3fhl(path: Path) -> Path:
    """Write a point with each spectrum of 3FHL, a disk and a Gaussian."""
    common = {
        "Pivot_Energy": 30.2, "Flux_Density": 1.61e-12, "Unc_Flux_Density": 2.8e-13, "PowerLaw_Index": 2.006,
        "Unc_PowerLaw_Index": 0.17, "Spectral_Index": 1.8, "Unc_Spectral_Index": 0.1, "beta": 0.2, "Unc_beta": 0.05,
        "Flux_Band": [7.5e-11, 4.7e-11, 2.1e-11, 4.4e-12, 6.6e-17], "nuFnu": [2.4e-12, 2.5e-12, 2.4e-12, 1e-12, 7e-17],
        "Unc_Flux_Band": np.transpose([[-1.8e-11, -1.3e-11, -7.6e-12, -3.1e-12, NAN],
                                       [2.1e-11, 1.5e-11, 9.5e-12, 4.9e-12, 4.6e-12]]),
        "Sqrt_TS_Band": [5.4, 5.2, 4.0, 1.8, 0.0], "ASSOC1": "", "ASSOC2": "", "ASSOC_TEV": "", "ASSOC_GAM": "",
    }  # fmt: skip
    rows = [
        fermi_place("3FHL J0001.2-0748", 0.3, -7.8, SpectrumType="PowerLaw", Extended_Source_Name="", **common),
        fermi_place("3FHL J0534.5+2201", 83.6, 22.0, SpectrumType="LogParabola", Extended_Source_Name="", **common)
        | {"ASSOC1": "Crab Nebula"},
        fermi_place("3FHL J1409.1-6121e", 212.3, -61.35, SpectrumType="PowerLaw",
                    Extended_Source_Name="FGES J1409.1-6121", **common),
        fermi_place("3FHL J2026.7+4109e", 307.17, 41.17, SpectrumType="PowerLaw", Extended_Source_Name="Cygnus Cocoon",
                    **common),
    ]  # fmt: skip
    units = PLACE_UNITS | {"Pivot_Energy": "GeV", "Flux_Band": "photon/cm^2/s", "Unc_Flux_Band": "photon/cm^2/s"}
    units |= {"nuFnu": "erg/cm^2/s", "Flux_Density": "photon/cm^2/GeV/s", "Unc_Flux_Density": "photon/cm^2/GeV/s"}
    others = (table_hdu("ROIs", [{"ROI_num": 1}]), table_hdu("EnergyBounds", [{"LowerEnergy": 10.0}]))
    return write_hdus(
        path, table_hdu("LAT_Point_Source_Catalog", rows, units), extended_hdu("ExtendedSources"), *others
    )


def write_2fhl(path: Path) -> Path:
    """Write a point and a disk of 2FHL."""
    common = {"Flux50": 1.5e-11, "Unc_Flux50": 5e-12, "Spectral_Index": 2.6, "Unc_Spectral_Index": 0.4}
    for number, band in enumerate(("50_171GeV", "171_585GeV", "585_2000GeV")):
        common |= {f"Flux{band}": (1.2e-11, 2e-12, 1e-17)[number]}
        common |= {f"Unc_Flux{band}": [(-4e-12, -1e-12, NAN)[number], (5e-12, 2e-12, 1e-12)[number]]}
    common |= dict.fromkeys(("ASSOC", "3FGL_Name", "1FHL_Name", "TeVCat_Name"), "")
    names = (("2FHL J1445.1-0329", 221.3, -3.5), ("2FHL J1409.1-6121e", 212.3, -61.35))
    rows = [
        {"Source_Name": name, "RAJ2000": ra, "DEJ2000": dec, "Pos_err_68": 0.03, **common} for name, ra, dec in names
    ]
    units = PLACE_UNITS | {name: "ph/cm2/s" for name in common if "Flux" in name}
    main = table_hdu("2FHL Source Catalog", rows, units)
    return write_hdus(path, main, extended_hdu("Extended Sources"), table_hdu("ROIs", [{"ROI_num": 1}]))


# --- H.E.S.S. Galactic plane survey

_HGPS_POINTS = 5


def padded(*values: float) -> list[float]:
    """Return values of flux points, NaN behind them."""
    return [*values, *[NAN] * (_HGPS_POINTS - len(values))]


def hgps_source(name: str, form: str, size: float, spectrum: str, components: str = "", **others) -> dict:
    """Return one row of the survey; columns of a spectrum that it does not have are missing."""
    pl = {"Energy_Spec_PL_Pivot": 1.87, "Flux_Spec_PL_Diff_Pivot": 9.1e-13, "Flux_Spec_PL_Diff_Pivot_Err": 6e-14,
          "Flux_Spec_PL_Diff_1TeV": 3.5e-12, "Flux_Spec_PL_Diff_1TeV_Err": 2e-13, "Index_Spec_PL": 2.15,
          "Index_Spec_PL_Err": 0.05}  # fmt: skip
    ecpl = {"Energy_Spec_ECPL_Pivot": 1.7, "Flux_Spec_ECPL_Diff_Pivot": 6e-12, "Flux_Spec_ECPL_Diff_Pivot_Err": 1e-13,
            "Flux_Spec_ECPL_Diff_1TeV": 2.1e-11, "Flux_Spec_ECPL_Diff_1TeV_Err": 9e-13, "Index_Spec_ECPL": 2.06,
            "Index_Spec_ECPL_Err": 0.02, "Lambda_Spec_ECPL": 0.078, "Lambda_Spec_ECPL_Err": 0.007}  # fmt: skip
    if spectrum == "PL":
        ecpl = dict.fromkeys(ecpl, NAN)
    points = {
        "Flux_Points_Energy": padded(0.33, 0.79, 1.96), "Flux_Points_Energy_Min": padded(0.21, 0.51, 1.21),
        "Flux_Points_Energy_Max": padded(0.51, 1.21, 3.16), "Flux_Points_Flux": padded(3e-11, 5.4e-12, 1e-14),
        "Flux_Points_Flux_Err_Lo": padded(7e-12, 7e-13, 1e-14), "Flux_Points_Flux_Err_Hi": padded(7e-12, 7e-13, 2e-13),
        "Flux_Points_Flux_UL": padded(4.5e-11, 6.7e-12, 4e-13),
        "Flux_Points_Flux_Is_UL": np.array([0, 0, 1, 0, 0], dtype=np.uint8),
    }  # fmt: skip
    return {
        "Source_Name": name, "Identified_Object": "", "Source_Class": "Unid", "RAJ2000": 280.95, "DEJ2000": -3.55,
        "GLON": 28.9, "GLON_Err": 0.07, "GLAT": 0.075, "GLAT_Err": 0.04, "Spatial_Model": form,
        "Components": components, "Size": size, "Size_Err": 0.02, "Flux_Map": 2.88e-12,
        "Energy_Range_Spec_Min": 0.22, "Energy_Range_Spec_Max": NAN, "Spectral_Model": spectrum,
        **pl, **ecpl, **points, **others,
    }  # fmt: skip


HGPS_UNITS = dict.fromkeys(("RAJ2000", "DEJ2000", "GLON", "GLON_Err", "GLAT", "GLAT_Err", "Size", "Size_Err"), "deg")


def write_hgps(path: Path) -> Path:
    """Write two Gaussians, shells with and without a pivot, Gaussians of a size and without, and a point."""
    extern = {"Energy_Spec_ECPL_Pivot": NAN, "Flux_Spec_ECPL_Diff_Pivot": NAN, "Flux_Spec_ECPL_Diff_Pivot_Err": NAN}
    rows = [
        hgps_source("HESS J1843-033", "2-Gaussian", 0.239, "PL", "HGPSC 001, HGPSC 002"),
        hgps_source("HESS J1713-397", "Shell", 0.5, "ECPL", **extern) | {"Identified_Object": "RX J1713.7-3946"},
        hgps_source("HESS J1731-347", "Shell", 0.27, "ECPL"),
        hgps_source("HESS J0835-455", "Gaussian", 0.58, "ECPL"),
        hgps_source("HESS J1119-614", "Point-Like", NAN, "PL"),
        hgps_source("HESS J1018-589", "Gaussian", NAN, "PL", "HGPSC 003"),
        hgps_source("HESS J1808-204", "Gaussian", 0.0, "PL"),
    ]
    units = HGPS_UNITS | {name: "TeV" for name in rows[0] if "Energy" in name}
    units |= {name: "cm-2 s-1 TeV-1" for name in rows[0] if "Diff" in name or name.startswith("Flux_Points_Flux")}
    units |= {"Lambda_Spec_ECPL": "TeV-1", "Lambda_Spec_ECPL_Err": "TeV-1", "Flux_Map": "cm-2 s-1"}
    units.pop("Flux_Points_Flux_Is_UL")
    component = {"GLON_Err": 0.03, "GLAT_Err": 0.03, "Size_Err": 0.02, "Source_Name": ""}
    gaussians = [
        {"Component_ID": "HGPSC 001", "GLON": 29.05, "GLAT": 0.24, "Size": 0.125, "Flux_Map": 1.34e-12, **component},
        {"Component_ID": "HGPSC 002", "GLON": 28.77, "GLAT": -0.07, "Size": 0.229, "Flux_Map": 1.54e-12, **component},
        {"Component_ID": "HGPSC 003", "GLON": 284.2, "GLAT": -1.7, "Size": 0.06, "Flux_Map": 2.88e-12, **component},
    ]
    text = [{"Source_Name": "none", "Separation": 0.1}]
    near = [
        {"Source_Name": "HESS J1843-033", "Association_Catalog": catalog, "Association_Name": name, "Separation": 0.2}
        for catalog, name in (("3FGL", "3FGL J1843.7-0322"), ("SNR", "G28.6-0.1"))
    ]
    return write_hdus(
        path,
        table_hdu("HGPS_SOURCES", rows, units),
        table_hdu("HGPS_GAUSS_COMPONENTS", gaussians, HGPS_UNITS | {"Flux_Map": "cm-2 s-1"}),
        table_hdu("HGPS_ASSOCIATIONS", near),
        *(table_hdu(f"HGPS_{name}", text) for name in ("IDENTIFICATIONS", "LARGE_SCALE_COMPONENT")),
    )


# --- gamma-cat

GAMMA_CAT_UNITS = dict.fromkeys(
    ("ra", "dec", "glon", "glat", "pos_ra", "pos_dec", "pos_glon", "pos_glat", "pos_err", "morph_sigma",
     "morph_sigma_err", "morph_sigma2", "morph_sigma2_err", "morph_pa", "morph_pa_err"), "deg",
)  # fmt: skip
_E_REF = [0.72, 1.05, 3.35, NAN]


def gamma_cat_source(name: str, form: str, spectrum: str, **others) -> dict:
    """Return one row of gamma-cat, an object 0.5 deg from where its emission was measured."""
    place = {"ra": 128.287, "dec": -45.19, "glon": 263.332, "glat": -3.106, "pos_ra": 128.75, "pos_dec": -45.6,
             "pos_glon": 263.856, "pos_glat": -3.089, "pos_err": 0.02}  # fmt: skip
    morphology = {"morph_type": form, **dict.fromkeys(
        [f"morph_{each}{part}" for each in ("sigma", "sigma2", "pa") for part in ("", "_err")], NAN)}  # fmt: skip
    values = {
        "spec_pl_norm": 9.1e-14, "spec_pl_norm_err": 1.3e-14, "spec_pl_index": 2.2, "spec_pl_index_err": 0.2,
        "spec_pl_e_ref": 3.0, "spec_pl2_flux": 4.2e-12, "spec_pl2_flux_err": 1.5e-12, "spec_pl2_index": 2.27,
        "spec_pl2_index_err": 0.48, "spec_pl2_e_min": 0.2, "spec_pl2_e_max": NAN, "spec_ecpl_norm": 1.46e-11,
        "spec_ecpl_norm_err": 8e-13, "spec_ecpl_index": 1.32, "spec_ecpl_index_err": 0.06, "spec_ecpl_e_ref": 1.0,
        "spec_ecpl_e_cut": 14.0, "spec_ecpl_e_cut_err": 1.6,
    }  # fmt: skip
    sed = {"sed_e_ref": _E_REF, "sed_e_min": [NAN] * 4, "sed_e_max": [NAN] * 4, "sed_dnde": [1e-11, 9e-12, NAN, NAN],
           "sed_dnde_err": [NAN] * 4, "sed_dnde_errn": [3e-12, 1e-12, NAN, NAN],
           "sed_dnde_errp": [4e-12, 2e-12, NAN, NAN], "sed_dnde_ul": [NAN, NAN, 2e-12, NAN]}  # fmt: skip
    return {
        "source_id": 37, "common_name": name, "gamma_names": "", "other_names": "", **place, **morphology,
        "morph_pa_frame": "", "spec_type": spectrum, **values, **sed, "reference_id": "", **others,
    }  # fmt: skip


def gamma_cat_rows() -> list[dict]:
    """Return elongated Gaussians in both frames, a round one, a shell, a point, and a source without numbers."""
    long = {"morph_sigma": 0.48, "morph_sigma_err": 0.03, "morph_sigma2": 0.36, "morph_sigma2_err": 0.04,
            "morph_pa": 41.0, "morph_pa_err": 7.0, "morph_pa_frame": "radec"}  # fmt: skip
    across = long | {"morph_sigma": 0.2, "morph_sigma2": 0.5, "morph_pa": 30.0, "morph_pa_frame": "galactic"}
    nothing = dict.fromkeys(("pos_ra", "pos_dec", "pos_glon", "pos_glat", "pos_err"), NAN) | {"sed_e_ref": [NAN] * 4}
    return [
        gamma_cat_source("Vela X", "gauss", "ecpl", gamma_names="HESS J0835-455", **long),
        gamma_cat_source("Across", "gauss", "pl", other_names="One name,Another name", **across),
        gamma_cat_source("Round", "gauss", "pl2", morph_sigma=0.06, morph_sigma_err=0.04),
        gamma_cat_source("Shell", "shell", "pl", morph_sigma=0.27, morph_sigma_err=0.02),
        gamma_cat_source("Point", "point", "pl", **nothing),
        gamma_cat_source("Nothing", "none", "none", **nothing),
    ]


def write_gamma_cat(path: Path) -> Path:
    """Write gamma-cat as FITS."""
    rows = gamma_cat_rows()
    units = GAMMA_CAT_UNITS | {name: "cm-2 s-1 TeV-1" for name in rows[0] if "norm" in name or "dnde" in name}
    units |= {name: "TeV" for name in rows[0] if "_e_" in name} | {
        "spec_pl2_flux": "cm-2 s-1",
        "spec_pl2_flux_err": "cm-2 s-1",
    }
    return write_hdus(path, table_hdu("", rows, units))


def write_gamma_cat_yaml(path: Path) -> Path:
    """Write gamma-cat as YAML: ordered mappings, the same columns for all spectra, no units, no flux points."""
    common = {
        "pl": {"spec_norm": 9.1e-14, "spec_norm_err": 1.3e-14, "spec_index": 2.2, "spec_index_err": 0.2,
               "spec_ref": 3.0},
        "pl2": {"spec_norm": 4.2e-12, "spec_norm_err": 1.5e-12, "spec_index": 2.27, "spec_index_err": 0.48,
                "spec_ref": 0.2},
        "ecpl": {"spec_norm": 1.46e-11, "spec_norm_err": 8e-13, "spec_index": 1.32, "spec_index_err": 0.06,
                 "spec_ref": 1.0, "spec_ecut": 14.0, "spec_ecut_err": 1.6},
        "none": {},
    }  # fmt: skip
    lines = []
    for row in gamma_cat_rows():
        kept = {name: value for name, value in row.items() if not name.startswith(("spec_pl", "spec_ecpl", "sed_"))}
        kept |= {**dict.fromkeys(common["ecpl"], NAN), **common[row["spec_type"]], "sed_e_ref": 1.7}
        lines.append("- !!omap")
        for name, value in kept.items():
            text = ".nan" if value != value else f"'{value}'" if isinstance(value, str) else repr(value)
            lines.append(f"  - {name}: {text}")
    path.write_text("\n".join(lines) + "\n")
    return path
