#!/usr/bin/env python3
"""2,000 clients in one room: all of them get all of 100 messages, from ten senders at once, in one order."""

import asyncio
import hashlib
import json
import subprocess
import sys
from collections import Counter

from support.chat import PATH, ChatClient, gather_bounded, message, source_address
from support.check import Context, expect, raise_file_limit, run

ROOM = "order"
CLIENTS, WORKERS = 2_000, 2
SENDERS_PER_WORKER, MESSAGES_PER_SENDER = 5, 10
MESSAGES = WORKERS * SENDERS_PER_WORKER * MESSAGES_PER_SENDER
WAIT_SECONDS = 90


async def listen(client: ChatClient) -> str:
    """A digest of the messages in the order of their arrival."""
    digest, last = hashlib.sha256(), None
    count = 0
    while count < MESSAGES:
        fields = message(await client.socket.recv())
        if fields is None:
            continue
        if last is not None and fields["offset"] != last + 1:
            return f"offset {fields['offset']} after {last}"
        last = fields["offset"]
        digest.update(f"{last} {fields['from']} {fields['text']}\n".encode())
        count += 1
    return digest.hexdigest()


async def worker(url: str, number: int) -> None:
    """One process with its share of the clients: says when they are all in, waits for the word, reports."""

    def enter(index: int):
        return lambda: ChatClient.enter(url, f"client-{index}", ROOM, source=source_address(index))

    share = CLIENTS // WORKERS
    clients = await gather_bounded([enter(number * share + index) for index in range(share)], at_once=64)
    listeners = [asyncio.create_task(listen(client)) for client in clients]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)

    async def send(client: ChatClient, sender: int) -> None:
        for index in range(MESSAGES_PER_SENDER):
            await client.say(f"{number}.{sender}.{index}")

    await asyncio.gather(*(send(clients[sender], sender) for sender in range(SENDERS_PER_WORKER)))
    done, missing = await asyncio.wait(listeners, timeout=WAIT_SECONDS)
    print(json.dumps({"orders": Counter(task.result() for task in done), "missing": len(missing)}), flush=True)
    sys.stdin.readline()  # The connections stay until every worker has reported.


def check(context: Context) -> None:
    server = context.server("chat-server", *([] if context.options.server else ["--max-connections", "5000"]))
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", server.url(PATH), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WORKERS)
    ]
    try:
        for process in workers:
            expect(process.stdout.readline() == "ready\n", "a worker could not bring its clients into the room")
        for process in workers:
            process.stdin.write("go\n")
            process.stdin.flush()
        orders, missing = Counter(), 0
        for process in workers:
            report = json.loads(process.stdout.readline())
            orders.update(report["orders"])
            missing += report["missing"]
    finally:
        for process in workers:
            process.kill()
            process.wait()
    expect(missing == 0, f"{missing} clients did not get all {MESSAGES} messages")
    expect(len(orders) == 1, f"{len(orders)} different orders, for example {orders.most_common(3)}")
    expect(orders.total() == CLIENTS, f"{orders.total()} clients reported instead of {CLIENTS}")
    context.note(f"{CLIENTS} clients, {CLIENTS * MESSAGES} deliveries in one order")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        raise_file_limit()
        asyncio.run(worker(sys.argv[2], int(sys.argv[3])))
    else:
        run(check, seconds_max=240)
