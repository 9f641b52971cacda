#!/usr/bin/env python3
"""http-demo behind Debian's nginx with the files of Examples/nginx, over TLS and without: requests, bodies, WebSockets, a
page's origin, the client's address by X-Forwarded-For and by the PROXY protocol, and nothing smuggled. Needs nginx, its stream
module, and openssl for a certificate."""

import re
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from http_torture import Client
from support.check import ROOT, Context, expect, run
from support.servers import Server, free_port

FILES = ROOT / "Examples" / "nginx"
ARTICLE = ROOT / "Sources" / "WSTransport" / "WSTransport.docc" / "OperateBehindNginx.md"
HUB_ARTICLE = ROOT / "Sources" / "Hub" / "Hub.docc" / "OperatingBehindNginx.md"
MODULE = Path("/usr/lib/nginx/modules/ngx_stream_module.so")

# What one reader could take for one request and another for two.
DOUBTFUL = [
    b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n",
    b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 0\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding:\x0bchunked\r\n",
]
HIDDEN = b"0\r\n\r\nGET /who?smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


class Nginx:
    """Where it listens, and who believes its certificate."""

    def __init__(self, folder: Path):
        self.port, self.tls_port = free_port(), free_port()
        self.certificate, self.key = folder / "server.crt", folder / "server.key"
        if not self.certificate.exists():
            command = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(self.key), "-out",
                str(self.certificate),
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=30)

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


