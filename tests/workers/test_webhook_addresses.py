"""Webhooks are sent to public addresses only, unless the settings allow others."""

from __future__ import annotations

import pytest

from runtime.public_addresses import is_known_to_be_private, is_public
from tests.support.installation import Installation
from tests.support.sending import a_webhook, attempts_of, sending
from tests.support.webhook_endpoint import Endpoint

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",  # noqa: S104
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "no address",
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_public(address)


def test_a_name_is_judged_when_it_is_looked_up() -> None:
    assert is_known_to_be_private("127.0.0.1")
    assert is_known_to_be_private("localhost")
    assert is_known_to_be_private("a.localhost.")
    assert not is_known_to_be_private("internal.example.com")
    assert not is_known_to_be_private("93.184.216.34")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
async def test_an_endpoint_in_the_own_network_is_never_called(
    installation: Installation, endpoint: Endpoint, host: str
) -> None:
    webhook = await a_webhook(installation, f"http://{host}:{endpoint.server.port}/")
    await installation.event("Fair")
    async with sending(installation, private_networks=False):
        (attempt,) = await attempts_of(installation, webhook, 1)
    assert (attempt.status, attempt.error) == (None, "the address is not public")
    assert endpoint.received == []
