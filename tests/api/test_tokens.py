"""Tokens, read by hosts whose clocks differ."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock
from uuid import uuid4

import jwt
import pytest

from api.identity import tokens
from api.identity.tokens import Claims, TokenInvalid, Tokens
from runtime.settings import Settings
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("ahead", "status"), [(2, 200), (60, 200), (115, 200), (3600, 401)])
@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_a_token_from_a_host_with_a_fast_clock_is_accepted_within_the_tolerance(
    guarded_api: Api, settings: Settings, claim: str, ahead: int, status: int
) -> None:
    ada = await guarded_api.account("ada")
    (key,) = Tokens(settings.secret_keys)._keys
    claims = jwt.decode(ada.access_token, key, ["HS256"], audience="events-face")
    claims[claim] = datetime.now(UTC) + timedelta(seconds=ahead)
    bearer = {"Authorization": f"Bearer {jwt.encode(claims, key, 'HS256')}"}
    assert (await guarded_api.http.get("/api/auth/me", headers=bearer)).status_code == status


def test_a_token_expires_although_its_signature_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = Mock(now=lambda zone: datetime.now(zone) + tokens.ACCESS_LIFE)
    issued, claims = Tokens(["a secret"]), Claims(account_id=uuid4(), session_id=uuid4())
    token = issued.access(claims, [])
    assert issued.read(token, "access") == claims
    with pytest.raises(TokenInvalid):
        issued.read(token, "refresh")
    monkeypatch.setattr(tokens, "datetime", later)
    with pytest.raises(TokenInvalid):
        issued.read(token, "access")
