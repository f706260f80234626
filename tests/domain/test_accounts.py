"""Accounts: usernames are unique in any case, and there always is an admin who can sign in."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from domain import accounts
from domain.accounts import (
    Account,
    AccountDisabled,
    ChangePassword,
    DisableAccount,
    EnableAccount,
    GrantRole,
    InviteAccount,
    LastAdmin,
    MakePasswordLink,
    RevokeRole,
    UsernameTaken,
)
from domain.core.aggregate import DomainEvent
from domain.core.errors import NotFound
from domain.core.values import Invalid, Username
from tests.domain.scenario import Scenario, identity
from tests.support.installation import A_HASH, an_account

ADA = identity.account(Username("Ada"))


def ada() -> Scenario:
    return Scenario().given(ADA, accounts.Registered(username="Ada"))


def test_a_new_account_has_no_role() -> None:
    scenario = Scenario()
    assert scenario.when(an_account("Ada")) == [accounts.Registered(username="Ada")]
    assert scenario.value == Account(id=ADA, version=1, username="Ada", exists=True)


@pytest.mark.parametrize("username", ["Ada", "ADA", "ada", "\uff21da"])
def test_a_username_is_taken_in_every_case_and_width(username: str) -> None:
    with pytest.raises(UsernameTaken):
        ada().when(an_account(username))


def test_a_superuser_is_registered_with_its_roles() -> None:
    command = an_account("root", "admin", "organizer")
    assert Scenario().when(command) == [
        accounts.Registered(username="root"),
        accounts.RoleGranted(role="organizer"),
        accounts.RoleGranted(role="admin"),
    ]


def test_a_role_is_granted_once_and_revoked_once() -> None:
    scenario = ada()
    grant, revoke = (
        GrantRole(account_id=ADA, role="auditor"),
        RevokeRole(account_id=ADA, role="auditor"),
    )
    assert scenario.when(grant) == [accounts.RoleGranted(role="auditor")]
    assert scenario.when(grant) == []
    assert scenario.value.roles == ("auditor",)
    assert scenario.when(revoke) == [accounts.RoleRevoked(role="auditor")]
    assert scenario.when(revoke) == []
    assert scenario.value.roles == ()


def test_a_disabled_account_stays_so_and_keeps_its_name() -> None:
    scenario = ada()
    assert scenario.when(DisableAccount(account_id=ADA)) == [accounts.Disabled()]
    assert scenario.when(DisableAccount(account_id=ADA)) == []
    with pytest.raises(UsernameTaken):
        scenario.when(an_account("ada"))


def test_an_enabled_account_has_the_roles_that_it_had() -> None:
    scenario = ada().given(ADA, accounts.RoleGranted(role="auditor"), accounts.Disabled())
    assert scenario.when(EnableAccount(account_id=ADA)) == [accounts.Enabled()]
    assert (scenario.value.roles, scenario.value.disabled) == (("auditor",), False)
    assert scenario.when(EnableAccount(account_id=ADA)) == []


def test_an_account_is_invited_until_a_password_is_set() -> None:
    scenario = Scenario()
    command = InviteAccount(username=Username("Ada"), roles=("admin", "organizer"))
    assert scenario.when(command) == [
        accounts.Invited(username="Ada"),
        accounts.RoleGranted(role="organizer"),
        accounts.RoleGranted(role="admin"),
    ]
    assert (scenario.value.invited, scenario.value.is_admin) == (True, False)
    with pytest.raises(UsernameTaken):
        scenario.when(command)
    with pytest.raises(UsernameTaken):
        scenario.when(an_account("ADA"))
    scenario.when(ChangePassword(account_id=ADA, password_hash=A_HASH))
    assert (scenario.value.invited, scenario.value.is_admin) == (False, True)


def test_history_records_that_a_link_was_made() -> None:
    made = ada().when(MakePasswordLink(account_id=ADA))
    assert made == [accounts.PasswordLinkMade()]


def test_a_disabled_account_gets_no_password() -> None:
    scenario = ada().given(ADA, accounts.Disabled())
    for command in (
        MakePasswordLink(account_id=ADA),
        ChangePassword(account_id=ADA, password_hash=A_HASH),
    ):
        with pytest.raises(AccountDisabled):
            scenario.when(command)


BOB = identity.account(Username("Bob"))

ADMIN = accounts.RoleGranted(role="admin")

GIVING_UP = [
    RevokeRole(account_id=ADA, role="admin", other_admins=(ADA, BOB)),
    DisableAccount(account_id=ADA, other_admins=(ADA, BOB)),
]


def two(*of_bob: DomainEvent[Account]) -> Scenario:
    """Ada is an admin; Bob is what these events make of him."""
    scenario = ada().given(ADA, ADMIN)
    return scenario.given(BOB, accounts.Registered(username="Bob"), *of_bob)


@pytest.mark.parametrize("command", GIVING_UP)
@pytest.mark.parametrize(
    "of_bob",
    [
        (),
        (accounts.RoleGranted(role="organizer"),),
        (ADMIN, accounts.RoleRevoked(role="admin")),
        (ADMIN, accounts.Disabled()),
    ],
)
def test_the_last_admin_stays_one(command: object, of_bob: Sequence[DomainEvent[Account]]) -> None:
    with pytest.raises(LastAdmin):
        two(*of_bob).when(command)


@pytest.mark.parametrize("command", GIVING_UP)
def test_an_invited_admin_is_not_another_admin(command: object) -> None:
    scenario = ada().given(ADA, ADMIN).given(BOB, accounts.Invited(username="Bob"), ADMIN)
    with pytest.raises(LastAdmin):
        scenario.when(command)
    scenario.given(BOB, accounts.PasswordChanged())
    assert len(scenario.when(command)) == 1


@pytest.mark.parametrize("command", GIVING_UP)
def test_an_admin_can_be_removed_while_there_is_another(command: object) -> None:
    assert len(two(ADMIN).when(command)) == 1


def test_an_operator_can_take_the_role_of_the_last_admin() -> None:
    command = RevokeRole(account_id=ADA, role="admin", force=True)
    assert two().when(command) == [accounts.RoleRevoked(role="admin")]


def test_an_account_that_is_not_an_admin_can_always_be_disabled() -> None:
    scenario = two()
    assert scenario.when(DisableAccount(account_id=BOB)) == [accounts.Disabled()]
    assert scenario.when(RevokeRole(account_id=BOB, role="admin")) == []
    assert scenario.when(RevokeRole(account_id=ADA, role="organizer")) == []


def test_history_records_that_a_password_changed_but_not_the_password() -> None:
    (changed,) = ada().when(ChangePassword(account_id=ADA, password_hash=A_HASH))
    assert changed == accounts.PasswordChanged()
    assert changed.__struct_fields__ == ()


@pytest.mark.parametrize(
    "command",
    [
        GrantRole(account_id=UUID(int=7), role="admin"),
        RevokeRole(account_id=UUID(int=7), role="admin"),
        ChangePassword(account_id=UUID(int=7), password_hash=A_HASH),
        DisableAccount(account_id=UUID(int=7)),
        EnableAccount(account_id=UUID(int=7)),
        MakePasswordLink(account_id=UUID(int=7)),
    ],
)
def test_an_unknown_account_is_not_found(command: object) -> None:
    with pytest.raises(NotFound):
        Scenario().when(command)


@pytest.mark.parametrize("username", ["a", " a ", "", "a" * 51, "a\x00b"])
def test_a_username_has_2_to_50_characters_and_no_control_characters(username: str) -> None:
    with pytest.raises(Invalid):
        Username.parse(username)
