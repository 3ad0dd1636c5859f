"""``KeptComponent``: a spatial or temporal part that is kept with the document and written back without loss."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, Self

from xgamma.errors import LaterError
from xgamma.models.component import Component, parameter_entries
from xgamma.models.parameters import Parameter


class KeptComponent(Component):
    """Parameters and whatever else stands in the document (frame, file name, ...), in the order it was read.

    ``rest`` holds what is not a parameter. Evaluating raises ``LaterError``.
    """

    takes_any_parameter: ClassVar[bool] = False
    """Whether the parameters are those of the document, as for templates with axes of their own."""

    def __init__(self, **values: Any) -> None:
        self.rest: dict[str, Any] = {}
        self._keys: list[str] = ["parameters"]
        super().__init__(**values)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Keep parameters and everything else."""
        model = cls()
        if cls.takes_any_parameter:
            for name in parameter_entries(document, cls.tag[0]):
                if name not in model._order:
                    model._add_parameter(Parameter(name, 0.0))
        model.read_parameters(document, shared, quiet=cls.takes_any_parameter)
        model.rest = {key: copy.deepcopy(value) for key, value in document.items() if key not in ("type", "parameters")}
        model._keys = [key for key in document if key != "type"]
        return model

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return the document as it was read, with the parameters of now."""
        own = super().document(full_output, labels)
        everything = own | copy.deepcopy(self.rest)
        keys = [*self._keys, *(key for key in everything if key not in self._keys)]
        return {"type": own["type"]} | {key: everything[key] for key in keys if key != "type"}

    def evaluate(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise ``LaterError``."""
        raise LaterError(
            f"{self.tag[0]} is kept in the model document; evaluating a {self.type} model comes with a later version. "
            "Use a SkyModel with only a spectral model."
        )

    __call__ = evaluate
