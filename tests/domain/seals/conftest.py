from __future__ import annotations

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.seals.signing import load_key
from runtime.settings import Settings
from tests.projections.conftest import installation

__all__ = ["installation", "signing_key"]


@pytest.fixture
def signing_key(database_url: str, settings: Settings) -> Ed25519PrivateKey:
    with psycopg.connect(database_url) as connection:
        return load_key(connection, settings.secret_keys)
