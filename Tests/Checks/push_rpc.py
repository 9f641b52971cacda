#!/usr/bin/env python3
"""The rpc-cli lines of the backend's article, run as they stand there, against push-server's RPC port; what is done by one way
is seen by the other; and who has no key."""

import json
import subprocess
import tempfile
from pathlib import Path

import requests
from support.article import examples, fits
from support.check import ROOT, Context, expect, run
from support.servers import free_port

ARTICLE = ROOT / "Sources" / "HubRPC" / "HubRPC.docc" / "UsingTheBackend.md"
KEY = "a-key-of-the-push-rpc-check"


class CLI:
    """rpc-cli, as a line of the article calls it."""

    def __init__(self, folder: str, port: int):
        self.environment = {"KEY": KEY, "SERVER": f"127.0.0.1:{port}", "PATH": f"{folder}:/usr/bin:/bin"}

    def run(self, line: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["bash", "-c", line], env=self.environment, capture_output=True, text=True, timeout=30
        )

    def answer(self, line: str) -> str:
        done = self.run(line)
        expect(done.returncode == 0, f"{line}\n{done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def fails(self, line: str, says: str) -> None:
        done = self.run(line)
        expect(done.returncode == 2 and says in done.stderr, f"{line}\n{done.returncode}: {done.stdout}{done.stderr}")


def commands(cli: CLI) -> int:
    count = 0
    for lines, shown in examples(ARTICLE):
        answers = [cli.answer(line) for line in lines]
        count += len(lines)
        for line, answer, expected in zip(lines, answers, shown):
            expect(fits(answer, expected), f"{line}\nanswered {answer!r}, and not {expected!r}")
    return count


def both_ways(cli: CLI, url: str) -> None:
    """What was said by RPC stands in the history by HTTP, and a campaign is the same by both."""
    fields = {"Authorization": f"Bearer {KEY}"}
    history = requests.get(f"{url}/api/v1/history?topic=news", headers=fields, timeout=10).json()
    expect([item["data"] for item in history["messages"]] == [{"title": "Hello"}], f"history: {history}")
    users = [f"user-{number}" for number in range(100)]
    body = {"id": "slow", "rate": 1, "delivery": "inbox", "users": users, "text": "x"}
    begun = requests.post(f"{url}/api/v1/campaigns", json=body, headers=fields, timeout=10)
    expect(begun.status_code == 202, f"campaign: {begun.status_code} {begun.text}")
    call = 'rpc-cli call $SERVER longwire.HubBackend/{} -m "x-api-key=$KEY" \'{{"id": "slow"}}\''
    expect(json.loads(cli.answer(call.format("PauseCampaign")))["state"] == "paused", "paused by RPC")
    seen = requests.get(f"{url}/api/v1/campaigns/slow", headers=fields, timeout=10).json()
    expect(seen["state"] == "paused", f"seen by HTTP: {seen}")
    expect(json.loads(cli.answer(call.format("CancelCampaign")))["state"] == "cancelled", "cancelled by RPC")


def refusals(cli: CLI) -> None:
    call = "rpc-cli call $SERVER longwire.HubBackend/"
    key = '-m "authorization=Bearer $KEY"'
    for metadata in ("", '-m "authorization=Bearer another-key-of-16-bytes"', '-m "x-api-key=short"'):
        cli.fails(f"{call}Sessions {metadata} '{{}}'", "unauthenticated: a key is needed")
    cli.fails(f"{call}Publish {key} '{{\"topic\": \"a\"}}'", "either data or text is needed")
    cli.fails(f"{call}Campaign {key} '{{\"id\": \"none\"}}'", "notFound: no such campaign")
    cli.fails(f"{call}History {key} '{{\"topic\": \"a\", \"limit\": 1001}}'", "limit has to be from 1 to 1000")
    cli.fails(f"{call}Nothing {key} '{{}}'", "unimplemented")
    expect(cli.answer("rpc-cli health $SERVER") == "serving\n", "health")


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "api.keys"
        keys.write_text(f"{KEY}\n")
        port = free_port()
        server = context.server(
            "push-server", "--api-key-file", str(keys), "--trust-names", "--store", f"{folder}/push.sqlite",
            "--rpc-port", str(port),
        )
        cli = CLI(str(Path(context.options.bin).resolve()), port)
        count = commands(cli)
        both_ways(cli, f"http://127.0.0.1:{server.port}")
        refusals(cli)
        context.note(f"{count} commands of the article")
        server.close()


if __name__ == "__main__":
    run(check, seconds_max=120)
