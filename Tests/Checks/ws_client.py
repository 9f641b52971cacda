#!/usr/bin/env python3
"""ws-client against ws-echo and a foreign server: lines, frames, pings, refusals, proxy, Unix sockets, ends."""

import asyncio
import base64
import os
import re
import signal
import tempfile
from pathlib import Path

import websockets
from support.check import Context, Failed, expect, run
from support.servers import free_port
from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.http11 import Response

TRIPS = re.compile(r"^(\d+) round trips: min (\d+) µs, median (\d+) µs, p99 (\d+) µs, max (\d+) µs$")


class Client:
    """Runs ws-client, and says what it wrote and how it ended."""

    def __init__(self, context: Context):
        self.path = str(Path(context.options.bin) / "ws-client")
        self.count = 0

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        self.count += 1
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(self.path, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)

    async def run(self, *arguments: str, lines: bytes = b"") -> tuple[int, str, str]:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(lines), 20)
        return process.returncode, out.decode(), err.decode()

    async def fails(self, title: str, status: int, says: str, *arguments: str) -> None:
        code, out, err = await self.run(*arguments)
        expect(code == status, f"{title}: exit code {code} instead of {status}: {err!r}")
        lines = [line for line in err.splitlines() if not re.match(r"Usage:|Help:|\s+See ", line)]
        expect(len(lines) == 1, f"{title}: {len(lines)} lines instead of one: {err!r}")
        expect(re.search(says, lines[0]) is not None, f"{title}: {lines[0]!r} does not say {says!r}")
        expect(not out, f"{title}: output {out!r}")


async def against_ws_echo(context: Context, client: Client) -> None:
    port = context.server("ws-echo", "--loops", "1").port
    long = "é" * 100_000
    lines = ["hello", "", "wörld €😀", long]
    text = "".join(line + "\n" for line in lines)
    for host in ("127.0.0.1", "localhost"):
        code, out, err = await client.run(f"ws://{host}:{port}/path?a=b", lines=text.encode())
        expect((code, out, err) == (0, text, ""), f"lines by {host}: {code} {len(out)} characters {err!r}")
    code, out, err = await client.run(f"ws://127.0.0.1:{port}", "--hex", lines=b"00 fF\n\n7f80\n")
    expect((code, out, err) == (0, "00ff\n\n7f80\n", ""), f"hexadecimal: {code} {out!r} {err!r}")
    code, out, err = await client.run(f"ws://127.0.0.1:{port}", "--hex", lines=b"0g\n")
    expect(code == 2 and "not hexadecimal" in err, f"no hexadecimal: {code} {err!r}")
    await pings(client, f"ws://127.0.0.1:{port}")
    many = "".join(f"line {number}\n" for number in range(20_000))
    code, out, err = await client.run(f"ws://127.0.0.1:{port}", lines=many.encode())
    expect((code, out, err) == (0, many, ""), f"20,000 lines: {code} {len(out)} characters {err!r}")


async def pings(client: Client, url: str) -> None:
    code, out, err = await client.run(url, "--ping", "50", "--ping-interval", "0.001")
    figures = TRIPS.match(out.strip())
    expect(code == 0 and figures is not None, f"pings: {code} {out!r} {err!r}")
    count, *times = map(int, figures.groups())
    expect(count == 50 and times == sorted(times) and times[0] > 0, f"pings: {out!r}")


async def signals(context: Context, client: Client) -> None:
    """A signal closes with 1001; so does one before the WebSocket is open end the attempt."""
    for number in (signal.SIGINT, signal.SIGTERM):
        closed = asyncio.get_running_loop().create_future()

        async def handler(socket: ServerConnection) -> None:
            await socket.send("ready")
            await socket.wait_closed()
            closed.set_result(socket.close_code)

        async with serve(handler, "127.0.0.1", 0) as server:
            process = await client.start(f"ws://127.0.0.1:{port_of(server)}")
            await asyncio.wait_for(process.stdout.readline(), 10)
            process.send_signal(number)
            code = await asyncio.wait_for(process.wait(), 10)
            expect(code == 128 + number, f"{number.name}: exit code {code}")
            expect(await closed == 1001, f"{number.name}: closed with {closed.result()}")

    silent = await asyncio.start_server(lambda reader, _: reader.read(), "127.0.0.1", 0)
    process = await client.start(f"ws://127.0.0.1:{port_of(silent)}", "--verbose")
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGINT)
    code = await asyncio.wait_for(process.wait(), 10)
    expect(code == 128 + signal.SIGINT, f"a signal during the handshake: exit code {code}")
    silent.close()


def port_of(server) -> int:
    return next(iter(server.sockets)).getsockname()[1]


