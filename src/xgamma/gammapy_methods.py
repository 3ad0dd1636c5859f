"""Methods and attributes of Gammapy's classes that are not here, and what to do instead."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from xgamma.gammapy_names import each

_TABLES = "axis.edges and axis.center are quantities, which a Table takes as columns"
_RESPONSE = {
    "is_pointlike": "a run with point-like responses may have run.rad_max; xgamma check names them",
    "quantity": "response.data is a Dataset of xarray, each variable with its units",
    "required_axes": "response.axes.names",
    "slice_by_idx": "response.data.isel of xarray",
    "tag": "response.hdu_class",
    "to_table": "response.data.to_dataframe() of xarray",
}
_ROW = {
    "tag": "type(dataset).__name__",
    "to_dict": "dataset.write and Models.to_dict write what there is",
}
_POINTS = {
    "energy_axis": "energy_ref, energy_min and energy_max are quantities",
    "n_sigma": "points.data.attrs",
    "n_sigma_ul": "points.data.attrs",
    "recompute_ul": "estimate with another n_sigma_ul; stat_scan has the profiles",
    "reference_model": "ref_dnde, ref_flux, ref_eflux and ref_e2dnde are its values",
    "sed_type_init": "norms are what is kept, and to_table(sed_type) what is written",
    "copy": "type(points)(points.data.copy())",
    "slice_by_energy": "type(points)(points.data.isel(energy=slice(0, 2)))",
    "slice_by_idx": "type(points)(points.data.isel(energy=slice(0, 2)))",
}
OF_CLASSES: Mapping[str, Mapping[str, str]] = {
    "MapAxis": each("from_table from_table_hdu to_header to_table to_table_hdu", _TABLES)
    | {
        "assert_name": "compare axis.name",
        "is_aligned": "MapAxis.is_allclose compares all bins, Map.resample_axis says where edges are none of a map",
        "pad": "MapAxis.from_edges takes more edges",
        "pix_to_idx": "numpy.rint(pix) is the bin of a place in bins",
        "to_node_type": "MapAxis.from_nodes(axis.center) and MapAxis.from_edges(axis.edges) make the other kind",
        "use_center_as_plot_labels": "as_plot_labels says the edges of each bin",
        "wrap_coord": "numpy.mod wraps values",
    },
    "MapAxes": each("from_table from_table_hdu to_header to_table to_table_hdu", _TABLES)
    | each("bin_volume coord_to_idx coord_to_pix get_coord pix_to_coord pix_to_idx", "a geometry has it: map.geom")
    | {
        "assert_names": "compare axes.names",
        "center_coord": "each axis has its center",
        "from_default": "MapAxes(axes) takes axes",
        "is_unidimensional": "len(axes) is their number",
        "iter_with_reshape": "numpy's reshape gives axis.center another dim",
        "pad": "MapAxis.from_edges takes more edges",
        "resample": "axes.replace takes an axis",
        "reverse": "MapAxes(list(axes)[::-1]) has them in the other order",
    },
    "WcsGeom": {
        "binary_structure": "Map.binary_dilate and binary_erode take a radius",
        "center_coord": "center_skydir is the middle, axes have their center",
        "create_mask": "Map.from_geom(geom, dtype=bool) makes one, region_mask, energy_mask and boundary_mask fill it",
        "data_shape_image": "geom.to_image().data_shape",
        "footprint_rectangle_sky_region": "footprint has the corners",
        "from_aligned": "cutout and pad keep the pixels",
        "get_pix": "get_idx are the bins, coord_to_pix the places of coordinates",
        "is_aligned": "Map.stack says whether the pixels of two maps lie upon each other",
        "pix_to_idx": "numpy.rint(pix) is the bin of a place in bins",
        "pixel_area": "pixel_scales has both sides, solid_angle the areas",
        "region_weights": "Map.to_region_nd_map takes the shares of pixels in a region",
        "resample_axis": "replace_axis takes another axis, Map.resample_axis sums",
        "shape_axes": "axes.shape",
        "to_bands_hdu": "Map.write writes the axes of a map",
        "to_even_npix": "WcsGeom.create takes npix",
        "to_header": "geom.wcs.to_header()",
        "to_odd_npix": "cutout takes odd_npix=True",
    },
    "RegionGeom": {
        "bin_volume": "solid_angle() times the bin_width of the axes",
        "from_regions": "RegionGeom.create takes regions of the package regions, shapes and DS9 text",
        "npix": "a region has no pixels",
        "center_coord": "center_skydir is the middle, axes have their center",
        "contains_wcs_pix": "WcsGeom.region_mask says which pixels lie in a region",
        "get_wcs_coord_and_weights": "Map.to_region_nd_map takes the shares of pixels in a region",
        "is_all_point_sky_regions": "geom.region is the shape",
        "to_wcs_geom": "WcsGeom.create(skydir=geom.center_skydir, width=..., axes=geom.axes)",
        "union": "several shapes are given to a reduction as a list",
        "wcs": "a region has no pixels",
        "width": "geom.region.reach is half of it, in degrees",
    },
    "Map": {
        "cumsum": "numpy.cumsum of map.data * geom.axes[name].bin_width sums up an integral, that of map.data counts",
        "from_hdulist": "Map.read opens a file",
        "dot": "multiply maps with * and sum them, or use map.data and numpy",
        "integral": "multiply by geom.axes[name].bin_width and sum over the axis",
        "iter_by_axis": "split_by_axis gives a map for each bin",
        "iter_by_image_data": "iter_by_image gives maps, which have data",
        "iter_by_image_index": "numpy.ndindex(map.data.shape[:-2])",
        "normalize": "divide the map by what is to be 1",
        "rename_axes": "Map.from_geom(map.geom.rename_axes(old, new), map.data, map.unit)",
        "reorder_axes": "Map.from_geom(WcsGeom of the other order, numpy.transpose of map.data, map.unit)",
        "reproject_by_image": "reproject_to_geom does it image by image",
        "resample": "interp_to_geom(geom, preserve_counts=True) takes pixels of any geometry",
        "sample_coord": "MapDatasetEventSampler draws events of a dataset",
        "to_hdulist": "write makes a file, and astropy.io.fits opens it",
        "to_region_nd_map_histogram": "map.data[..., region_mask.data] are the values, numpy.histogram counts them",
    },
    "RegionNDMap": {
        "from_geom": "RegionNDMap(geom, data, unit)",
        "cumsum": "numpy.cumsum of map.data",
        "interp_by_coord": "map.array.interp of xarray",
        "interp_to_geom": "map.array.interp of xarray",
        "plot_region": "map.geom.plot_region() draws it",
        "resample_axis": "of a dataset, dataset.resample_energy_axis sums bins",
        "to_table": "map.array.to_dataframe() of xarray",
        "to_unit": "map.quantity.to(unit)",
        "write": "map.array.to_netcdf of xarray, or datasets.write of the dataset it is of",
    },
    "MapCoord": {
        "broadcasted": "apply_mask and flat broadcast, numpy.broadcast_arrays(*coords) does it alone",
        "match_by_name": "coords are found by their names",
        "phi": "lon is the longitude",
        "theta": "lat is the latitude",
    },
    "GTI": {
        "copy": "good time does not change; select_time and union return new ones",
        "read": "DataStore reads the good time of a run: run.gti",
        "write": "it is written with the dataset or the run that it is of",
    },
    "EventList": {
        "map_coord": "MapCoord.create({'skycoord': events.radec, 'energy': events.energy})",
        "observation_time_duration": "run.observation_time_duration",
    },
    "Observation": {
        "create": "MapDatasetEventSampler draws events of a dataset; xgamma.simulate makes releases",
        "get_pointing_altaz": "DataStore.obs_table has the zenith angle of each run",
        "observatory_earth_location": "the site of a run is in its file",
        "target_radec": "run.target is its name",
    },
    "DataStore": {
        "check": "xgamma check says what is wrong with the runs of a configuration",
        "copy_obs": "xgamma ingest puts runs into a store",
        "hdu_table": "run.available_irfs says what a run has",
    },
    "EffectiveArea": _RESPONSE,
    "BackgroundRate": _RESPONSE
    | {
        "fov_alignment": "FOVALIGN of its file is followed",
        "to_2d": "rate(offset, energy) is the mean over directions",
    },
    "EnergyDispersion": _RESPONSE
    | {"evaluate": "to_edisp_kernel(offset) has the shares of the bins of reconstructed energy"},
    "PointSpread": _RESPONSE | {"evaluate": "containment(rad, energy_true, offset), whose derivative is the density"},
    "EDispKernel": {"get_resolution": "numpy with kernel.pdf_matrix and kernel.axes[1].center"},
    "SpectrumDataset": _ROW,
    "MapDataset": _ROW,
    "FluxPoints": _POINTS,
    "LightCurve": _POINTS,
    "Datasets": {"is_all_same_shape": "rows of one group of datasets.data have one shape"},
    "Parameters": {
        "from_stack": "Parameters([*one, *other])",
    },
    "Covariance": {"get_subcovariance": "covariance.data[numpy.ix_(places, places)], places of covariance.parameters"},
}
"""What to do instead of a method or an attribute that a class has there and not here."""


def refused(cls: type, name: str, otherwise: str) -> AttributeError:
    """Return the error about a name that a class does not have: what to do instead, or ``otherwise``."""
    for owner in cls.__mro__:
        if name in OF_CLASSES.get(owner.__name__, {}):
            instead = OF_CLASSES[owner.__name__][name]
            return AttributeError(f"{cls.__name__}.{name} is not part of this version of xgamma: {instead}.")
    return AttributeError(otherwise)


class Telling(ABCMeta):
    """The class of classes that say what to do instead of a name: constructors are asked of the class itself."""

    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Any:
            """Raise ``AttributeError``, with what ``OF_CLASSES`` says of the name."""
            raise refused(cls, name, f"type object {cls.__name__!r} has no attribute {name!r}")


class SaysInstead(metaclass=Telling):
    """Whoever asks for a name of Gammapy that a class does not have here, is told what to do."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Raise ``AttributeError``, with what ``OF_CLASSES`` says of the name."""
            raise refused(type(self), name, f"{type(self).__name__!r} object has no attribute {name!r}")
