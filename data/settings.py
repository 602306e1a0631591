"""What a run may be told from outside: flag > environment > default, one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from data.errors import InputError

OPENALEX_URL = "https://api.openalex.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach OpenAlex. The key never appears in a repr, a log or a file."""

    openalex_url: str = OPENALEX_URL
    openalex_key: str | None = field(default=None, repr=False)
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    tries: int = 6


def settings(environment: Mapping[str, str], *, openalex_url: str | None = None) -> Settings:
    """The settings in force: a flag given beats the environment, which beats the default.

    Raises:
        InputError: the server's address is not http(s).
    """
    url = openalex_url or environment.get("CATS_OPENALEX_URL", "").strip() or OPENALEX_URL
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(
            f"CATS_OPENALEX_URL {url!r} is not an http(s) address; "
            f"give one such as {OPENALEX_URL}, or unset it"
        )
    # A blank key is refused by OpenAlex even where no key would do.
    key = environment.get("OPENALEX_API_KEY", "").strip() or None
    return Settings(openalex_url=url.rstrip("/"), openalex_key=key)
