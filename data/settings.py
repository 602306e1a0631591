"""What a run may be told from outside: flag > environment > default, one frozen object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from data.errors import InputError

OPENALEX_URL = "https://api.openalex.org"
CONTENT_URL = "https://content.openalex.org"
EUROPEPMC_URL = "https://www.ebi.ac.uk/europepmc/webservices/rest"
ARXIV_API_URL = "https://export.arxiv.org"  # arXiv asks programs to leave arxiv.org's API alone
ARXIV_URL = "https://arxiv.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach the servers. The key never appears in a repr, a log or a file.

    Args:
        content_url: OpenAlex's full texts.
        arxiv_api_url: arXiv's answers to questions; its pages are at `arxiv_url`.
    """

    openalex_url: str = OPENALEX_URL
    openalex_key: str | None = field(default=None, repr=False)
    content_url: str = CONTENT_URL
    europepmc_url: str = EUROPEPMC_URL
    arxiv_api_url: str = ARXIV_API_URL
    arxiv_url: str = ARXIV_URL
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    tries: int = 6


def settings(environment: Mapping[str, str], *, openalex_url: str | None = None) -> Settings:
    """The settings in force: a flag given beats the environment, which beats the default.

    `CATS_ARXIV_URL` stands for both of arXiv's servers.

    Raises:
        InputError: a server's address is not http(s).
    """

    def server(name: str, usual: str, flag: str | None = None) -> str:
        url = flag or environment.get(name, "").strip() or usual
        try:
            parts = urlsplit(url)
            is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:  # of a port that is no number
            is_good = False
        if not is_good:
            raise InputError(
                f"{name} {url!r} is not an http(s) address; give one such as {usual}, or unset it"
            )
        return url.rstrip("/")

    # A blank key is refused by OpenAlex even where no key would do.
    key = environment.get("OPENALEX_API_KEY", "").strip() or None
    return Settings(
        openalex_url=server("CATS_OPENALEX_URL", OPENALEX_URL, openalex_url),
        openalex_key=key,
        content_url=server("CATS_CONTENT_URL", CONTENT_URL),
        europepmc_url=server("CATS_EUROPEPMC_URL", EUROPEPMC_URL),
        arxiv_api_url=server("CATS_ARXIV_URL", ARXIV_API_URL),
        arxiv_url=server("CATS_ARXIV_URL", ARXIV_URL),
    )
