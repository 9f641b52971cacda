#!/usr/bin/env python3
"""Plain HTTP on the chat server's port: the page and its files with their tags, /healthz, keep-alive,
refusals, the origin check."""

import http.client
import re

from support.chat import PATH
from support.check import Context, expect, run
from support.raw_websocket import RawConnection, upgrade_request
from support.servers import Server

TYPES = {"": "text/html", "html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def get(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    body = response.read()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def page_and_files(server: Server) -> int:
    # One connection for all: keep-alive has to work.
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    status, headers, page = get(connection, "/")
    expect(status == 200, f"GET /: {status}")
    expect(headers.get("content-type", "").startswith("text/html"), f"GET /: {headers.get('content-type')}")
    expect(b"<title>" in page, "GET / is not the page")
    files = sorted(set(re.findall(rb'(?:href|src)="(/[^"#]+)"', page)))
    expect(len(files) >= 2, "the page has no script and style")
    local = connection.sock
    for path in (file.decode() for file in files):
        status, headers, body = get(connection, path)
        expect(status == 200 and body, f"GET {path}: {status}")
        kind = TYPES[path.rpartition(".")[2]]
        expect(headers.get("content-type", "").startswith(kind), f"GET {path}: {headers.get('content-type')}")
        status, headers, body = get(connection, path, "HEAD")
        expect(status == 200 and not body and int(headers["content-length"]) > 0, f"HEAD {path}: {status}")
        tag = headers["etag"]
        for asked in (tag, f'"other", W/{tag}', "*"):
            status, again, body = get(connection, path, headers={"If-None-Match": asked})
            expect((status, again.get("etag"), body) == (304, tag, b""), f"GET {path} with If-None-Match: {asked}: {status}")
        status, _, body = get(connection, path, headers={"If-None-Match": '"other"', "Range": "bytes=0-1"})
        expect(status == 200 and len(body) == int(headers["content-length"]), f"GET {path} with another tag: {status}")
    expect(connection.sock is local and local is not None, "the connection was not kept alive")
    for header in ("x-content-type-options", "content-security-policy"):
        expect(header in get(connection, "/")[1], f"the page comes without {header}")
    connection.close()
    return len(files)


def health(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    status, _, body = get(connection, "/healthz")
    expect(status == 200 and body, f"GET /healthz: {status} {body!r}")
    connection.close()


def refusals(server: Server) -> None:
    for path in ("/nothing", "/../Package.swift", "/%2e%2e/main.swift", "/index.html/", "//etc/passwd"):
        with RawConnection(server.port) as connection:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            status = int(connection.read_head().split()[1])
            expect(status in (400, 404), f"GET {path}: {status}")
    for method in ("POST", "DELETE"):
        with RawConnection(server.port) as connection:
            connection.send(f"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            status = int(connection.read_head().split()[1])
            expect(status in (405, 501), f"{method} /: {status}")
    with RawConnection(server.port) as connection:
        connection.send(f"GET {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        status = int(connection.read_head().split()[1])
        expect(status in (400, 426), f"GET {PATH} without an upgrade: {status}")


def origins(server: Server) -> None:
    host = f"127.0.0.1:{server.port}"
    for origin, expected in ((f"http://{host}", 101), ("http://evil.example", 403), ("null", 403), (None, 101)):
        line = f"\r\nOrigin: {origin}" if origin else ""
        with RawConnection(server.port) as connection:
            connection.send(upgrade_request(PATH, host).replace(b"\r\nUpgrade:", line.encode() + b"\r\nUpgrade:", 1))
            status = int(connection.read_head().split()[1])
            expect(status == expected, f"an upgrade from the origin {origin}: {status} instead of {expected}")


def check(context: Context) -> None:
    server = context.server("chat-server")
    count = page_and_files(server)
    health(server)
    refusals(server)
    origins(server)
    context.note(f"the page and {count} files")


if __name__ == "__main__":
    run(check, seconds_max=60)
