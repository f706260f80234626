"""Why a caller who is known may not do something."""

from __future__ import annotations

from api.identity.tokens import CHALLENGE
from domain.api_keys import Scope
from domain.core.errors import ProblemError


class Forbidden(ProblemError):
    """Your account may not do this"""

    status = 403
    slug = "forbidden"  # of its subclasses too


class ScopeMissing(Forbidden):
    """The API key lacks a scope"""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self._scope = scope
        error = f'error="insufficient_scope", scope="{scope}"'
        self.headers = {"WWW-Authenticate": f"{CHALLENGE}, {error}"}

    def __str__(self) -> str:
        return f"The API key lacks the scope {self._scope}"


class OnlyForAccounts(Forbidden):
    """No API key may do this: sign in with an account"""


class OutsideOfEvents(Forbidden):
    """The API key is restricted to some events, and this is about others too"""
