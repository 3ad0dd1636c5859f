"""All models at the import path that users of Gammapy know."""

from __future__ import annotations

from xgamma.errors import OF_MAPS, later_names
from xgamma.models import *  # noqa: F403
from xgamma.models import Models
from xgamma.models import __all__ as _models
from xgamma.models.spectral.absorption import CATALOG, PUBLISHED

DatasetModels = Models
EBL_DATA_BUILTIN = {name: f"{CATALOG}/{filename}" for name, (filename, _) in PUBLISHED.items()}

__all__ = [*_models, "EBL_DATA_BUILTIN", "DatasetModels"]

_REGISTRY = "xgamma.registry.names('spectral model') lists the models, also 'spatial model' and 'temporal model'"
_BASE = "SpectralModel, SpatialModel, TemporalModel and ModelComponent are the bases of models"

__getattr__ = later_names(
    __name__,
    {
        **dict.fromkeys(
            ("MODEL_REGISTRY", "SPATIAL_MODEL_REGISTRY", "SPECTRAL_MODEL_REGISTRY", "TEMPORAL_MODEL_REGISTRY"),
            _REGISTRY,
        ),
        "Model": f"{_BASE}; SkyModel.create makes one of tags",
        "ModelBase": _BASE,
        "ConstantFluxSpatialModel": OF_MAPS,
        "create_fermi_isotropic_diffuse_model": OF_MAPS,
        "read_hermes_cube": OF_MAPS,
        "create_cosmic_ray_spectral_model": "write it as a PowerLawSpectralModel or a TemplateSpectralModel",
        "integrate_spectrum": "spectra integrate themselves: model.integral(energy_min, energy_max)",
        "scale_plot_flux": "pictures are scaled by energy_power: model.plot(bounds, energy_power=2)",
    },
)
