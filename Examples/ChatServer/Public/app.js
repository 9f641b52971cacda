// The chat page: joins what the user does, what the server says and what is
// shown. The protocol is in PROTOCOL.md beside the server's source.

import { Connection } from "/connection.js";
import { Joins } from "/joins.js";
import { closePanels, openPanel } from "/panels.js";
import { roomInAddress, storedRooms } from "/remembered.js";
import { Room, codePoints, nameList, problemWith } from "/rooms.js";
import * as status from "/status.js";
import { $, entryElements, openRoomElement, paintAvatar, pendingElement, roomElement, showMembers } from "/view.js";

const TYPING_REPEATED_AFTER = 3_000;
const RENDERED_MAX = 500;

let limits = { nameMax: 32, roomMax: 32, textMax: 2000 };
let self = "";
let active = null;            // the Room on show
let ready = false;            // welcomed on this connection
let openRooms = [];
let lastTypingSent = 0;
const rooms = new Map();

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
const connection = new Connection(url, { opened, message: receive, state: showState });
const joins = new Joins((message) => connection.send(message), () => (ready ? [active, ...rooms.values()].filter(Boolean) : []));

// Connection

function opened() {
  connection.send({ type: "hello", version: 1, name: self });
}

const answers = {
  welcome(message) {
    limits = { ...limits, ...message.limits };
    ready = true;
    showState("ready");
    $("welcome").hidden = true;
    $("chat").hidden = false;
    sizeComposer();
    joins.next();
    connection.send({ type: "rooms" });
    $("composer-input").focus({ preventScroll: true });
  },
  joined(message) {
    const room = rooms.get(message.room);
    if (!room) return connection.send({ type: "leave", room: message.room });
    const first = room.epoch === null;
    const added = room.enter(message);
    if (!first) countUnread(room, added);
    for (const pending of room.pending.values()) if (!pending.error) transmit(room, pending);
    joins.answered(room.name);
    if (room === active) renderRoom();
    renderRooms();
  },
  message(message) {
    const room = rooms.get(message.room);
    const entry = room?.receive(message);
    if (!entry) return;
    countUnread(room, [entry]);
    if (room === active) append([entry]);
    renderRooms();
  },
  presence(message) {
    const room = rooms.get(message.room);
    if (!room) return;
    const notices = room.apply(message, self);
    if (room !== active) return;
    append(notices);
    showMembers(active, self);
  },
  typing(message) {
    const room = rooms.get(message.room);
    room?.noteTyping(message.from, message.typing);
    if (room === active) renderTyping();
  },
  rooms(message) {
    openRooms = message.rooms;
    renderRooms();
  },
  error(message) {
    const pending = message.ref && rooms.get(message.room)?.pending.get(message.ref);
    if (pending && message.retryAfter) {
      setTimeout(() => transmit(rooms.get(message.room), pending), message.retryAfter);
    } else if (pending) {
      pending.error = message.message;
      renderPending();
    } else if (!ready) {
      signOut(message.message);
    } else if (message.room && rooms.get(message.room)?.joined === false) {
      forget(rooms.get(message.room));
      $("room-error").textContent = message.message;
      openPanel("rooms-panel");
      joins.answered(message.room);
    }
  },
};

function receive(message) {
  if (Object.hasOwn(answers, message.type)) answers[message.type](message);
}

function showState(state, detail) {
  if (state !== "ready") {
    ready = false;
    joins.reset();
    for (const room of rooms.values()) room.joined = false;
  }
  status.show(state, detail);
  updateSend();
}

// Rooms

function enterRoom(name) {
  let room = rooms.get(name);
  if (!room) {
    room = new Room(name);
    rooms.set(name, room);
    remember();
  }
  select(room);
  joins.next();
}

