"""``Fitted``: what stands among ``Datasets``, a row or flux points: a view with models and a name that these know."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from xgamma import predict
from xgamma.datasets import text
from xgamma.datasets.inputs import normalize_models
from xgamma.description import Described, Description, facts
from xgamma.models.models import Models


class Fitted(Described):
    """A view with models; ``print`` says first what it holds, then its models."""

    name: Any
    _models: Models

    @property
    def models(self) -> Models:
        """The models, shared with whoever set them; empty before they are set."""
        return self._models

    @models.setter
    def models(self, models: Any) -> None:
        self._models = normalize_models(models)

    @property
    def models_key(self) -> int:
        """The same for views that share their models, and for all without any."""
        return id(self._models) if len(self._models) else 0

    @property
    def _model_name(self) -> str:
        """The name by which ``datasets_names`` of models choose it."""
        return str(self.name)

    def _own_models(self) -> Models:
        return Models(predict.selected_models(self._models, [self._model_name]))

    @abstractmethod
    def _paragraphs(self) -> Sequence[text.Paragraph]:
        """Return what it holds, as lines with a name and a value."""

    def __str__(self) -> str:
        return Description(type(self).__name__, facts(*self._paragraphs())).text + text.model_text(self._own_models())
