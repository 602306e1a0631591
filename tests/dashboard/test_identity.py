import pytest

from dashboard.identity import Person, Request, clean, reviewer
from data.errors import InputError

HEADER = {"CATS_USER_HEADER": "X-User", "CATS_PROXY": "10.0.0.0/24, ::1", "FORWARDED_ALLOW_IPS": ""}


def request(
    peer: str | None = None, *, user: dict[str, object] | None = None, **headers: str
) -> Request:
    named = {name.replace("_", "-"): [value] for name, value in headers.items()}
    return Request(peer, named, user or {})


def test_this_machines_user_is_who_the_command_says() -> None:
    assert reviewer(request(), {"CATS_REVIEWER": "ann"}) == Person("ann")
    assert reviewer(request(), {}) == Person(None, can_name=True)


@pytest.mark.parametrize(
    "remote",
    [request("10.0.0.7"), request(x_forwarded_for="1.2.3.4"), request(forwarded="for=1.2.3.4")],
)
def test_whoever_comes_from_elsewhere_is_nobody_without_a_sign_in(remote: Request) -> None:
    person = reviewer(remote, {"CATS_REVIEWER": "ann"})
    assert person.name is None
    assert not person.can_name
    assert "sign-in" in person.refusal


@pytest.mark.parametrize("peer", ["10.0.0.7", None])
def test_a_configured_proxy_names_the_reviewer(peer: str | None) -> None:
    assert reviewer(request(peer, x_user=" Ann  Lee "), HEADER) == Person("Ann Lee")


@pytest.mark.parametrize(
    ("asked", "environment"),
    [
        (request("10.0.1.7", x_user="ann"), HEADER),
        (request("10.0.0.7"), HEADER),
        (request("10.0.0.7", x_user=" "), HEADER),
        (Request("10.0.0.7", {"x-user": ["ann", "eve"]}, {}), HEADER),
        (request("10.0.0.7", x_user="ann"), HEADER | {"FORWARDED_ALLOW_IPS": "127.0.0.1"}),
    ],
    ids=["another peer", "no header", "empty header", "two names", "peer not known"],
)
def test_anything_else_in_the_place_of_the_proxy_is_refused(
    asked: Request, environment: dict[str, str]
) -> None:
    person = reviewer(asked, environment)
    assert person.name is None
    assert person.refusal
    assert not person.can_name


@pytest.mark.parametrize("proxy", ["", "the proxy"])
def test_a_header_without_a_proxys_address_is_an_error(proxy: str) -> None:
    with pytest.raises(InputError, match="--proxy"):
        reviewer(request(x_user="ann"), {"CATS_USER_HEADER": "X-User", "CATS_PROXY": proxy})


def test_a_header_is_nothing_where_none_is_configured() -> None:
    assert reviewer(request(x_user="eve"), {"CATS_REVIEWER": "ann"}) == Person("ann")


def test_who_signed_in_is_known_by_a_verified_address_or_by_subject() -> None:
    signed = {"is_logged_in": True, "email": "ann@x.org", "sub": "17"}
    remote = "1.2.3.4"
    assert reviewer(request(remote, user=signed), {}).name == "ann@x.org"
    unverified = signed | {"email_verified": False}
    assert reviewer(request(remote, user=unverified), {}).name == "17"
    waiting = reviewer(request(remote, user={"is_logged_in": False, "email": "eve"}), {})
    assert (waiting.name, waiting.can_sign_in) == (None, True)


def test_a_name_is_one_short_line() -> None:
    assert clean("  Ann\n\x00Lee ") == "AnnLee"
    assert len(clean("a" * 500)) == 80
    assert clean(None) == ""
