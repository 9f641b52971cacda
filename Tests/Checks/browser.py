#!/usr/bin/env python3
"""Chromium pages in one room see each other's messages, names and leaving; screenshots of every look."""

import argparse
import os
import tempfile
from pathlib import Path

from support.browser import Browser, Page
from support.check import Context, expect, run
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


def restart(context: Context, server: Server, ada: ChatPage) -> None:
    """A page whose server goes away comes back by itself."""
    server.terminate()
    server.process.wait(20)
    ada.page.until("document.body.dataset.state !== 'ready'")
    context.server("chat-server", port=server.port)
    ada.page.until("document.body.dataset.state === 'ready'")
    ada.sees_member(ada.name)
    ada.say("Back again")


def check(context: Context) -> None:
    output = Path(context.options.output or os.environ.get("LONGWIRE_SCREENSHOTS") or tempfile.mkdtemp(prefix="chat-pages-"))
    output.mkdir(parents=True, exist_ok=True)
    server = context.server("chat-server")
    url = f"http://127.0.0.1:{server.port}/"
    with Browser() as browser:
        pages = conversation(browser, url, output)
        other_room(browser, url, pages[0])
        for chat in pages:
            expect(not chat.page.errors, f"the console of {chat.name}'s page says {chat.page.errors}")
            expect(chat.page.value("document.body.dataset.state") == "ready", f"{chat.name} lost the connection")
        restart(context, server, pages[0])
    context.note(f"screenshots in {output}")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="FOLDER",
        help="where the screenshots go (default: LONGWIRE_SCREENSHOTS, or a temporary folder)",
    )


if __name__ == "__main__":
    run(check, seconds_max=180, options=options)
