"""Raise errors of one family, each with its exit code.

Every message says where, what was found, what was expected and what to do.

StreetClipError            a fault of the machine or of this program    exit 1
├── ResourceError          exit 1
├── SelfCheckError         exit 1
├── GateError              exit 1
└── UserError              a mistake that the user can correct          exit 2
    └── ConfigError, ManifestError, UnknownPlaceError, TemplateError, CandidatesError,
        ImageError, ModelError, OutputError, StoreError
"""

_SHOWN_CHARACTERS = 80


class StreetClipError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what a job returns for it."""

    exit_code = 1


class ResourceError(StreetClipError):
    """Disk, memory or network failed; what was finished before is kept."""


class SelfCheckError(StreetClipError):
    """Two computations of one result differ; going on would report wrong numbers."""


class GateError(StreetClipError):
    """A figure of a run is outside the bound that was set for it."""


class UserError(StreetClipError):
    """A mistake that the user can correct; the message says how."""

    exit_code = 2


class ConfigError(UserError):
    """A flag or setting is out of its range."""


class ManifestError(UserError):
    """A manifest CSV cannot be used."""


class UnknownPlaceError(UserError):
    """A country or city is not in the gazetteer; the message names the nearest known ones."""


class TemplateError(UserError):
    """A caption or prompt template is malformed."""


class CandidatesError(UserError):
    """A candidates JSON cannot be used."""


class ImageError(UserError):
    """An image cannot be decoded."""


class ModelError(UserError):
    """A model or checkpoint cannot be loaded."""


class OutputError(UserError):
    """An output exists already, or its folder cannot be written."""


class StoreError(UserError):
    """A store is missing, of a newer schema, or not a store at all."""


def shown(value: object) -> str:
    r"""Quote an untrusted value for a message: escapes made visible, cut at 80 characters.

    Examples:
        >>> print(shown("a\x1b[31mb"))
        'a\x1b[31mb'
        >>> shown("x" * 200)[-3:]
        "x…'"
    """
    text = str(value)
    if len(text) > _SHOWN_CHARACTERS:
        text = text[: _SHOWN_CHARACTERS - 1] + "…"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in repr(text))
