"""Which function a request is for: route templates, read as ASP.NET Core reads them inside the Functions host."""

import re
from dataclasses import dataclass
from typing import Self

from shared.errors import ConfigurationError

_CONSTRAINTS = {
    "alpha": r"[a-zA-Z]+",
    "bool": r"true|false",
    "guid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "int": r"[+-]?[0-9]+",
    "long": r"[+-]?[0-9]+",
}
_PARAMETER = re.compile(r"\{(?P<catch_all>\*{0,2})(?P<name>[A-Za-z_]\w*)(?::(?P<kind>\w+))?(?P<optional>\??)\}")
_LITERAL, _CONSTRAINED, _FREE, _CATCH_ALL = range(1, 5)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A compiled template: ``{name}``, ``{name?}``, ``{name:int}`` and, at the end, ``{*rest}``.

    Routes are tried in order of ``precedence``: text before constrained before free parameters before ``{*rest}``.
    """

    template: str
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]

    @classmethod
    def parse(cls, template: str) -> Self:
        """Compile a template.

        Raises:
            ConfigurationError: a segment mixes text and parameter or names a constraint that is not supported here.
        """
        segments = [segment for segment in template.split("/") if segment]
        compiled = [_compile(template, segment, last=at == len(segments)) for at, segment in enumerate(segments, 1)]
        pattern = "".join(piece for piece, _ in compiled)
        precedence = tuple(rank for _, rank in compiled)
        return cls(template=template, pattern=re.compile(pattern + "/?", re.IGNORECASE), precedence=precedence)

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters that the path gives, ``None`` where it is not this route's; case does not matter."""
        found = self.pattern.fullmatch(path)
        return None if found is None else {name: value for name, value in found.groupdict().items() if value}


def _compile(template: str, segment: str, *, last: bool) -> tuple[str, int]:
    """Return a segment's regular expression, its leading slash included, and its rank: the lowest is tried first."""
    if not set(segment) & set("{}"):
        return f"/{re.escape(segment)}", _LITERAL
    parameter = _PARAMETER.fullmatch(segment)
    way_out = f"Write {{name}}, {{name?}}, {{*name}} or {{name:kind}} with kind one of {', '.join(_CONSTRAINTS)}"
    if parameter is None:
        msg = f'Route "{template}": this host cannot read the segment "{segment}". {way_out}; or use "func start".'
        raise ConfigurationError(msg)
    kind = parameter["kind"]
    if kind and kind not in _CONSTRAINTS:
        msg = f'Route "{template}": this host does not know the constraint "{kind}". {way_out}; or use "func start".'
        raise ConfigurationError(msg)
    if (parameter["optional"] or parameter["catch_all"]) and not last:
        msg = f'Route "{template}": "{segment}" may only be the last segment.'
        raise ConfigurationError(msg)
    name = parameter["name"]
    if parameter["catch_all"]:
        return f"(?:/(?P<{name}>.*))?", _CATCH_ALL
    piece = f"/(?P<{name}>{_CONSTRAINTS.get(kind, '[^/]+')})"
    return f"(?:{piece})?" if parameter["optional"] else piece, _CONSTRAINED if kind else _FREE
