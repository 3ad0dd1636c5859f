"""Models of sources: spectra, their parameters, and the YAML document that is the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgamma.lazily import exported
from xgamma.registry import provide

if TYPE_CHECKING:
    from xgamma.models.models import FoVBackgroundModel, ModelComponent, Models, SkyModel, TemplateNPredModel
    from xgamma.models.parameters import Covariance, Parameter, Parameters
    from xgamma.models.priors import (
        GaussianPrior,
        GeneralizedGaussianPrior,
        LogNormalPrior,
        LogUniformPrior,
        Prior,
        UniformPrior,
    )
    from xgamma.models.spatial.disks import DiskSpatialModel, Shell2SpatialModel, ShellSpatialModel
    from xgamma.models.spatial.gaussians import GaussianSpatialModel, GeneralizedGaussianSpatialModel
    from xgamma.models.spatial.model import SpatialModel
    from xgamma.models.spatial.norms import PiecewiseNormSpatialModel
    from xgamma.models.spatial.points import ConstantSpatialModel, PointSpatialModel
    from xgamma.models.spatial.templates import TemplateNDSpatialModel, TemplateSpatialModel
    from xgamma.models.spectral.absorption import EBLAbsorptionNormSpectralModel, intrinsic
    from xgamma.models.spectral.crab import MeyerCrabSpectralModel, create_crab_spectral_model
    from xgamma.models.spectral.cutoffs import (
        ExpCutoffPowerLaw3FGLSpectralModel,
        ExpCutoffPowerLawNormSpectralModel,
        ExpCutoffPowerLawSpectralModel,
        LogParabola2SpectralModel,
        LogParabolaNormSpectralModel,
        LogParabolaSpectralModel,
        SuperExpCutoffPowerLaw3FGLSpectralModel,
        SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
        SuperExpCutoffPowerLaw4FGLSpectralModel,
    )
    from xgamma.models.spectral.model import (
        CompoundSpectralModel,
        ConstantSpectralModel,
        ScaleSpectralModel,
        SpectralModel,
    )
    from xgamma.models.spectral.powerlaws import (
        BrokenPowerLawSpectralModel,
        GaussianSpectralModel,
        PowerLaw2SpectralModel,
        PowerLawNormSpectralModel,
        PowerLawSpectralModel,
        SmoothBrokenPowerLawSpectralModel,
    )
    from xgamma.models.spectral.templates import (
        NaimaSpectralModel,
        PiecewiseNormSpectralModel,
        TemplateNDSpectralModel,
        TemplateSpectralModel,
    )
    from xgamma.models.spectral.wrapped import wrapped
    from xgamma.models.temporal.model import (
        ConstantTemporalModel,
        ExpDecayTemporalModel,
        GaussianTemporalModel,
        GeneralizedGaussianTemporalModel,
        LinearTemporalModel,
        PowerLawTemporalModel,
        SineTemporalModel,
        TemporalModel,
    )
    from xgamma.models.temporal.templates import LightCurveTemplateTemporalModel, TemplatePhaseCurveTemporalModel
else:
    __getattr__, __dir__ = exported(__name__)

provide("prior model", f"{__name__}.priors")

__all__ = [
    "BrokenPowerLawSpectralModel",
    "CompoundSpectralModel",
    "ConstantSpatialModel",
    "ConstantSpectralModel",
    "ConstantTemporalModel",
    "Covariance",
    "DiskSpatialModel",
    "EBLAbsorptionNormSpectralModel",
    "ExpCutoffPowerLaw3FGLSpectralModel",
    "ExpCutoffPowerLawNormSpectralModel",
    "ExpCutoffPowerLawSpectralModel",
    "ExpDecayTemporalModel",
    "FoVBackgroundModel",
    "GaussianPrior",
    "GaussianSpatialModel",
    "GaussianSpectralModel",
    "GaussianTemporalModel",
    "GeneralizedGaussianPrior",
    "GeneralizedGaussianSpatialModel",
    "GeneralizedGaussianTemporalModel",
    "LightCurveTemplateTemporalModel",
    "LinearTemporalModel",
    "LogNormalPrior",
    "LogParabola2SpectralModel",
    "LogParabolaNormSpectralModel",
    "LogParabolaSpectralModel",
    "LogUniformPrior",
    "MeyerCrabSpectralModel",
    "ModelComponent",
    "Models",
    "NaimaSpectralModel",
    "Parameter",
    "Parameters",
    "PiecewiseNormSpatialModel",
    "PiecewiseNormSpectralModel",
    "PointSpatialModel",
    "PowerLaw2SpectralModel",
    "PowerLawNormSpectralModel",
    "PowerLawSpectralModel",
    "PowerLawTemporalModel",
    "Prior",
    "ScaleSpectralModel",
    "Shell2SpatialModel",
    "ShellSpatialModel",
    "SineTemporalModel",
    "SkyModel",
    "SmoothBrokenPowerLawSpectralModel",
    "SpatialModel",
    "SpectralModel",
    "SuperExpCutoffPowerLaw3FGLSpectralModel",
    "SuperExpCutoffPowerLaw4FGLDR3SpectralModel",
    "SuperExpCutoffPowerLaw4FGLSpectralModel",
    "TemplateNDSpatialModel",
    "TemplateNDSpectralModel",
    "TemplateNPredModel",
    "TemplatePhaseCurveTemporalModel",
    "TemplateSpatialModel",
    "TemplateSpectralModel",
    "TemporalModel",
    "UniformPrior",
    "create_crab_spectral_model",
    "intrinsic",
    "wrapped",
]