function select(room) {
  if (active) {
    active.draft = $("composer-input").value;
    stopTyping();
  }
  active = room;
  room.unread = 0;
  $("composer-input").value = room.draft;
  $("room-error").textContent = "";
  history.replaceState(null, "", `#${encodeURIComponent(room.name)}`);
  remember();
  closePanels();
  renderRooms();
  renderRoom();
  sizeComposer();
  updateSend();
  if (matchMedia("(pointer: fine)").matches) $("composer-input").focus({ preventScroll: true });
}

function leave(room) {
  connection.send({ type: "leave", room: room.name });
  joins.abandon(room);
  forget(room);
  connection.send({ type: "rooms" });
}

function forget(room) {
  rooms.delete(room.name);
  if (room === active) {
    active = null;
    const next = rooms.values().next().value;
    if (next) select(next);
    else enterRoom("lobby");
  }
  remember();
  renderRooms();
  joins.next();
}

function countUnread(room, entries) {
  if (room === active && !document.hidden) return;
  room.unread += entries.filter((entry) => entry.kind === "message" && entry.from !== self).length;
}

// Sending

function transmit(room, pending) {
  if (!room.pending.has(pending.ref) || !room.joined) return;
  connection.send({ type: "send", room: room.name, text: pending.text, ref: pending.ref });
}

function sendText() {
  const text = $("composer-input").value.trim();
  if (!active || text === "" || codePoints(text) > limits.textMax) return;
  const ref = Array.from(crypto.getRandomValues(new Uint32Array(3)), (word) => word.toString(36)).join("");
  const pending = { ref, text, time: Date.now(), error: null };
  active.pending.set(ref, pending);
  transmit(active, pending);
  lastTypingSent = 0;
  $("composer-input").value = "";
  sizeComposer();
  updateSend();
  renderPending();
  scrollDown();
}

function noteInput() {
  const blank = $("composer-input").value.trim() === "";
  if (blank) return stopTyping();
  if (active?.joined && Date.now() - lastTypingSent > TYPING_REPEATED_AFTER) {
    lastTypingSent = Date.now();
    connection.send({ type: "typing", room: active.name, typing: true });
  }
}

function stopTyping() {
  if (lastTypingSent === 0 || !active) return;
  lastTypingSent = 0;
  if (active.joined) connection.send({ type: "typing", room: active.name, typing: false });
}

function sizeComposer() {
  const input = $("composer-input");
  input.style.height = "auto";
  if (input.scrollHeight === 0) return; // Not shown yet.
  input.style.height = `${Math.min(input.scrollHeight, 160)}px`;
}

function updateSend() {
  const text = $("composer-input").value.trim();
  const left = limits.textMax - codePoints(text);
  $("counter").textContent = left < 200 ? String(left) : "";
  $("counter").classList.toggle("over", left < 0);
  $("send").disabled = text === "" || left < 0;
}

// Showing

const scroller = $("scroller");
const nearEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;

function scrollDown() {
  scroller.scrollTop = scroller.scrollHeight;
  $("jump").hidden = true;
}

function append(entries) {
  if (entries.length === 0) return;
  const stick = nearEnd();
  const list = $("messages");
  const start = active.entries.length - entries.length;
  for (const [index, entry] of entries.entries()) {
    list.append(...entryElements(entry, active.entries[start + index - 1], self));
  }
  while (list.childElementCount > RENDERED_MAX) list.firstElementChild.remove();
  renderPending();
  renderTyping();
  if (stick) scrollDown();
  else $("jump").hidden = false;
}

function renderRoom() {
  $("room-title").textContent = active.name;
  const list = $("messages");
  // Whole rooms are not read out; only what arrives after is.
  list.setAttribute("aria-live", "off");
  list.replaceChildren();
  for (const [index, entry] of active.entries.entries()) {
    list.append(...entryElements(entry, active.entries[index - 1], self));
  }
  renderPending();
  showMembers(active, self);
  renderTyping();
  scrollDown();
  requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
}

function renderPending() {
  if (!active) return;
  const room = active;
  $("pending").replaceChildren(...[...room.pending.values()].map((pending) => pendingElement(pending, {
    retry() {
      pending.error = null;
      transmit(room, pending);
      renderPending();
    },
    discard() {
      room.pending.delete(pending.ref);
      renderPending();
    },
  })));
}

