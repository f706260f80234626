import pytest

from domain.accounts import DisableAccount, GrantRole, RegisterAccount, RevokeRole
from domain.values import Username
from projections.accounts import list_accounts
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


async def test_accounts_are_listed_with_their_roles_by_name(installation: Installation) -> None:
    names = ("bob", "Ada", "ÉVA")
    ada, bob, eva = sorted(
        await installation.give(*(RegisterAccount(username=Username(name)) for name in names)),
        key=lambda account: account.username.lower(),
    )
    await installation.give(GrantRole(account_id=ada.id, role="admin"))
    await installation.project()
    (before,) = (await list_accounts(installation.connection, limit=1)).rows
    await installation.give(
        GrantRole(account_id=ada.id, role="organizer"),
        RevokeRole(account_id=ada.id, role="admin", force=True),
        DisableAccount(account_id=bob.id),
    )
    await installation.project()
    page = await list_accounts(installation.connection)
    assert [(row.username, row.roles, row.disabled) for row in page.rows] == [
        ("Ada", ["organizer"], False),
        ("bob", [], True),
        ("ÉVA", [], False),
    ]
    assert (page.total, page.rows[0].version) == (3, 4)
    assert page.rows[0].registered_at == before.registered_at
    rest = await list_accounts(installation.connection, limit=2, offset=2)
    assert ([row.id for row in rest.rows], rest.total) == ([eva.id], 3)
