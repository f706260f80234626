import pytest

from domain.accounts import DisableAccount, GrantRole, RevokeRole
from projections.accounts import find, list_accounts
from tests.support.installation import Installation, an_account

pytestmark = pytest.mark.anyio


async def test_accounts_are_listed_with_their_roles_by_name(installation: Installation) -> None:
    names = ("bob", "Ada", "ÉVA")
    ada, bob, eva = sorted(
        await installation.give(*(an_account(name) for name in names)),
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


async def test_accounts_are_found_by_the_beginning_of_a_name_and_each_once(
    installation: Installation,
) -> None:
    names = ["Łukasz", "lukas", "LUKASZ ", "bob", "Lúkasz", "Łuk"]
    await installation.give(*(an_account(name.strip()) for name in names))
    await installation.project()
    connection = installation.connection

    walked, after = list[str](), None
    while True:
        page = await find(connection, prefix="luk", limit=2, after=after)
        walked += [row.username for row in page.rows]
        if not page.has_after:
            break
        after = walked[-1]
    assert sorted(walked) == sorted(name.strip() for name in names if name != "bob")
    assert walked[:2] == ["Łuk", "lukas"]

    back = await find(connection, prefix="ŁUK", limit=2, before=walked[3])
    assert [row.username for row in back.rows] == walked[1:3]
    assert (back.has_before, back.has_after) == (True, True)
