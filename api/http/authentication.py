"""Checks a username and password, or a link, and changes the password."""

from __future__ import annotations

from api.http.dispatch import execute
from api.http.requests import Request
from api.identity.credentials import Credential, InvalidCredentials
from api.identity.password_links import PasswordLinkExpired
from api.identity.passwords import Password, Secret
from domain.accounts import AccountDisabled, ChangePassword, PasswordHash
from domain.core.values import Line
from domain.credentials import PasswordReplaced
from domain.history.batch import Done, Origin
from domain.history.idempotency import Once


async def authenticated(request: Request, username: Line, password: Secret) -> Credential:
    """The credential of the account, to begin a session. An unknown username takes the same time;
    wrong passwords throttle the client.

    Raises InvalidCredentials, `limits.RateLimited`, `passwords.PasswordsWaiting`.
    """
    await request.limits.login_allowed(username, request.scope)
    connections = request.connections
    credential = await connections.credentials.of(username)
    stored = credential.password_hash if credential else None
    right = await connections.passwords.verify(password, stored)
    if credential is None or not right or credential.disabled:
        await request.limits.login_failed(username, request.scope)
        raise InvalidCredentials
    await _renew_hash(request, credential, password)
    await request.limits.login_succeeded(username, request.scope)
    return credential


async def _renew_hash(request: Request, credential: Credential, password: Secret) -> None:
    """Replace a hash that was made with other parameters."""
    connections = request.connections
    if credential.password_hash is None:
        return
    renewed = await connections.passwords.renewed(password, credential.password_hash)
    if renewed is not None:
        await connections.credentials.renew_hash(credential, renewed)


async def password_changed(
    request: Request, current: Secret, password: Password, once: Once | None = None
) -> Done:
    """Change the password of the request's account, which ends all its sessions.

    Raises InvalidCredentials, `passwords.PasswordsWaiting`.
    """
    connections, account_id = request.connections, request.account.id
    credential = await connections.credentials.by_id(account_id)
    stored = credential.password_hash if credential else None
    right = await connections.passwords.verify(current, stored)
    if credential is None or not right:
        raise InvalidCredentials
    password_hash = PasswordHash(await connections.passwords.hash(password))
    command = ChangePassword(
        account_id=account_id,
        password_hash=password_hash,
        replaces=credential.password_version,
    )
    try:
        return await execute(request, command, once)
    except PasswordReplaced:
        raise InvalidCredentials from None


async def linked_account(request: Request, token: str) -> Credential:
    """The account whose password the link can set. Raises PasswordLinkExpired."""
    connections = request.connections
    link = connections.password_links.read(token)
    credential = await connections.credentials.by_id(link.account_id)
    if credential is None or not link.fits(credential):
        raise PasswordLinkExpired
    return credential


async def password_set_by_link(request: Request, token: str, password: Password) -> Done:
    """Set the password of the link's account, which ends all its sessions and all its links.

    Raises PasswordLinkExpired, `passwords.PasswordsWaiting`.
    """
    credential = await linked_account(request, token)
    command = ChangePassword(
        account_id=credential.account_id,
        password_hash=PasswordHash(await request.connections.passwords.hash(password)),
        replaces=credential.password_version,
    )
    holder = Origin(actor=str(credential.account_id), correlation_id=request.id)
    try:
        return await request.connections.writer.execute(command, holder)
    except (PasswordReplaced, AccountDisabled):
        raise PasswordLinkExpired from None