function renderRooms() {
  $("room-list").replaceChildren(...[...rooms.values()].map((room) => roomElement(room, {
    active: room === active,
    select: () => select(room),
    leave: () => leave(room),
  })));
  const others = openRooms.filter(({ room }) => !rooms.has(room));
  $("open-rooms-section").hidden = others.length === 0;
  $("open-rooms").replaceChildren(...others.map((entry) => openRoomElement(entry, () => enterRoom(entry.room))));
  let unread = 0;
  for (const room of rooms.values()) unread += room.unread;
  $("other-unread").hidden = unread === (active?.unread ?? 0);
  document.title = `${unread > 0 ? `(${unread}) ` : ""}${active ? `#${active.name} · ` : ""}Longwire chat`;
}

function renderTyping() {
  const names = active ? active.typingNow(self) : [];
  const text = names.length === 0 ? "" : names.length > 3 ? "Several people are typing"
    : `${nameList(names)} ${names.length === 1 ? "is" : "are"} typing`;
  if ($("typing-text").textContent !== text) $("typing-text").textContent = text;
  $("typing").firstElementChild.hidden = text === "";
}

// Signing in and out

function remember() {
  sessionStorage.setItem("rooms", JSON.stringify([...rooms.keys()]));
  if (active) sessionStorage.setItem("room", active.name);
}

function signIn(name, room) {
  self = name;
  sessionStorage.setItem("name", name);
  localStorage.setItem("name", name);
  $("me-name").textContent = name;
  paintAvatar($("me-avatar"), name);
  enterRoom(room);
  connection.start();
}

function signOut(reason = "") {
  connection.stop();
  rooms.clear();
  active = null;
  sessionStorage.removeItem("name");
  $("chat").hidden = true;
  $("welcome").hidden = false;
  $("welcome-error").textContent = reason;
  $("name").focus();
}

$("welcome-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  const room = $("first-room").value.trim().replace(/^#/, "");
  const problem = problemWith(name, limits.nameMax, "name") || problemWith(room, limits.roomMax, "room");
  $("welcome-error").textContent = problem;
  if (!problem) signIn(name, room);
});

$("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("room-input").value.trim().replace(/^#/, "");
  const problem = problemWith(name, limits.roomMax, "room");
  $("room-error").textContent = problem;
  if (problem) return;
  $("room-input").value = "";
  enterRoom(name);
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  sendText();
});

$("composer-input").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    sendText();
  }
});

$("composer-input").addEventListener("input", () => {
  sizeComposer();
  updateSend();
  noteInput();
});

scroller.addEventListener("scroll", () => {
  if (nearEnd()) $("jump").hidden = true;
}, { passive: true });
$("jump").addEventListener("click", scrollDown);
$("retry-now").addEventListener("click", () => connection.retryNow());
$("sign-out").addEventListener("click", () => signOut());
addEventListener("hashchange", () => {
  const name = roomInAddress();
  if (self && name && !problemWith(name, limits.roomMax, "room")) enterRoom(name);
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden || !active) return;
  active.unread = 0;
  renderRooms();
});
new ResizeObserver(() => {
  if (scroller.dataset.stick === "true") scrollDown();
}).observe(scroller);
scroller.addEventListener("scroll", () => { scroller.dataset.stick = String(nearEnd()); }, { passive: true });
setInterval(renderTyping, 1_000);
setInterval(() => {
  if (ready && !document.hidden) connection.send({ type: "rooms" });
}, 20_000);

const wanted = roomInAddress() || sessionStorage.getItem("room") || "lobby";
$("name").value = localStorage.getItem("name") ?? "";
$("first-room").value = wanted;
const known = sessionStorage.getItem("name");
if (known) {
  for (const name of storedRooms()) rooms.set(name, new Room(name));
  signIn(known, wanted);
} else {
  $("name").focus();
}