def start_nginx(context: Context, folder: Path, kind: str, backend: int, *, further: str = "") -> Nginx:
    """Starts nginx with the file of that kind, on a port without TLS as well; `further` is added to its server."""
    text = (FILES / f"{kind}.conf").read_text()
    expect(text in ARTICLE.read_text(), f"the article does not have {kind}.conf as it is")
    nginx = Nginx(folder)
    for line, ours in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{nginx.tls_port} ssl;\nlisten 127.0.0.1:{nginx.port};\n{further}"),
        ("/etc/nginx/server.crt", str(nginx.certificate)), ("/etc/nginx/server.key", str(nginx.key)),
        ("127.0.0.1:8080", f"127.0.0.1:{backend}"),
    ):
        expect(text.count(line) == 1, f"{kind}.conf has no {line}")
        text = text.replace(line, ours)
    load = f"load_module {MODULE};\n" if kind == "stream" else ""
    paths = "".join(
        f"{name}_temp_path {folder}/{kind}-{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / f"{kind}.conf"
    config.write_text(
        f"{load}daemon off;\nmaster_process off;\npid {folder}/{kind}.pid;\nerror_log stderr warn;\n"
        f"events {{ worker_connections 512; }}\n{kind} {{\n"
        + (f"{paths}access_log {folder}/access.log;\n" if kind == "http" else "")
        + f"{text}}}\n"
    )
    server = Server.start(["nginx", "-e", "stderr", "-p", str(folder), "-c", str(config)], [], port=nginx.port)
    context.servers.append(server)
    server.wait_until_ready()
    return nginx


def requests_and_sockets(nginx: Nginx, wanted: str) -> None:
    for url, trusted in ((f"http://127.0.0.1:{nginx.port}", None), (f"https://127.0.0.1:{nginx.tls_port}", nginx.context)):
        requests_and_sockets_at(url, nginx.certificate, trusted, wanted)


def requests_and_sockets_at(url: str, certificate: Path, trusted: ssl.SSLContext | None, wanted: str) -> None:
    with requests.Session() as session:
        # The environment's certificates would go before this one.
        session.trust_env, session.verify = False, str(certificate)
        for size in (0, 5, 200_000):
            data = bytes(size)
            expect(session.post(f"{url}/echo", data=data).content == data, f"{size} bytes")
            expect(session.post(f"{url}/echo", data=iter([data[:3], data[3:]])).content == data, f"{size} in chunks")
        expect(session.get(f"{url}/later/50").text == "after 50 ms\n", "an answer by a task")
        expect(session.head(f"{url}/").headers["Content-Length"] == "10", "HEAD")
        said = session.get(f"{url}/who").text
        expect(said == wanted, f"the client is {said!r} instead of {wanted!r}")
    with connect(f"{url.replace('http', 'ws')}/ws", ssl=trusted, proxy=None, compression=None) as socket:
        for message in ("hello", "x" * 50_000, b"\0" * 1_000):
            socket.send(message)
            expect(socket.recv(timeout=10) == message, "a WebSocket message")


def forwarded(context: Context, folder: Path, port: int, backend: Server) -> None:
    url = f"http://127.0.0.1:{port}/who"
    for sent, wanted in [("203.0.113.9", "203.0.113.9"), ("evil, 203.0.113.9", "203.0.113.9"), ("evil", "127.0.0.1")]:
        # The proxy adds its own client, which is this machine and trusted, so that the one before it counts.
        said = requests.get(url, headers={"X-Forwarded-For": sent}).text.strip()
        expect(said == wanted, f"{sent!r} is taken for {said!r}")
    for fields in DOUBTFUL:
        with Client(port) as client:
            client.socket.settimeout(1)
            client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n" + HIDDEN)
            try:
                while not client.ended:
                    client.fill()
            except (TimeoutError, ConnectionResetError):
                pass
        # The next on the connection that nginx keeps to the server gets its own answer.
        expect(requests.get(f"http://127.0.0.1:{port}/later/1").text == "after 1 ms\n", f"behind {fields!r}")
    time.sleep(0.2)
    # A second request is one only where nginx, too, took it for one.
    passed = (folder / "access.log").read_text().count("GET /who?smuggled")
    served = backend.log().count("GET /who?smuggled")
    expect(served <= passed, f"{passed} hidden requests passed nginx, {served} were served")
    context.note(f"{len(DOUBTFUL)} doubtful framings")


def kept_inside(context: Context, folder: Path, backend: Server) -> None:
    """What the hub's article has nginx answer itself never reaches the server."""
    block = re.search(r"```nginx\n(.*?)```", HUB_ARTICLE.read_text(), re.DOTALL)
    expect(block is not None, "the hub's article has no configuration")
    folder.mkdir()
    port = start_nginx(context, folder, "http", backend.port, further=block[1]).port
    for path, status in (("metrics", 403), ("dashboard", 403), ("dashboard/figures", 403), ("who", 200)):
        answered = requests.get(f"http://127.0.0.1:{port}/{path}").status_code
        expect(answered == status, f"/{path} is answered {answered}")


def pages(context: Context, folder: Path) -> None:
    """A page that came through TLS may open a WebSocket to where it came from, and no other page may."""
    chat = context.server("chat-server")
    folder.mkdir()
    nginx = start_nginx(context, folder, "http", chat.port)
    own = f"https://127.0.0.1:{nginx.tls_port}"
    page = requests.get(own, verify=str(nginx.certificate))
    expect(page.status_code == 200 and "<title>" in page.text, f"the page is answered {page.status_code}")
    for origin, wanted in ((own, 101), ("https://127.0.0.1", 403), ("https://evil.example", 403)):
        try:
            with connect(f"wss://127.0.0.1:{nginx.tls_port}/ws", ssl=nginx.context, origin=origin, proxy=None) as socket:
                status = socket.response.status_code
        except InvalidStatus as refusal:
            status = refusal.response.status_code
        expect(status == wanted, f"a page of {origin} is answered {status}")


def check(context: Context) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backend = context.server("http-demo", "--trust", "127.0.0.1", "--access-log")
        nginx = start_nginx(context, folder, "http", backend.port)
        requests_and_sockets(nginx, "127.0.0.1\n")
        forwarded(context, folder, nginx.port, backend)
        kept_inside(context, folder / "inside", backend)
        pages(context, folder / "pages")
        # Without trust the header is nobody's word.
        wary = context.server("http-demo")
        said = requests.get(f"http://127.0.0.1:{wary.port}/who", headers={"X-Forwarded-For": "203.0.113.9"}).text
        expect(said == "127.0.0.1\n", f"an untrusted client is taken for {said!r}")
        if not MODULE.exists():
            context.note("no stream module")
            return
        # PROXY on this port: waiting for readiness connects and ends, which is no header.
        behind = context.server("http-demo", "--trust", "127.0.0.1", "--proxy-protocol", "--access-log")
        requests_and_sockets(start_nginx(context, folder, "stream", behind.port), "127.0.0.1\n")
        with Client(behind.port) as client:
            client.send(b"PROXY TCP4 203.0.113.9 127.0.0.1 55 80\r\nGET /who HTTP/1.1\r\nHost: h\r\n\r\n")
            expect(client.answer() == (200, b"203.0.113.9\n"), "the PROXY header is not believed")
        with Client(behind.port) as client:
            client.send(b"GET /who HTTP/1.1\r\nHost: h\r\n\r\n")
            client.expect_end("a trusted address without a PROXY header")
        context.note("http and stream, with TLS and without")


if __name__ == "__main__":
    run(check, seconds_max=90)
