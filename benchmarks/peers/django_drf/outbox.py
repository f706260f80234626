"""The loop that delivers: a batch of rows is locked, posted one by one, marked and committed.

python -m django_drf.outbox URL
"""

import sys
import time

import django
import requests

BATCH = 100
PAUSE = 0.1  # seconds, when there is nothing to send


def deliver(url: str) -> None:
    from django.db import transaction
    from django.utils import timezone
    from django_drf.models import Outbox

    session = requests.Session()
    while True:
        with transaction.atomic():
            unsent = Outbox.objects.filter(sent_at=None).order_by("created_at")
            rows = list(unsent.select_for_update(skip_locked=True)[:BATCH])
            for row in rows:
                body = {"id": str(row.id), "email": row.email, "message": row.message}
                headers = {"Idempotency-Key": str(row.id)}
                if session.post(url, json=body, headers=headers, timeout=5).ok:
                    row.sent_at = timezone.now()
            Outbox.objects.bulk_update(rows, ["sent_at"])
        if not rows:
            time.sleep(PAUSE)


if __name__ == "__main__":
    django.setup()
    deliver(sys.argv[1])
