"""Tickets: the text of the QR code that lets a visitor in.

A ticket names a visitor, an episode and how often it was issued anew, and proves that it comes from
this installation, so a forged one is refused without the database. It is not stored: it ends with
its episode, or when a new one is issued. Its key is not that of the links (`domain.links`): who
photographs a ticket must not be able to cancel.
"""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from functools import lru_cache
from hashlib import blake2b, sha256
from hmac import compare_digest
from uuid import UUID

import msgspec

from domain.core.aggregate import DomainEvent, Expected, stored_as
from domain.core.unit_of_work import Work, check_version
from domain.events import existing_event
from domain.privacy.keys import InstallationKeys
from domain.visitors import NotRegistered, Visitor, existing_visitor

ID_BYTES, EVENT_BYTES, COUNTER_BYTES, MAC_BYTES = 16, 2, 2, 8
"""With two counters 30: 48 characters of base32 without padding, so each ticket has one spelling.
A QR code holds upper case and digits in 5.5 bits a character."""

TICKET_LENGTH = 48

COUNTER_LIMIT = 1 << 8 * COUNTER_BYTES
"""The counters begin again there: a ticket of 65,536 episodes ago is a harmless one."""

HASH_LENGTH = 32


class Ticket(msgspec.Struct, frozen=True):
    """What a genuine ticket says."""

    visitor_id: UUID
    episode: int
    issue: int
    event_mark: bytes

    def may_be_of(self, event_id: UUID) -> bool:
        """Tells nearly all tickets of other events, without the database."""
        return self.event_mark == _mark(event_id)

    def is_current(self, visitor: Visitor) -> bool:
        """Whether it is the ticket that the visitor has now."""
        counters = visitor.episode % COUNTER_LIMIT, visitor.ticket_issue % COUNTER_LIMIT
        return (self.episode, self.issue) == counters


def ticket_of(
    keys: InstallationKeys, event_id: UUID, visitor_id: UUID, episode: int, issue: int
) -> str:
    """The ticket of a registered visitor, in upper-case letters and digits."""
    content = visitor_id.bytes + _mark(event_id) + _counter(episode) + _counter(issue)
    return b32encode(content + _mac(keys, content)).decode()


def read_ticket(keys: InstallationKeys, text: str) -> Ticket | None:
    """None unless the ticket was made by this installation. Case and space around it do not
    matter: scanners that act as a keyboard change both."""
    ticket = canonical(text)
    if len(ticket) != TICKET_LENGTH or not ticket.isascii():
        return None
    try:
        decoded = b32decode(ticket)
    except binascii.Error:
        return None
    content, mac = decoded[:-MAC_BYTES], decoded[-MAC_BYTES:]
    if not compare_digest(mac, _mac(keys, content)):
        return None
    id, rest = content[:ID_BYTES], content[ID_BYTES:]
    mark, counters = rest[:EVENT_BYTES], rest[EVENT_BYTES:]
    episode, issue = counters[:COUNTER_BYTES], counters[COUNTER_BYTES:]
    return Ticket(UUID(bytes=id), int.from_bytes(episode), int.from_bytes(issue), mark)


def canonical(text: str) -> str:
    return text.strip().upper()


def ticket_hash(ticket: str) -> str:
    """What the door's list says of a ticket, so that a scanner knows it without the network, and a
    lost scanner reveals none: the beginning of the SHA-256 of its canonical text, in hexadecimal
    digits."""
    return sha256(canonical(ticket).encode()).hexdigest()[:HASH_LENGTH]


def _mark(event_id: UUID) -> bytes:
    """The last bytes: the first ones are the time in most ids."""
    return event_id.bytes[-EVENT_BYTES:]


def _counter(count: int) -> bytes:
    return (count % COUNTER_LIMIT).to_bytes(COUNTER_BYTES)


def _mac(keys: InstallationKeys, content: bytes) -> bytes:
    return blake2b(content, key=_key(keys.identity), digest_size=MAC_BYTES).digest()


@lru_cache
def _key(identity: bytes) -> bytes:
    return blake2b(key=identity, person=b"tickets").digest()


class ReissueTicket(msgspec.Struct, frozen=True, kw_only=True):
    """Gives the visitor a new ticket; the former one is refused from now on."""

    visitor_id: UUID
    expected_version: Expected = None


@stored_as("Visitor.TicketReissued", phrase="issued a new ticket")
class TicketReissued(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(aggregate, ticket_issue=aggregate.ticket_issue + 1)


def reissue_ticket(command: ReissueTicket, work: Work) -> Visitor:
    visitor = existing_visitor(command.visitor_id, work)
    check_version(visitor, command.expected_version)
    existing_event(visitor.event, work)
    if visitor.status != "registered":
        raise NotRegistered
    return work.record(visitor, TicketReissued(event_id=visitor.event))
