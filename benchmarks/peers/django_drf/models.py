"""The tables, with the constraints and indexes that their users need."""

import uuid

from django.db import models


class EventArea(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=255, unique=True)


class Event(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    name = models.CharField(max_length=255)
    area = models.ForeignKey(EventArea, null=True, on_delete=models.PROTECT)
    status = models.CharField(max_length=10, default="open")
    event_datetime = models.DateTimeField()
    registration_deadline = models.DateTimeField()
    capacity = models.PositiveIntegerField(null=True)
    taken = models.PositiveIntegerField(default=0)  # seats; only counted with a capacity

    class Meta:
        indexes = [  # noqa: RUF012
            models.Index("event_datetime", name="open_events", condition=models.Q(status="open"))
        ]


class Visitor(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    event = models.ForeignKey(Event, on_delete=models.CASCADE)
    full_name = models.CharField(max_length=128)
    email = models.EmailField()
    registered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [  # noqa: RUF012
            models.UniqueConstraint(fields=["event", "email"], name="once_per_event_and_email")
        ]


class Outbox(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE)
    email = models.EmailField()
    message = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [  # noqa: RUF012
            models.Index("created_at", name="unsent", condition=models.Q(sent_at=None))
        ]
