#!/usr/bin/env python3
"""Who may use the push API, bodies that are made to do harm, and what push-server does not start with."""

import json
import subprocess
import tempfile
from pathlib import Path

import requests
from support.check import Context, expect, run
from support.servers import Server
from websockets.sync.client import connect

KEY = "a-key-of-the-push-api-check"
FIELDS = {"Authorization": f"Bearer {KEY}"}

VALUES = [
    b"-", b"1e", b"1.", b"00012", b"1-2", b'"\\q"', b'"\\uD800"', b'"\\uDC00\\uD800"', b'"a\x01b"', b'"a\nb"', b"[1,]", b'{"a":1,}',
    b"nul", b"NaN", b"1 2", b"", b'"\xff\xfe"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b"[" * 17 + b"]" * 17, b"[" * 100_000,
]
HOSTILE = [b'{"topic": "t", "data": %s}' % value for value in VALUES] + [
    b'{"topic": "t", "data": 1, "data": 2}', b'{"topic": "t", "topic": "u", "data": 1}',
    b'{"topic": "t", "t\\u006fpic": "u", "data": 1}', b'{"topic": "t", "data": 1} {}', b'\xef\xbb\xbf{"topic": "t", "data": 1}',
    '{"topic": "t", "data": 1}'.encode("utf-16"), b'{"topic": "t", "data": 1', b"", b"null", b'["topic"]',
    b'{"topic": "%s", "data": 1}' % (b"t" * 257), b'{"topic": "", "data": 1}', b'{"topic": "t", "event": "%s", "data": 1}' % (b"e" * 257),
    b'{"topic": "t", "text": "\xff"}', b'{"topic": "t", "text": "\\ud800"}',
]
TAKEN: list[tuple[bytes, object]] = [
    (b'{"topic": "t", "data": null}', None), (b'{"topic": "t", "data": -0.0e+1}', 0.0), (b'{"topic": "t", "data": "\\uD83D\\ude00"}', "😀"),
    (b'{"topic": "t", "data": {"a": {"a": [1]}}}', {"a": {"a": [1]}}), ('{"topic": "t", "data": "Grüße"}'.encode(), "Grüße"),
]


def curl(line: str, server: Server) -> str:
    environment = {"KEY": KEY, "URL": f"http://127.0.0.1:{server.port}", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=30)
    expect(done.returncode == 0, f"{line}\n{done.stderr}")
    return done.stdout


def hostile_bodies(server: Server) -> int:
    """What is no JSON to the strictest reader is refused, and reaches no device: one would lose its connection by it."""
    with connect(
        server.url("/ws?user=ann&device=check"), subprotocols=["push.v1.json"], proxy=None, compression=None
    ) as device:
        device.send('{"type": "subscribe", "topic": "t"}')
        expect([json.loads(device.recv(10))["type"] for _ in range(2)] == ["welcome", "subscribed"], "the device is there")
        for body in HOSTILE:
            answer = post(server, "publish", body)
            expect(answer.status_code == 400 and "error" in answer.json(), f"{body!r}: {answer.status_code} {answer.text}")
        for body, data in TAKEN:
            answer = post(server, "publish", body)
            expect(answer.status_code == 200, f"{body!r}: {answer.status_code} {answer.text}")
            heard = json.loads(device.recv(10))
            expect(heard["json"] == data, f"{body!r}: heard {heard}")
    history = requests.get(f"{url(server)}/api/v1/history?topic=t", headers=FIELDS, timeout=10).json()
    expect([item["data"] for item in history["messages"]] == [data for _, data in TAKEN], f"history: {history}")
    return len(HOSTILE)


