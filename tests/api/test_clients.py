"""Whom a request counts as, with proxies that are trusted and proxies that are not."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from api.http.clients import Clients

PROXIES = Clients((ip_network("10.0.0.0/8"), ip_network("2001:db8:f::/48")))


def request(peer: str | None, *headers: tuple[str, str], scheme: str = "http") -> Any:
    encoded = [(name.encode(), value.encode()) for name, value in headers]
    return {"client": peer and (peer, 1), "headers": encoded, "scheme": scheme}


def forwarded(*lines: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", line) for line in lines]


def test_forwarded_headers_are_ignored_without_trusted_proxies() -> None:
    assert Clients(()).address_of(request("10.0.0.1", *forwarded("1.2.3.4"))) == "10.0.0.1"


def test_an_untrusted_proxy_cannot_name_another_client() -> None:
    assert PROXIES.address_of(request("8.8.8.8", *forwarded("1.2.3.4"))) == "8.8.8.8"


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        (["6.6.6.6", "1.2.3.4,10.0.0.2"], "1.2.3.4"),
        (["6.6.6.6", "not an address", "10.0.0.2"], "10.0.0.2"),
        (["::ffff:1.2.3.4"], "1.2.3.4"),
        (["1.2.3.4:5678"], "1.2.3.4"),
        (["6.6.6.6:1", "1.2.3.4:5678, 10.0.0.2:443"], "1.2.3.4"),
        (["[2001:db8:9::1]:443"], "2001:db8:9::/64"),
        (["[2001:db8:9::1]", "[2001:db8:f::2]:80"], "2001:db8:9::/64"),
        (["[::ffff:1.2.3.4]:80"], "1.2.3.4"),
        (["1.2.3.4", "", " , "], "1.2.3.4"),
        (["1.2.3.4, 5.6.7.8:port"], "10.0.0.1"),
        (["unknown"], "10.0.0.1"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ([""], "10.0.0.1"),
        ([], "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_before_trusted_proxies(
    lines: list[str], client: str
) -> None:
    assert PROXIES.address_of(request("10.0.0.1", *forwarded(*lines))) == client


def test_all_ipv6_addresses_of_one_subscriber_are_one_client() -> None:
    addresses = {PROXIES.address_of(request(f"2001:db8:1:2::{n}")) for n in (1, 2, "ffff:1")}
    assert addresses == {"2001:db8:1:2::/64"}
    through = request("2001:db8:f::1", *forwarded("2001:db8:9::1"))
    assert PROXIES.address_of(through) == "2001:db8:9::/64"


def test_a_unix_socket_has_no_address() -> None:
    assert PROXIES.address_of(request(None)) == ""


def test_only_a_trusted_proxy_can_say_that_it_was_https() -> None:
    by_https = ("x-forwarded-proto", "https")
    assert PROXIES.came_by_https(request("10.0.0.1", by_https))
    assert not PROXIES.came_by_https(request("8.8.8.8", by_https))
    assert PROXIES.came_by_https(request("8.8.8.8", scheme="https"))
    assert not PROXIES.came_by_https(
        request("10.0.0.1", ("x-forwarded-proto", "http"), scheme="https")
    )
