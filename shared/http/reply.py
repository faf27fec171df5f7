"""What an HTTP call is answered with, before the Functions host makes it a response."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status, a JSON body and headers."""

    status: int = HTTPStatus.OK
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    mimetype: str = "application/json"

    @property
    def text(self) -> str:
        """The body as it travels."""
        return json.dumps(self.body, default=str, allow_nan=False)
