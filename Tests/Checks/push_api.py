#!/usr/bin/env python3
"""The curl lines of the push API's article, run as they stand there, against push-server; and what they are to answer."""

import json
import subprocess
import tempfile
from pathlib import Path

from support.article import examples, fits
from support.check import ROOT, Context, expect, run
from support.servers import Server

ARTICLE = ROOT / "Sources" / "HubHTTP" / "HubHTTP.docc" / "UsingTheAPI.md"
KEY = "a-key-of-the-push-api-check"


def curl(line: str, server: Server) -> str:
    environment = {"KEY": KEY, "URL": f"http://127.0.0.1:{server.port}", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, timeout=30)
    expect(done.returncode == 0, f"{line}\n{done.stderr}")
    return done.stdout


def commands(server: Server) -> int:
    count = 0
    for lines, shown in examples(ARTICLE):
        answers = [curl(line, server) for line in lines]
        count += len(lines)
        for line, answer, expected in zip(lines, answers, shown):
            expect(fits(answer, expected), f"{line}\nanswered {answer!r}, and not {expected!r}")
        for line, answer in zip(lines, answers):
            if "/metrics" in line:
                expect("hub_messages_published_total" in answer, f"{line}: {answer[:200]}")
            else:
                expect("error" not in json.loads(answer), f"{line}: {answer}")
    return count


def refusals(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}/api/v1/sessions"
    for field in ("", "-H 'Authorization: Bearer another-key-of-16-bytes'", "-u user:password"):
        status = curl(f"curl -s -o /dev/null -w '%{{http_code}}' {field} {url}", server)
        expect(status == "401", f"{field}: {status}")


def no_key_on_the_command_line(server: Server) -> None:
    line = Path(f"/proc/{server.pid}/cmdline").read_bytes()
    expect(KEY.encode() not in line, "the key stands on the command line")


def endings(context: Context) -> None:
    """What cannot be used is said in one line."""
    program = str(Path(context.options.bin) / "push-server")
    for arguments, environment, words in (
        ([], {"PUSH_API_KEYS": KEY}, "--token-key-file or --trust-names"),
        (["--trust-names"], {}, "no API key"),
        (["--trust-names"], {"PUSH_API_KEYS": "short"}, "16"),
        (["--trust-names", "--api-key-file", "/nonexistent"], {}, "cannot be read"),
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
        count = commands(server)
        refusals(server)
        no_key_on_the_command_line(server)
        endings(context)
        context.note(f"{count} commands of the article")
        server.close()


if __name__ == "__main__":
    run(check, seconds_max=120)
