"""A limit: httpx sending POSTs at full speed, without any query or write.

    python -m benchmarks.peers.bare_httpx URL NUMBER CONNECTIONS

Prints the number per second.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import uvloop

TOKEN = "t" * 32


async def post(client: httpx.AsyncClient, url: str, numbers: Iterator[int]) -> None:
    """One after the other, on one connection."""
    for number in numbers:
        id = str(uuid4())
        body = {
            "id": id,
            "owner_id": "events-face",
            "email": f"ada.{number}@example.com",
            "message": "Your confirmation code is 1234",
        }
        answer = await client.post(url, json=body, headers={"Idempotency-Key": id})
        answer.raise_for_status()


async def main(url: str, number: int, connections: int) -> None:
    encryption, headers = httpx.create_ssl_context(), {"Authorization": f"Bearer {TOKEN}"}
    clients = [httpx.AsyncClient(headers=headers, verify=encryption) for _ in range(connections)]
    numbers = iter(range(number))
    began = time.perf_counter()
    await asyncio.gather(*(post(client, url, numbers) for client in clients))
    sys.stdout.write(f"{number / (time.perf_counter() - began)}\n")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
