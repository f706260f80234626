"""Addresses that a provider may lead to, and which of them get its credentials."""

from __future__ import annotations

import pytest

from workers.provider.addresses import MAX_ADDRESS_LENGTH, Addresses, BadAddress

HERE = "https://ada:secret@events.example/api/events?city=Rome"


def allowed(link: str, *other_hosts: str, url: str = HERE) -> str:
    addresses = Addresses(url, other_hosts)
    return str(addresses.following(link, addresses.first))


@pytest.mark.parametrize(
    ("link", "leads_to"),
    [
        ("?page=2", "https://events.example/api/events?page=2"),
        ("/v2/", "https://events.example/v2/"),
        ("https://EVENTS.example:443/a", "https://events.example/a"),
        ("http://events.example/a", "http://events.example/a"),
        ("//bob:pw@events.example/a", "https://events.example/a"),
    ],
)
def test_links_to_the_host_of_the_provider_are_followed(link: str, leads_to: str) -> None:
    assert allowed(link) == leads_to


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/",
        "//evil.example/",
        "https://events.example.evil.example/",
        "https://events.example@evil.example/",
        "https://events.example:8443/",
        "http://127.0.0.1/",
    ],
)
def test_another_host_is_followed_only_if_it_is_configured(link: str) -> None:
    with pytest.raises(BadAddress, match="another host: to allow it, add "):
        allowed(link)
    assert allowed(
        link, "evil.example", "events.example.evil.example", "127.0.0.1", "events.example:8443"
    )


def test_a_port_of_another_host_is_configured_with_it() -> None:
    assert allowed("http://cdn.example:81/", "cdn.example:81")
    for link, host in [("http://cdn.example:81/", "cdn.example"), ("http://c.d/", "c.d:81")]:
        with pytest.raises(BadAddress):
            allowed(link, host)


@pytest.mark.parametrize(
    "link",
    [
        "http://xn--ls8h.invalid/",
        "http://☃.example/",
        "http://[",
        "http://exa mple/",
        "http://a:99999/",
        "\ud83d",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "mailto:ada@events.example",
        "https://" + "a." * 300 + "example/",
        "?" + "x" * MAX_ADDRESS_LENGTH,
    ],
)
def test_an_invalid_address_is_reported_without_its_text(link: str) -> None:
    with pytest.raises(BadAddress) as bad:
        allowed(link, url="http://events.example/")
    assert link not in str(bad.value)
    if link.startswith("http"):
        with pytest.raises(BadAddress):
            Addresses(link, ())


@pytest.mark.parametrize(
    ("url", "link", "is_trusted"),
    [
        (HERE, "https://events.example/other", True),
        (HERE, "http://events.example/other", False),
        ("http://ada:secret@events.example/", "https://events.example/", True),
        ("http://ada:secret@events.example:81/", "http://events.example:81/a", True),
        (HERE, "https://cdn.example/", False),
        ("https://events.example/", "https://events.example/", False),
    ],
)
def test_credentials_are_for_the_providers_own_origin(
    url: str, link: str, is_trusted: bool
) -> None:
    addresses = Addresses(url, ["cdn.example"])
    assert "secret" not in str(addresses.first)
    address = addresses.following(link, addresses.first)
    assert (addresses.auth(address) is not None) is is_trusted
