"""Webhooks: which addresses they may have, and what changes them."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain import webhooks
from domain.core.errors import ChangedMeanwhile, NotFound
from domain.core.values import Invalid
from domain.privacy.keys import InstallationKeys
from domain.webhook_secrets import PREFIX, new_secret, open_secret, seal_secret, signing_key
from domain.webhooks import (
    MAX_WEBHOOKS,
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    DisableWebhook,
    RollWebhookSecret,
    TooManyWebhooks,
    WebhookUrl,
)
from tests.domain.scenario import Scenario

HOOK = UUID(int=7)

URL = WebhookUrl("https://example.com/hooks")

CREATED = webhooks.Created(url=URL, host="example.com")


def a_webhook() -> Scenario:
    return Scenario().given(HOOK, CREATED)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://example.com", "https://example.com/"),
        ("http://Example.com:8080/a?b=c", "http://example.com:8080/a?b=c"),
        ("https://müller.example/x", "https://xn--mller-kva.example/x"),
        ("http://[2001:DB8::1]:9000/", "http://[2001:db8::1]:9000/"),
        ("http://192.0.2.1/", "http://192.0.2.1/"),
        ("http://1.example/", "http://1.example/"),
    ],
)
def test_an_address_has_one_spelling(given: str, url: str) -> None:
    assert WebhookUrl.parse(given) == url


@pytest.mark.parametrize(
    "given",
    [
        7,
        "",
        "example.com",
        "ftp://example.com/",
        "https:///path",
        "https://ada:secret@example.com/",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:70000/",
        "https://exa mple.com/",
        "https://example.com/a b",
        "https://example.com/ä",
        "https://example.com/\x00",
        "https://example.com/\r\nHost: other",
        f"https://{'a' * 64}.example/",
        "https://example..com/",
        "https://[::1/",
        "http://999.1.1.1/",
        "http://0177.0.0.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://example.7./",
        "http://[fe80::1%eth0]/",
        "http://[fe80::1%é]/",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_another_address_is_refused(given: object) -> None:
    with pytest.raises(Invalid):
        WebhookUrl.parse(given)


def test_history_has_the_host_and_no_secret() -> None:
    command = CreateWebhook(url=URL, sealed_secret=b"sealed", types=("event.closed",))
    (created,) = Scenario().when(command)
    assert created == webhooks.Created(url=URL, host="example.com", types=("event.closed",))
    assert created.secret_fields == {"url"}  # its path may be a password


def test_there_are_a_hundred_at_most() -> None:
    with pytest.raises(TooManyWebhooks):
        Scenario().when(CreateWebhook(url=URL, sealed_secret=b"", existing=MAX_WEBHOOKS))


def test_only_what_changes_is_recorded() -> None:
    scenario = a_webhook()
    same = ChangeWebhook(webhook_id=HOOK, url=URL, types=(), enabled=True)
    assert scenario.when(same) == []
    changed = ChangeWebhook(webhook_id=HOOK, types=("event.closed",), enabled=False)
    assert scenario.when(changed) == [
        webhooks.Changed(types=("event.closed",)),
        webhooks.Disabled(),
    ]
    assert scenario.value.url == URL


def test_a_worker_disables_it_with_a_reason_that_enabling_takes_away() -> None:
    scenario = a_webhook()
    disable = DisableWebhook(webhook_id=HOOK, reason="it is gone")
    assert scenario.when(disable) == [webhooks.Disabled(reason="it is gone")]
    assert scenario.when(disable) == []
    assert scenario.value.disabled_because == "it is gone"
    assert scenario.when(ChangeWebhook(webhook_id=HOOK, enabled=True)) == [webhooks.Enabled()]
    assert scenario.value.disabled_because is None


def test_a_change_of_another_version_is_refused() -> None:
    with pytest.raises(ChangedMeanwhile):
        a_webhook().when(ChangeWebhook(webhook_id=HOOK, enabled=False, expected_version=9))
    with pytest.raises(ChangedMeanwhile):
        a_webhook().when(DeleteWebhook(webhook_id=HOOK, expected_version=9))


@pytest.mark.parametrize(
    "command",
    [
        ChangeWebhook(webhook_id=HOOK, enabled=False),
        DisableWebhook(webhook_id=HOOK, reason=""),
        RollWebhookSecret(webhook_id=HOOK, sealed_secret=b""),
        DeleteWebhook(webhook_id=HOOK),
    ],
)
def test_a_deleted_webhook_is_not_found(command: object) -> None:
    with pytest.raises(NotFound):
        a_webhook().given(HOOK, webhooks.Deleted()).when(command)


def test_a_secret_is_stored_encrypted_and_survives_a_rotation_of_the_keys() -> None:
    keys = InstallationKeys.generate()
    secret = new_secret()
    sealed = seal_secret(keys, secret)
    assert secret.startswith(PREFIX)
    assert 24 <= len(signing_key(secret)) <= 64
    assert secret.encode() not in sealed
    rotated = InstallationKeys(identity=keys.identity, data={b"\0\1": b"k" * 32})
    assert open_secret(rotated, sealed) == secret
