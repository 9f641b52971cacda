#!/usr/bin/env python3
"""Chromium pages in one room see each other's messages, names and leaving, come back from lost connections and a restart
where they were or tell of a gap, and are one person on two devices; screenshots of every look."""

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path

from support.browser import Browser, Page
from support.chat import PATH, ChatClient
from support.check import Context, expect, run
from support.line import Line
from support.servers import Server

ROOM = "lobby"
DESKTOP, PHONE = (1280, 800), (390, 844)


class ChatPage:
    """What a person does on the page and sees there; the page's own ids are only here."""

    def __init__(self, page: Page, name: str):
        self.page = page
        self.name = name

    def sign_in(self, room: str = ROOM) -> "ChatPage":
        self.page.type("#name", self.name)
        self.page.type("#first-room", room)
        self.page.press_enter()
        self.page.until("document.body.dataset.state === 'ready' && !document.querySelector('#chat').hidden")
        self.sees_member(self.name)
        expect(
            self.page.value("(box => box.scrollHeight <= box.clientHeight + 2)(document.querySelector('#composer-input'))"),
            f"the message box of {self.name}'s page cuts its text off",
        )
        return self

    def say(self, text: str) -> None:
        self.page.type("#composer-input", text)
        self.page.press_enter()
        self.sees(text)

    def sees(self, text: str) -> None:
        self.page.until_text("#messages", text)

    def sees_member(self, name: str) -> None:
        # textContent, because a phone keeps the list in a drawer.
        self.page.until(f"document.querySelector('#members').textContent.includes({name!r})")

    def misses_member(self, name: str) -> None:
        self.page.until(f"!document.querySelector('#members').textContent.includes({name!r})")

    def texts(self) -> list[str]:
        """What was said, from top to bottom."""
        return self.page.value("[...document.querySelectorAll('#messages .text')].map(text => text.textContent)")

    def is_ready(self) -> None:
        self.page.until("document.body.dataset.state === 'ready'")

    def has_resumed(self) -> None:
        """On its last connection the page said its token first, and nobody asked it who it is."""
        said = [json.loads(text) for text in list(self.page.sockets.values())[-1]]
        expect(said[0]["type"] == "resume", f"{self.name}'s page came back by {said[0]['type']}")
        expect("longwire.resume." in self.page.offer, "the page's request does not show its token")
        asked = {(envelope["type"], envelope.get("event")) for envelope in said}
        expect(("request", "hello") not in asked, f"{self.name}'s page said hello again")
        expect(not any(kind == "subscribe" for kind, _ in asked), f"{self.name}'s page had to enter its rooms again")
        shown = self.page.text("#messages")
        expect("missed" not in shown and "anew" not in shown, "a session that went on is told as a gap")


def conversation(browser: Browser, url: str, output: Path) -> list[ChatPage]:
    ada = ChatPage(browser.open(url, *DESKTOP), "Ada").sign_in()
    bob = ChatPage(browser.open(url, *DESKTOP, dark=True), "Bob").sign_in()
    ada.sees_member("Bob")
    bob.sees_member("Ada")

    ada.say("Hello Bob, can you read this?")
    bob.sees("Hello Bob, can you read this?")
    bob.sees("Ada")
    bob.say("Loud and clear. 🎉 Grüße aus Αθήνα!")
    ada.sees("Grüße aus Αθήνα!")
    ada.say("<b>not bold</b> & \"quoted\"")
    bob.sees("<b>not bold</b>")
    expect(bob.page.value("document.querySelectorAll('#messages b').length") == 0, "a message's HTML is not escaped")

    # A third on a phone, who comes late: the last messages are there.
    cleo = ChatPage(browser.open(url, *PHONE, phone=True), "Cleo").sign_in()
    cleo.sees("Hello Bob, can you read this?")
    for other in (ada, bob):
        other.sees_member("Cleo")
    cleo.say("Late, but here.")
    for other in (ada, bob):
        other.sees("Late, but here.")
    expect(
        cleo.page.value("document.documentElement.scrollWidth <= window.innerWidth"),
        "the page is wider than a phone",
    )

    bob.page.type("#composer-input", "Let me think")
    ada.page.until_text("#typing-text", "Bob")
    ada.page.screenshot(output / "desktop-light.png")
    bob.page.screenshot(output / "desktop-dark.png")
    cleo.page.screenshot(output / "phone-light.png")

    # Leaving is seen by those who stay.
    errors_of_bob = bob.page.errors
    bob.page.close()
    ada.misses_member("Bob")
    cleo.misses_member("Bob")
    ada.page.until("/Bob[^\\n]*left/.test(document.querySelector('#messages').innerText)")

    dark_phone = ChatPage(browser.open(url, *PHONE, phone=True, dark=True), "Dora")
    dark_phone.page.screenshot(output / "phone-dark-welcome.png")
    dark_phone.sign_in()
    dark_phone.sees("Late, but here.")
    dark_phone.page.screenshot(output / "phone-dark.png")
    ada.sees_member("Dora")
    expect(not errors_of_bob, f"the console of Bob's page says {errors_of_bob}")
    return [ada, cleo, dark_phone]


