"""Headless Chromium, driven over its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from websockets.sync.client import connect

NAMES = ["chromium", "chromium-browser", "google-chrome"]


class Browser:
    """Use with `with`; each page has a profile of its own, as if it were another person's."""

    def __enter__(self) -> "Browser":
        binary = next((found for name in NAMES if (found := shutil.which(name))), None)
        if binary is None:
            raise RuntimeError("no Chromium: apt-get install chromium")
        self.profile = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [
                binary, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-default-apps", "--disable-sync", "--hide-scrollbars", "--remote-debugging-port=0",
                "--lang=en-US", f"--user-data-dir={self.profile.name}", "about:blank",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        announced = Path(self.profile.name) / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not announced.exists() or len(announced.read_text().splitlines()) < 2:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError("Chromium does not start")
            time.sleep(0.05)
        port, path = announced.read_text().splitlines()[:2]
        self.socket = connect(f"ws://127.0.0.1:{port}{path}", max_size=None, compression=None, proxy=None)
        self.calls = 0
        self.pages: dict[str, Page] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # A child of the browser may still be writing into the profile.
        shutil.rmtree(self.profile.name, ignore_errors=True)

    def open(self, url: str, width: int, height: int, *, dark: bool = False, phone: bool = False) -> "Page":
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session, target)
        self.pages[session] = page
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=2 if phone else 1, mobile=phone,
        )
        if phone:
            page.call("Emulation.setTouchEmulationEnabled", enabled=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        page.call("Emulation.setEmulatedMedia", features=[scheme])
        page.call("Page.navigate", url=url)
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page

    def call(self, method: str, session: str | None = None, **parameters) -> dict:
        self.calls += 1
        request = {"id": self.calls, "method": method, "params": parameters}
        if session is not None:
            request["sessionId"] = session
        self.socket.send(json.dumps(request))
        while True:
            answer = json.loads(self.socket.recv(timeout=30))
            if answer.get("id") == self.calls:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def _note(self, event: dict) -> None:
        page = self.pages.get(event.get("sessionId", ""))
        if page is None:
            return
        details = event.get("params", {})
        match event.get("method"):
            case "Network.webSocketCreated":
                page.sockets[details["requestId"]] = []
            case "Network.webSocketWillSendHandshakeRequest":
                page.offer = details["request"]["headers"].get("Sec-WebSocket-Protocol", "")
            case "Network.webSocketFrameSent" if details["response"]["opcode"] == 1:
                page.sockets[details["requestId"]].append(details["response"]["payloadData"])
            case "Runtime.exceptionThrown":
                exception = details["exceptionDetails"]
                page.errors.append(exception.get("exception", {}).get("description") or exception["text"])
            case "Runtime.consoleAPICalled" if details["type"] in ("error", "warning", "assert"):
                page.errors.append(" ".join(str(part.get("value")) for part in details["args"]))
            case "Log.entryAdded" if details["entry"]["level"] in ("error", "warning"):
                page.errors.append(f"{details['entry']['text']} {details['entry'].get('url', '')}")


class Page:
    def __init__(self, browser: Browser, session: str, target: str):
        self.browser = browser
        self.session = session
        self.target = target
        self.errors: list[str] = []  # of the console, and exceptions nobody caught
        self.sockets: dict[str, list[str]] = {}  # texts sent, by WebSocket, in the order of their opening
        self.offer = ""  # the subprotocols that the last WebSocket asked for

    def call(self, method: str, **parameters) -> dict:
        return self.browser.call(method, self.session, **parameters)

    def value(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{expression}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def until(self, expression: str, seconds_max: float = 20) -> None:
        """Waits until the expression is true on the page."""
        deadline = time.monotonic() + seconds_max
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page never came to: {expression}")
            time.sleep(0.05)

    def text(self, selector: str) -> str:
        return self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def until_text(self, selector: str, wanted: str) -> None:
        self.until(f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(wanted)})")

    def type(self, selector: str, text: str) -> None:
        """As a person does: into the focused field, through the browser's own input."""
        self.value(f"(field => {{ field.focus(); field.select?.(); }})(document.querySelector({json.dumps(selector)}))")
        self.call("Input.insertText", text=text)

    def press_enter(self) -> None:
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        self.call("Input.dispatchKeyEvent", type="keyDown", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)
        self.browser.pages.pop(self.session, None)
