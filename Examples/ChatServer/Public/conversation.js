// Shows what is said in one room, and stays at its end where the user is there.

import { nameList } from "/rooms.js";
import { $, entryElements } from "/view.js";

const RENDERED_MAX = 500;

const scroller = $("scroller");
const nearEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;

export function scrollDown() {
  scroller.scrollTop = scroller.scrollHeight;
  $("jump").hidden = true;
}

/** Shows `entries`, the last of the room's; `then` shows what comes below them. */
export function showMore(room, entries, self, then) {
  const stick = nearEnd();
  const list = $("messages");
  const start = room.entries.length - entries.length;
  for (const [index, entry] of entries.entries()) {
    list.append(...entryElements(entry, room.entries[start + index - 1], self));
  }
  while (list.childElementCount > RENDERED_MAX) list.firstElementChild.remove();
  then();
  if (stick) scrollDown();
  else $("jump").hidden = false;
}

/** Shows all of a room. */
export function showRoom(room, self) {
  $("room-title").textContent = room.name;
  const list = $("messages");
  // Whole rooms are not read out; only what arrives after is.
  list.setAttribute("aria-live", "off");
  list.replaceChildren();
  for (const [index, entry] of room.entries.entries()) {
    list.append(...entryElements(entry, room.entries[index - 1], self));
  }
  requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
}

/** Shows who is typing. */
export function showTyping(names) {
  const text = names.length === 0 ? "" : names.length > 3 ? "Several people are typing"
    : `${nameList(names)} ${names.length === 1 ? "is" : "are"} typing`;
  if ($("typing-text").textContent !== text) $("typing-text").textContent = text;
  $("typing").firstElementChild.hidden = text === "";
}

scroller.addEventListener("scroll", () => {
  if (nearEnd()) $("jump").hidden = true;
  scroller.dataset.stick = String(nearEnd());
}, { passive: true });
$("jump").addEventListener("click", scrollDown);
new ResizeObserver(() => {
  if (scroller.dataset.stick === "true") scrollDown();
}).observe(scroller);
