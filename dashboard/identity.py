"""Who sits at the browser: open `reviewer` first. Whoever it does not name cannot write.

Three ways, of which a server has one: a reverse proxy that signs people in and names them in a
header; OpenID Connect by Streamlit's own `st.login`; or, on this machine alone, the name that was
given. A header is believed only if it was configured together with the proxy's address, since
whoever reaches the port could send it.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from data.errors import InputError

REVIEWER, HEADER, PROXY = "CATS_REVIEWER", "CATS_USER_HEADER", "CATS_PROXY"
# uvicorn's: from which peers it takes the client's address out of a header. `cats dashboard` sets
# it to "", so that the address is that of the connection and nobody's claim.
BELIEVED_PEERS = "FORWARDED_ALLOW_IPS"
_LONGEST = 80  # characters of a name
_THIS_MACHINE = ("127.0.0.1", "::1")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host")


@dataclass(frozen=True, slots=True)
class Person:
    """Who may write, or why nobody may.

    Args:
        name: stored with each decision; None if nobody is known.
        refusal: why `name` is None, and what to do; "" if the person may still give a name or
            sign in.
        can_name: this machine's user may give the name.
        can_sign_in: `st.login` is set up and nobody has signed in.
    """

    name: str | None
    refusal: str = ""
    can_name: bool = False
    can_sign_in: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """What a browser's connection tells.

    Args:
        peer: address of the connection's other end; None if it is this machine.
        headers: lower-case name to all values.
        user: what `st.user` holds; empty unless `st.login` is set up.
    """

    peer: str | None
    headers: Mapping[str, Sequence[str]]
    user: Mapping[str, object]


def reviewer(request: Request, environment: Mapping[str, str]) -> Person:
    """Who sits at this connection.

    Args:
        environment: `CATS_USER_HEADER` and `CATS_PROXY` (addresses or networks, by commas), or
            `CATS_REVIEWER`.

    Raises:
        InputError: a header without a proxy's address, or an address that is none.
    """
    header = environment.get(HEADER, "").strip().lower()
    if header:
        return _named_by_proxy(request, header, proxies(environment), environment)
    if "is_logged_in" in request.user:
        return _signed_in(request.user)
    if request.peer is not None or any(name in request.headers for name in _FORWARDED):
        return Person(
            None,
            "this page is read from another machine, and sign-in is not set up here: decisions "
            "need a name that can be believed. See `docs/review.md`, one server for a team",
        )
    given = clean(environment.get(REVIEWER, ""))
    return Person(given or None, can_name=not given)


def clean(name: object) -> str:
    """A name as it is stored: one line, at most 80 characters; "" if there is none."""
    if not isinstance(name, str):
        return ""
    shown = "".join(c for c in unicodedata.normalize("NFC", name) if c.isprintable())
    return " ".join(shown.split())[:_LONGEST]


def proxies(environment: Mapping[str, str]) -> list[str]:
    """The proxy's addresses or networks that the settings give.

    Raises:
        InputError: none is given, or one is no address.
    """
    listed = [part.strip() for part in environment.get(PROXY, "").split(",") if part.strip()]
    if not listed:
        raise InputError(
            "a user header is believed from a proxy's address only; give it with --proxy, such as "
            "--proxy 127.0.0.1"
        )
    for part in listed:
        try:
            ip_network(part)
        except ValueError as e:
            raise InputError(
                f"--proxy {part!r} is no address or network ({e}); give one such as 10.0.0.5"
            ) from e
    return listed


def _named_by_proxy(
    request: Request, header: str, listed: Sequence[str], environment: Mapping[str, str]
) -> Person:
    if environment.get(BELIEVED_PEERS) != "":
        return Person(
            None,
            "the connection's own address is not known here; start the page with `cats dashboard`",
        )
    peers = [ip_address(peer) for peer in ([request.peer] if request.peer else _THIS_MACHINE)]
    if not any(peer in ip_network(part) for peer in peers for part in listed):
        return Person(None, f"{peers[0]} is not the proxy: come by the address your team uses")
    names = [clean(value) for value in request.headers.get(header, ())]
    if len(names) != 1 or not names[0]:
        return Person(None, f"the proxy gave {len(names)} names in {header!r}, expected one")
    return Person(names[0])


def _signed_in(user: Mapping[str, object]) -> Person:
    if user.get("is_logged_in") is not True:
        return Person(None, can_sign_in=True)
    # An address that the provider did not verify could be anybody's.
    is_verified = user.get("email_verified", True) is True
    name = clean(user.get("email")) if is_verified else ""
    name = name or clean(user.get("sub"))
    return Person(name or None, "" if name else "the sign-in gave neither e-mail nor subject")


def this_request() -> Request:
    """The request behind the running page."""
    import streamlit as st

    headers = {name.lower(): st.context.headers.get_all(name) for name in st.context.headers}
    return Request(st.context.ip_address, headers, dict(st.user.to_dict()))


def this_reviewer() -> Person:
    """`reviewer` of the running page."""
    return reviewer(this_request(), os.environ)