def other_room(browser: Browser, url: str, ada: ChatPage) -> None:
    """A room of its own: what is said there stays there."""
    eve = ChatPage(browser.open(url, *DESKTOP), "Eve").sign_in("elsewhere")
    eve.say("Only for elsewhere")
    ada.say("Only for the lobby")
    eve.say("Still alone")
    expect("Only for the lobby" not in eve.page.text("#messages"), "a message crossed into another room")
    expect("elsewhere" not in ada.page.text("#messages"), "a message crossed into the lobby")
    expect(not eve.page.errors, f"the console says {eve.page.errors}")
    eve.page.close()


def two_devices(browser: Browser, url: str, ada: ChatPage, cleo: ChatPage, output: Path) -> None:
    """One person on two devices is one member until both have left, and reads along on both."""
    tablet = ChatPage(browser.open(url, *DESKTOP), ada.name).sign_in()
    tablet.sees("Hello Bob, can you read this?")
    tablet.say("From my other device")
    ada.sees("From my other device")
    own = ada.page.value("[...document.querySelectorAll('#messages .own .text')].map(text => text.textContent)")
    expect("From my other device" in own, "what Ada says on one device is not hers on the other")
    names = ada.page.value("[...document.querySelectorAll('#members .member-name')].map(name => name.textContent)")
    expect(names.count(ada.name) == 1, f"Ada is there {names.count(ada.name)} times")
    ada.page.screenshot(output / "two-devices.png")
    expect(not tablet.page.errors, f"the console says {tablet.page.errors}")
    tablet.page.close()
    # Notices come in order: when the next one is there, that of Ada's leaving would be.
    gus = ChatPage(browser.open(url, *DESKTOP), "Gus").sign_in()
    cleo.sees("Gus joined")
    expect("Ada left" not in cleo.page.text("#messages"), "Ada is gone though one device of hers is there")
    cleo.sees_member(ada.name)
    gus.page.close()
    cleo.misses_member("Gus")