def post(server: Server, path: str, body: bytes) -> requests.Response:
    return requests.post(f"{url(server)}/api/v1/{path}", data=body, headers=FIELDS, timeout=10)


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def refusals(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/api/v1/sessions"
    for field in ("", "-H 'Authorization: Bearer another-key-of-16-bytes'", "-u user:password"):
        status = curl(f"curl -s -o /dev/null -w '%{{http_code}}' {field} {url}", server)
        expect(status == "401", f"{field}: {status}")


def no_key_on_the_command_line(server: Server) -> None:
    line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    expect(KEY.encode() not in line, "the key stands on the command line")


def behind_a_proxy(context: Context) -> None:
    """Who a trusted proxy says the client is stands in the access log; who comes from elsewhere is not believed."""
    for trusted, wanted in (("127.0.0.0/8", "remote=203.0.113.9"), ("192.0.2.1", "remote=127.0.0.1")):
        server = context.server(
            "push-server", "--trust-names", "--access-log", "--trust", trusted, environment={"PUSH_API_KEYS": KEY}
        )
        curl("curl -s -H 'X-Forwarded-For: 203.0.113.9' $URL/healthz?token=secret", server)
        line = next(line for line in server.log().splitlines() if "path=/healthz" in line)
        expect(wanted in line and "secret" not in line, f"--trust {trusted}: {line}")
        server.close()


def full_store(context: Context, folder: str) -> None:
    """A file that is as large as it may be takes no more, says so, and gives out what it took."""
    path = Path(folder) / "full.sqlite"
    server = context.server(
        "push-server", "--trust-names", "--store", str(path), "--store-max", "1", environment={"PUSH_API_KEYS": KEY}
    )
    body, taken = json.dumps({"user": "bea", "text": "x" * 30_000}).encode(), 0
    while (answer := post(server, "send", body)).status_code == 201:
        taken += 1
        expect(taken < 40, "more than 1 MiB was taken")
    expect(answer.status_code == 507 and answer.json()["error"] == "the store is full", f"full: {answer.status_code} {answer.text}")
    expect(path.stat().st_size <= 1 << 20, f"a file of {path.stat().st_size} bytes")
    heard: set[str] = set()
    with connect(server.url("/ws?user=bea&device=check"), subprotocols=["push.v1.json"], proxy=None, compression=None) as device:
        while len(heard) < taken:
            message = json.loads(device.recv(10))
            if message["type"] != "inbox":
                continue
            heard.add(message["inbox"])
            device.send(json.dumps({"type": "acknowledge", "ids": [message["inbox"]]}))
    expect(post(server, "send", body).status_code == 201, "what has arrived makes room")
    server.close()


def endings(context: Context) -> None:
    """What cannot be used is said in one line."""
    program = str(Path(context.options.bin) / "push-server")
    for arguments, environment, words in (
        ([], {"PUSH_API_KEYS": KEY}, "--token-key-file or --trust-names"),
        (["--trust-names"], {}, "no API key"),
        (["--trust-names"], {"PUSH_API_KEYS": "short"}, "16"),
        (["--trust-names", "--api-key-file", "/nonexistent"], {}, "cannot be read"),
        (["--trust-names", "--trust", "nobody"], {"PUSH_API_KEYS": KEY}, "--trust: "),
        (["--trust-names", "--proxy-protocol"], {"PUSH_API_KEYS": KEY}, "no use without --trust"),
        (["--trust-names", "--store-max", "0"], {"PUSH_API_KEYS": KEY}, "--store-max has to be"),
        (
            ["--trust-names", "--handover", "/nonexistent", "--rpc-port", "0", "--loops", "33"], {"PUSH_API_KEYS": KEY},
            "at most 32 loops",
        ),
    ):
        done = subprocess.run([program, "--port", "0", *arguments], env=environment, capture_output=True, text=True, timeout=30)
        expect(done.returncode != 0 and words in done.stderr, f"{arguments}: {done.returncode} {done.stderr}")


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "api.keys"
        keys.write_text(f"# the check's\n{KEY}\n")
        server = context.server(
            "push-server", "--api-key-file", str(keys), "--trust-names", "--store", f"{folder}/push.sqlite"
        )
        count = hostile_bodies(server)
        refusals(server)
        no_key_on_the_command_line(server)
        behind_a_proxy(context)
        full_store(context, folder)
        endings(context)
        context.note(f"{count} bodies refused")
        server.close()


if __name__ == "__main__":
    run(check, seconds_max=120)
