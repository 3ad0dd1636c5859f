"""The import path of Gammapy's ``visualization``."""

from __future__ import annotations

from xgamma.datasets.excess_map import plot_distribution
from xgamma.errors import OF_MAPS, later_names
from xgamma.plot.excess import plot_theta_squared_table

__all__ = ["plot_distribution", "plot_theta_squared_table"]


__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(("colormap_hess", "colormap_milagro", "plot_map_rgb"), OF_MAPS),
        "add_colorbar": "pictures of xgamma have their colour bars",
        "plot_contour_line": "draw the points of Fit.stat_contour with matplotlib",
        "plot_npred_signal": "dataset.plot_excess draws the predicted signal",
        "plot_spectrum_datasets_off_regions": "off regions are in dataset.data: off_lon, off_lat, off_radius",
    },
)