def lost_connection(browser: Browser, server: Server, ada: ChatPage, output: Path) -> None:
    """A page whose connection is lost goes on by its token: nothing is missing, and nothing is there twice."""
    while_away = ["First while Hal is away", "Second while Hal is away", "Third while Hal is away"]
    with Line(server.port) as line:
        hal = ChatPage(browser.open(f"http://127.0.0.1:{line.port}/", *DESKTOP), "Hal").sign_in()
        hal.say("Hal is here")
        ada.sees("Hal is here")
        line.cut()
        hal.page.until("document.body.dataset.state === 'waiting'")
        ada.misses_member("Hal")
        for text in while_away:
            ada.say(text)
        hal.page.type("#composer-input", "Said without a connection")
        hal.page.press_enter()
        hal.page.until_text("#pending", "Said without a connection")
        hal.page.screenshot(output / "offline.png")
        line.mend()
        hal.page.until("document.body.dataset.state === 'waiting' && (document.querySelector('#retry-now').click(), true)")
        hal.is_ready()
        hal.sees("Said without a connection")
        ada.sees("Said without a connection")
        hal.say("And back")
        hal.has_resumed()
        ada.sees_member("Hal")
        expected = ["Hal is here", *while_away, "Said without a connection", "And back"]
        for chat in (hal, ada):
            chat.sees("And back")
            expect(chat.texts()[-len(expected):] == expected, f"{chat.name} reads {chat.texts()[-len(expected):]}")
        hal.page.screenshot(output / "resumed.png")
        long_away(hal, line, server)
        # The browser tells of the attempts that could not succeed.
        others = [error for error in hal.page.errors if "WebSocket connection" not in error]
        expect(not others, f"the console of Hal's page says {others}")
        hal.page.close()
    ada.misses_member("Hal")


def long_away(hal: ChatPage, line: Line, server: Server) -> None:
    """Where more was said than the room keeps, the page tells of the gap and shows what there still is."""
    said = [f"Said by Jon: {number}" for number in range(60)]
    line.cut()
    hal.page.until("document.body.dataset.state === 'waiting'")
    asyncio.run(talk(server, "Jon", said))
    line.mend()
    hal.is_ready()
    hal.page.until_text("#messages .gap", "missed while you were away")
    hal.sees(said[10])
    texts = hal.texts()
    expect(texts[texts.index(said[10]):] == said[10:], "what the room kept is not all there, once and in order")
    expect(said[9] not in texts and "And back" in texts, "the page shows more than the room kept, or less than it had")


async def talk(server: Server, name: str, texts: list[str]) -> None:
    client = await ChatClient.enter(server.url(PATH), name, ROOM)
    for text in texts:
        await client.say(text)
    await client.socket.close()


def restart(context: Context, browser: Browser, server: Server, store: Path, ada: ChatPage) -> None:
    """A page whose server goes away comes back by itself, and misses nothing; the store keeps the rooms' histories."""
    server.terminate()
    server.process.wait(20)
    ada.page.until("document.body.dataset.state !== 'ready'")
    again = context.server("chat-server", "--store", str(store), port=server.port)
    ada.is_ready()
    ada.sees_member(ada.name)
    ada.say("Back again")
    ada.has_resumed()
    url = f"http://127.0.0.1:{again.port}/"
    late = ChatPage(browser.open(url, *DESKTOP), "Fay").sign_in()
    late.sees("Said by Jon: 59")
    late.sees("Back again")
    # Nobody came back to this room.
    ChatPage(browser.open(url, *DESKTOP), "Ivy").sign_in("elsewhere").sees("Only for elsewhere")


def check(context: Context) -> None:
    output = Path(context.options.output or os.environ.get("LONGWIRE_SCREENSHOTS") or tempfile.mkdtemp(prefix="chat-pages-"))
    output.mkdir(parents=True, exist_ok=True)
    folder = tempfile.TemporaryDirectory(prefix="chat-store-")
    store = Path(folder.name) / "chat.sqlite"
    server = context.server("chat-server", "--store", str(store))
    url = f"http://127.0.0.1:{server.port}/"
    with Browser() as browser:
        pages = conversation(browser, url, output)
        other_room(browser, url, pages[0])
        for chat in pages:
            expect(not chat.page.errors, f"the console of {chat.name}'s page says {chat.page.errors}")
            expect(chat.page.value("document.body.dataset.state") == "ready", f"{chat.name} lost the connection")
        two_devices(browser, url, pages[0], pages[1], output)
        lost_connection(browser, server, pages[0], output)
        restart(context, browser, server, store, pages[0])
    context.note(f"screenshots in {output}")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="where the screenshots go (default: LONGWIRE_SCREENSHOTS, or a temporary folder)",
    )


if __name__ == "__main__":
    run(check, seconds_max=180, options=options)
