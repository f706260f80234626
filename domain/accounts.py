"""Accounts: who may sign in, and their roles. History holds no passwords.

The id is derived from the folded username (`domain.core.ids`), so concurrent registrations of one
name append to one stream, and only one of them succeeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.errors import NotFound, Refused
from domain.core.unit_of_work import Work
from domain.core.values import Username

Role = Literal["organizer", "auditor", "admin"]
"""What an account may do; an admin has the permissions of all roles."""

ROLES: tuple[Role, ...] = get_args(Role)


class UsernameTaken(Refused):
    """An account with this username exists already"""


class LastAdmin(Refused):
    """This is the last admin: make another account an admin first"""


class AccountDisabled(Refused):
    """This account is disabled: enable it first"""


class PasswordHash:
    """The stored form of a password. A command carries it to the row in `credentials` and nowhere
    else: neither logs nor JSON contain it; only `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "<password hash>"


class RegisterAccount(msgspec.Struct, frozen=True, kw_only=True):
    username: Username
    password_hash: PasswordHash
    roles: tuple[Role, ...] = ()


class InviteAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Registers an account without a password: the person sets it, by a link."""

    username: Username
    roles: tuple[Role, ...] = ()


class MakePasswordLink(msgspec.Struct, frozen=True, kw_only=True):
    """History records that a link was made. The link itself is not stored anywhere."""

    account_id: UUID


class GrantRole(msgspec.Struct, frozen=True, kw_only=True):
    account_id: UUID
    role: Role


class RevokeRole(msgspec.Struct, frozen=True, kw_only=True):
    account_id: UUID
    role: Role
    other_admins: tuple[UUID, ...] = ()
    """Accounts that may be admins too, looked up for each decision. Unless one of them is, the
    command is refused."""
    force: bool = False
    """Revokes the role even of the last admin."""


class ChangePassword(msgspec.Struct, frozen=True, kw_only=True):
    """History records only that the password was changed."""

    account_id: UUID
    password_hash: PasswordHash
    replaces: int | None = None
    """`password_version` of the password that the caller has verified: refused if it is no longer
    the current one. None replaces any."""


class DisableAccount(msgspec.Struct, frozen=True, kw_only=True):
    account_id: UUID
    other_admins: tuple[UUID, ...] = ()
    """As of `RevokeRole`."""


class EnableAccount(msgspec.Struct, frozen=True, kw_only=True):
    account_id: UUID


class Account(Aggregate, frozen=True, kw_only=True):
    username: str = ""
    roles: tuple[Role, ...] = ()
    """In the order of `ROLES`."""
    disabled: bool = False
    invited: bool = False
    """Has no password yet, so nobody can sign in."""
    exists: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether the account can act as an admin."""
        return "admin" in self.roles and not self.disabled and not self.invited

    def begin(
        self, first: DomainEvent[Account], roles: Iterable[Role]
    ) -> list[DomainEvent[Account]]:
        if self.exists:
            raise UsernameTaken
        return [first, *(RoleGranted(role=role) for role in ROLES if role in roles)]

    def grant(self, role: Role) -> list[DomainEvent[Account]]:
        return [] if role in self.roles else [RoleGranted(role=role)]

    def revoke(self, role: Role) -> list[DomainEvent[Account]]:
        return [RoleRevoked(role=role)] if role in self.roles else []

    def disable(self) -> list[DomainEvent[Account]]:
        return [] if self.disabled else [Disabled()]

    def enable(self) -> list[DomainEvent[Account]]:
        return [Enabled()] if self.disabled else []


@stored_as("Account.Registered", phrase="registered the account")
class Registered(DomainEvent[Account], frozen=True, kw_only=True):
    username: str

    def apply(self, aggregate: Account) -> Account:
        return msgspec.structs.replace(aggregate, username=self.username, exists=True)


@stored_as("Account.Invited", phrase="invited the account")
class Invited(DomainEvent[Account], frozen=True, kw_only=True):
    username: str

    def apply(self, aggregate: Account) -> Account:
        return msgspec.structs.replace(aggregate, username=self.username, invited=True, exists=True)


@stored_as("Account.RoleGranted", phrase="granted a role")
class RoleGranted(DomainEvent[Account], frozen=True, kw_only=True):
    role: Role

    def apply(self, aggregate: Account) -> Account:
        held = {*aggregate.roles, self.role}
        return msgspec.structs.replace(aggregate, roles=tuple(r for r in ROLES if r in held))


@stored_as("Account.RoleRevoked", phrase="revoked a role")
class RoleRevoked(DomainEvent[Account], frozen=True, kw_only=True):
    role: Role

    def apply(self, aggregate: Account) -> Account:
        left = tuple(role for role in aggregate.roles if role != self.role)
        return msgspec.structs.replace(aggregate, roles=left)


@stored_as("Account.PasswordLinkMade", phrase="made a link to set the password")
class PasswordLinkMade(DomainEvent[Account], frozen=True, kw_only=True):
    pass


@stored_as("Account.PasswordChanged", phrase="changed the password")
class PasswordChanged(DomainEvent[Account], frozen=True, kw_only=True):
    def apply(self, aggregate: Account) -> Account:
        return msgspec.structs.replace(aggregate, invited=False)


@stored_as("Account.Disabled", phrase="disabled the account")
class Disabled(DomainEvent[Account], frozen=True, kw_only=True):
    def apply(self, aggregate: Account) -> Account:
        return msgspec.structs.replace(aggregate, disabled=True)


@stored_as("Account.Enabled", phrase="enabled the account")
class Enabled(DomainEvent[Account], frozen=True, kw_only=True):
    def apply(self, aggregate: Account) -> Account:
        return msgspec.structs.replace(aggregate, disabled=False)


def register_account(command: RegisterAccount, work: Work) -> Account:
    account = _account_named(command.username, work)
    first = Registered(username=command.username)
    return work.record(account, *account.begin(first, command.roles))


def invite_account(command: InviteAccount, work: Work) -> Account:
    account = _account_named(command.username, work)
    first = Invited(username=command.username)
    return work.record(account, *account.begin(first, command.roles))


def make_password_link(command: MakePasswordLink, work: Work) -> Account:
    return work.record(_enabled_account(command.account_id, work), PasswordLinkMade())


def grant_role(command: GrantRole, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    return work.record(account, *account.grant(command.role))


def revoke_role(command: RevokeRole, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    if command.role == "admin" and not command.force:
        _keep_an_admin(account, command.other_admins, work)
    return work.record(account, *account.revoke(command.role))


def change_password(command: ChangePassword, work: Work) -> Account:
    return work.record(_enabled_account(command.account_id, work), PasswordChanged())


def disable_account(command: DisableAccount, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    _keep_an_admin(account, command.other_admins, work)
    return work.record(account, *account.disable())


def enable_account(command: EnableAccount, work: Work) -> Account:
    account = _existing_account(command.account_id, work)
    return work.record(account, *account.enable())


def _account_named(username: Username, work: Work) -> Account:
    """The account that looks so; else the empty one that the name gets."""
    accounts = [work.get(Account, id) for id in work.identity.accounts(username)]
    return next((a for a in accounts if a.exists), accounts[-1])


def _enabled_account(id: UUID, work: Work) -> Account:
    account = _existing_account(id, work)
    if account.disabled:
        raise AccountDisabled
    return account


def _existing_account(id: UUID, work: Work) -> Account:
    account = work.get(Account, id)
    if not account.exists:
        raise NotFound("account", id)
    return account


def _keep_an_admin(leaving: Account, others: Iterable[UUID], work: Work) -> None:
    """Raises `LastAdmin` if none of the others is an admin. The decision rests on the stream of the
    one who is: of two admins who give up each other at once, the second is refused."""
    if leaving.is_admin and not any(
        other != leaving.id and work.get(Account, other).is_admin for other in others
    ):
        raise LastAdmin
