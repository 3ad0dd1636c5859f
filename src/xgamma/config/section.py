"""``Section``: one mapping of the configuration, whose errors start with the path of the key."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    model_serializer,
    model_validator,
)

from xgamma.config.fields import KEY, shown
from xgamma.config.words import section_parts
from xgamma.description import Description
from xgamma.errors import ConfigError, did_you_mean
from xgamma.formats.yaml_documents import mixed_yaml


def key(default: Any, description: str) -> Any:
    """Return a field with a default that is read anew for each section."""
    return Field(default, description=description)


def subsection(section: type[Section], description: str | None = None) -> Any:
    """Return a field that is a section, by default one of defaults; without a description its docstring is that.

    The default is a mapping that is read as one of a file is, by the outermost section: this one is then built as a
    class of its own only where it is used by itself.
    """
    return Field(default_factory=dict, description=description)


# In the location of a problem these stand between a key and what is below it, and are not shown.
ONE, SEVERAL = "<one>", "<several>"
One = TypeVar("One", bound="Section")
OneOrSeveral = Annotated[
    Annotated[One, Tag(ONE)] | Annotated[list[One], Tag(SEVERAL), Field(min_length=1)],
    Discriminator(lambda given: SEVERAL if isinstance(given, list | tuple) else ONE),
]
"""A section, or a list of them."""


class Section(BaseModel):
    """A mapping with known keys, validated on creation and on every assignment."""

    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        validate_assignment=True,
        validate_default=True,
        revalidate_instances="always",
        arbitrary_types_allowed=True,
    )

    where: ClassVar[str] = ""
    """Path of the section in the configuration."""

    silent: ClassVar[frozenset[str]] = frozenset()
    """Keys that Gammapy does not know: written only if they are set."""

    @model_validator(mode="before")
    @classmethod
    def _of_another_section(cls, given: Any) -> Any:
        """Take the values of another section, such as ``axes.energy_true = axes.energy``."""
        if not isinstance(given, Section) or isinstance(given, cls):
            return given
        held = {name: getattr(given, name) for name in type(given).model_fields}
        names = {name for name, value in held.items() if value is not None or name not in given.silent}
        return {name: held[name] for name in names} if names <= set(cls.model_fields) else given

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise config_error(type(self), error) from None

    # Nested sections are then read by pydantic itself, so that the outermost one reports all problems at once.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self).model_fields:
            raise ConfigError(unknown_key(type(self), (name,)))
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise config_error(type(self), error) from None

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Section) and self.document() == other.document()

    @model_serializer(mode="wrap")
    def _without_silent_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        return {key: value for key, value in document.items() if value is not None or key not in self.silent}

    def __str__(self) -> str:
        return f"{type(self).__name__}\n\n{textwrap.indent(mixed_yaml(self.document()), '    ')}"

    def __repr__(self) -> str:
        keys = self.document()
        return f"<{type(self).__name__}: {', '.join(keys)}>"

    def _repr_html_(self) -> str:
        return Description(type(self).__name__, section_parts(self.document(), self._defaults())).html

    def _defaults(self) -> dict[str, Any]:
        """Return the values of the keys that nobody set; those that have to be set have none."""
        below, fields = dict(subsections(type(self))), type(self).model_fields.items()
        values: dict[str, Any] = {
            name: below[name]() if field.default_factory else field.default for name, field in fields
        }
        return type(self).model_construct(**values).document()

    def is_requested(self, config: Any) -> bool:
        """Whether a configuration with this section requests its step where ``steps`` is null."""
        return True

    def document(self) -> dict[str, Any]:
        """Return the section as written in YAML: quantities, times and paths as text."""
        return self.model_dump(warnings=False)


def subsections(section: type[Section]) -> Iterator[tuple[str, type[Section]]]:
    """Yield the name and class of each key that is itself a section, also of those that may be left out."""
    for name, field in section.model_fields.items():
        # Of a section or a list of them, the former stands first.
        annotation = next(iter(get_args(field.annotation)), field.annotation)
        annotation = next(iter(get_args(annotation)), annotation)
        if isinstance(annotation, type) and issubclass(annotation, Section):
            yield name, annotation


def key_paths(section: type[Section]) -> Iterator[str]:
    """Yield the paths of all keys under a section, without the sections in it that may be left out."""
    below = dict(subsections(section))
    for name, field in section.model_fields.items():
        if name in below and field.default is None:
            continue
        yield _path(section, (name,))
        if name in below:
            yield from key_paths(below[name])


def _path(section: type[Section], location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location if part not in (ONE, SEVERAL)]
    return f"{section.where}{''.join(parts)}".lstrip(".")


def config_error(section: type[Section], error: ValidationError) -> ConfigError:
    """Return one error with one line for each problem that pydantic found."""
    return ConfigError("\n".join(_message(section, detail) for detail in error.errors(include_url=False)))


def _message(section: type[Section], detail: Any) -> str:
    location, path = detail["loc"], _path(section, detail["loc"])
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"]).replace(KEY, path)
        case "extra_forbidden":
            return unknown_key(section, location)
        case "too_short":
            return f"{path}: expected a mapping of keys or a list of them, got an empty list."
        case "model_type" | "dict_type" | "model_attributes_type":
            way_out = "; leave the key out to keep its defaults" if detail["input"] is None else ""
            return f"{path}: expected a mapping of keys, got {shown(detail['input'])}{way_out}."
        case _:
            return f"{path}: {detail['msg']}, got {shown(detail['input'])}."


def unknown_key(section: type[Section], location: tuple[int | str, ...]) -> str:
    """Return the message for a key that its section does not have."""
    owner = section
    for part in location[:-1]:
        owner = dict(subsections(owner)).get(str(part), owner)
    name = str(location[-1])
    elsewhere = [path for path in key_paths(section) if path.endswith(f".{name}")]
    hint = did_you_mean(name, owner.model_fields)
    if len(elsewhere) == 1 and "Did you mean" not in hint:
        hint = f" Write it as {elsewhere[0]}."
    return f"{_path(section, location)}: there is no such key.{hint}"