async def against_foreign(context: Context, client: Client) -> None:
    seen = {}

    async def handler(socket: ServerConnection) -> None:
        seen["headers"], seen["path"] = socket.request.headers, socket.request.path
        if socket.request.path.startswith("/close"):
            await socket.close(int(socket.request.path[7:]), "because")
            return
        await socket.send(f"subprotocol {socket.subprotocol}")
        await socket.send(b"\x00\x01")
        await (await socket.ping(b"abc"))
        async for message in socket:
            await socket.send(message)

    def refuse(_: ServerConnection, request) -> Response | None:
        headers = websockets.Headers()
        match request.path:
            case "/refused": return Response(401, "Unauthorized", headers, b"no")
            case "/moved":
                headers["Location"] = "ws://elsewhere.example/"
                return Response(302, "Found", headers)
        return None

    def choose(_: ServerConnection, offered: list[str]) -> str | None:
        return "chat" if "chat" in offered else None

    settings = {"process_request": refuse, "select_subprotocol": choose, "compression": None}
    async with serve(handler, "127.0.0.1", 0, **settings) as server:
        url = f"ws://ada:p%40ss@127.0.0.1:{port_of(server)}"
        code, out, err = await client.run(
            url + "/a?b", "-v", "-H", "X-One: 1", "-H", "Cookie: a=b", "--subprotocol", "chat",
            "--origin", "http://here", "--linger", "0.3", lines=b"bye\n")
        expect(code == 0 and out == "subprotocol chat\n0001\nbye\n", f"a conversation: {code} {out!r} {err!r}")
        for note in ("* open: 127.0.0.1", "* subprotocol: chat", "* ping: 616263", "* close: 1000", "* closed: "):
            expect(note in err, f"--verbose says no {note!r}: {err!r}")
        basic = "Basic " + base64.b64encode(b"ada:p@ss").decode()
        sent = {"X-One": "1", "Cookie": "a=b", "Authorization": basic, "Origin": "http://here"}
        for name, value in sent.items():
            expect(seen["headers"].get(name) == value, f"{name} is {seen['headers'].get(name)!r}")
        expect(seen["path"] == "/a?b", f"the path is {seen['path']}")
        await client.fails("a refusal", 1, r"refused with 401", url + "/refused")
        await client.fails("a redirect", 1, r"redirected with 302 to .*elsewhere", url + "/moved")
        await client.fails("a policy", 2, r"closed with 1008", url + "/close/1008")
        code, _, err = await client.run(url + "/close/1001", "-v")
        expect(code == 0 and '* close: 1001 "because"' in err, f"a close: {code} {err!r}")
        await through_proxy(client, port_of(server))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        for place, option in ((path, path), ("\0longwire-check-" + str(os.getpid()),) * 2):
            async with unix_serve(handler, place, compression=None):
                option = option.replace("\0", "@")
                code, out, err = await client.run("ws://name.example/u", "--unix", option, lines=b"x\n")
                expect(code == 0 and out.endswith("\nx\n"), f"{option}: {code} {out!r} {err!r}")
                expect(seen["headers"]["Host"] == "name.example", f"{option}: host {seen['headers']['Host']}")


class Proxy:
    """A CONNECT proxy that wants credentials, and resolves every name to loopback."""

    def __init__(self):
        self.requests: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head)
        if base64.b64encode(b"u:s").decode() not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
            writer.close()
            return
        port = int(head.split(" ")[1].rpartition(":")[2])
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 check\r\n\r\n")
        await asyncio.gather(self.copy(reader, far_writer), self.copy(far_reader, writer))

    async def copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def through_proxy(client: Client, port: int) -> None:
    proxy = Proxy()
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"127.0.0.1:{port_of(server)}"
    far = f"ws://far.example:{port}/"
    code, out, err = await client.run(far, "--proxy", f"http://u:s@{address}", lines=b"by proxy\n")
    expect(code == 0 and out.endswith("\nby proxy\n"), f"by proxy: {code} {out!r} {err!r}")
    expect(proxy.requests[0].startswith(f"CONNECT far.example:{port} HTTP/1.1\r\n"), f"asked: {proxy.requests[0]!r}")
    await client.fails("a proxy without credentials", 1, "proxy refused with 407", far, "--proxy", f"http://{address}")
    server.close()


async def mistakes(client: Client) -> None:
    closed = free_port()
    await client.fails("nothing listens", 1, f"127.0.0.1:{closed}: refused", f"ws://127.0.0.1:{closed}/")
    await client.fails("no such socket", 1, "No such file", "ws://a/", "--unix", "/nonexistent/socket")
    await client.fails("no such name", 1, "nowhere.invalid", "ws://nowhere.invalid/", "--timeout", "5")
    await client.fails("TLS", 64, "wss needs TLS", "wss://a/")
    await client.fails("a fragment", 64, "fragment", "ws://a/#b")
    await client.fails("a port", 64, "port", "ws://a:70000/")
    await client.fails("a scheme", 64, "http", "http://a/")
    await client.fails("a header", 64, "colon", "ws://a/", "-H", "nothing")
    await client.fails("an injection", 64, "control", "ws://a/", "-H", "A: b\r\nC: d")
    await client.fails("a count", 64, "--ping", "ws://a/", "--ping", "0")
    await client.fails("a proxy's TLS", 64, "https needs TLS", "ws://a/", "--proxy", "https://p/")
    silent = await asyncio.start_server(lambda reader, _: reader.read(), "127.0.0.1", 0)
    url = f"ws://127.0.0.1:{port_of(silent)}/"
    await client.fails("a silent server", 1, "no answer in time", url, "--timeout", "0.3")
    silent.close()


async def check(context: Context) -> None:
    client = Client(context)
    problems = []
    for name, part in {
        "ws-echo": against_ws_echo(context, client), "a foreign server": against_foreign(context, client),
        "signals": signals(context, client), "mistakes": mistakes(client),
    }.items():
        try:
            await part
        except (Failed, TimeoutError) as problem:
            problems.append(f"{name}: {problem!r}")
    for problem in problems:
        print(f"  {problem}")
    expect(not problems, f"{len(problems)} parts went wrong")
    context.note(f"{client.count} runs of ws-client")


if __name__ == "__main__":
    run(check, seconds_max=120)
