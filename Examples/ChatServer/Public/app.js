// The chat page: joins what the user does, what the server says and what is
// shown. The protocol is in PROTOCOL.md beside the server's source, and below it
// the hub's, which hub.js speaks.

import { sizeComposer, updateSend } from "/composer.js";
import { scrollDown, showMore, showRoom, showTyping } from "/conversation.js";
import { HubClient } from "/hub.js";
import { closePanels, openPanel } from "/panels.js";
import { deviceName, roomInAddress, storedRooms } from "/remembered.js";
import { Room, codePoints, problemWith } from "/rooms.js";
import * as status from "/status.js";
import { $, openRoomElement, paintAvatar, pendingElement, roomElement, showMembers } from "/view.js";

const TYPING_REPEATED_AFTER = 3_000;
const NOT_FOUND = 4;          // a failure's code: nobody has been in that room
const NOT_JOINED = 1_005;     // the room is still being entered
const CALL_TIMEOUT = 30_000;

let limits = { nameMax: 32, roomMax: 32, textMax: 2000, historyMax: 50 };
let self = "";
let active = null;            // the Room on show
let openRooms = [];
let lastTypingSent = 0;
let hub = null;               // the HubClient of who is signed in
let entering = Promise.resolve();
const rooms = new Map();

const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
const ready = () => hub?.state === "ready";

// Connection

function connect() {
  const login = { event: "hello", json: { version: 1, name: self, device: deviceName() } };
  hub = new HubClient(url, { login, callTimeout: CALL_TIMEOUT });
  hub.on("state", (state) => showState(state));
  hub.on("connected", connected);
  hub.on("disconnected", disconnected);
  hub.on("subscribed", entered);
  hub.on("unsubscribed", ({ topic, failure }) => refused(topic, failure?.reason ?? "The room was closed."));
  hub.on("publication", heard);
  hub.on("presence", presenceChanged);
  hub.start();
}

function connected({ login }) {
  if (login) limits = { ...limits, ...login.json.limits };
  $("welcome").hidden = true;
  $("chat").hidden = false;
  sizeComposer();
  enterRooms();
  askRooms();
  $("composer-input").focus({ preventScroll: true });
}

function disconnected({ why, reason, retryAfter }) {
  for (const room of rooms.values()) room.joined = false;
  if (retryAfter !== null) status.show("waiting", { until: Date.now() + retryAfter });
  else if (why !== "stopped") signOut(reason);
  updateSend(limits.textMax);
}

function showState(state) {
  if (state !== "offline") status.show(state === "ready" || state === "stopped" ? state : "connecting");
  updateSend(limits.textMax);
}

// What the hub says

function entered({ topic, recovered, epoch, count }) {
  const room = rooms.get(topic);
  if (!room) return void hub.unsubscribe(topic).catch(() => {});
  const gap = room.enter({ recovered, epoch, count });
  if (gap && room === active) append([gap]);
  for (const pending of room.pending.values()) if (!pending.error && !pending.isSent) transmit(room, pending);
  hub.members(topic).then((answer) => {
    room.setMembers(answer);
    if (room === active) showMembers(active, self);
  }, () => {});
  renderRooms();
}

function heard({ topic, event, from, json, offset }) {
  const room = rooms.get(topic);
  if (!room) return;
  if (event === "typing") {
    room.noteTyping(from, json.typing);
    if (room === active) renderTyping();
    return;
  }
  const entry = room.receive({ from, offset, ...json });
  if (!entry) return;
  countUnread(room, [entry]);
  if (room === active) append([entry]);
  renderRooms();
}

function presenceChanged({ topic, joined, left, count }) {
  const room = rooms.get(topic);
  if (!room) return;
  const notices = room.apply({ joined, left, count }, self);
  if (room !== active) return;
  append(notices);
  showMembers(active, self);
}

function askRooms() {
  if (!ready()) return;
  hub.request({ event: "rooms", json: {} }).then(({ json }) => {
    openRooms = json.rooms;
    renderRooms();
  }, () => {});
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
  enterRooms();
}

/** Enters what is not entered, one room after the other: each brings its history. */
function enterRooms() {
  for (const room of new Set([active, ...rooms.values()])) {
    if (!room || room.isWanted) continue;
    room.isWanted = true;
    entering = entering.then(() => enter(room));
  }
}

async function enter(room) {
  if (rooms.get(room.name) !== room) return;
  try {
    const page = await begin(room);
    if (rooms.get(room.name) !== room) return;
    await hub.subscribe(room.name, page ? { epoch: page.epoch, offset: page.offset } : undefined);
    // Where nobody had been, others may have come, and have said something, before this one was in.
    if (!page) await begin(room).catch(() => {});
    if (room === active) renderRoom();
  } catch (error) {
    room.isWanted = false;
    if (error.kind === "failed" && rooms.get(room.name) === room) refused(room.name, error.message);
  }
}

/** Asks for what was said in a room; returns that page of its history, or null where there is no such room. */
async function begin(room) {
  try {
    const page = await hub.history(room.name, null, limits.historyMax);
    if (rooms.get(room.name) !== room) return null;
    room.begin(page);
    if (room === active) renderRoom();
    return page;
  } catch (error) {
    if (error.code !== NOT_FOUND) throw error;
    return null;
  }
}

/** The hub did not let one into a room, or no longer does. */
function refused(name, reason) {
  if (!rooms.has(name)) return;
  forget(rooms.get(name));
  $("room-error").textContent = reason;
  openPanel("rooms-panel");
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
  updateSend(limits.textMax);
  if (matchMedia("(pointer: fine)").matches) $("composer-input").focus({ preventScroll: true });
}

function leave(room) {
  hub.unsubscribe(room.name).catch(() => {});
  forget(room);
  askRooms();
}

function forget(room) {
  rooms.delete(room.name);
  room.leave();
  if (room === active) {
    active = null;
    const next = rooms.values().next().value;
    if (next) select(next);
    else enterRoom("lobby");
  }
  remember();
  renderRooms();
}

function countUnread(room, entries) {
  if (room === active && !document.hidden) return;
  room.unread += entries.filter((entry) => entry.kind === "message" && entry.from !== self).length;
}

// Sending

function transmit(room, pending) {
  if (room.pending.get(pending.ref) !== pending || !room.joined || pending.isSent) return;
  const message = { event: "say", json: { text: pending.text, ref: pending.ref }, idempotency: pending.ref };
  pending.isSent = true;
  hub.publish(room.name, message).then((place) => {
    room.sent(pending.ref, place);
    renderPending();
  }, (error) => {
    if (room.pending.get(pending.ref) !== pending) return;
    pending.isSent = false;
    const wait = error.code === NOT_JOINED ? 500 : error.retryAfter;
    if (wait) return void setTimeout(() => transmit(room, pending), wait);
    pending.error = error.kind === "failed" ? error.message : "no connection";
    renderPending();
  });
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
  updateSend(limits.textMax);
  renderPending();
  scrollDown();
}

function noteInput() {
  const blank = $("composer-input").value.trim() === "";
  if (blank) return stopTyping();
  if (active?.joined && Date.now() - lastTypingSent > TYPING_REPEATED_AFTER) {
    lastTypingSent = Date.now();
    hub.publishVolatile(active.name, { event: "typing", json: { typing: true } });
  }
}

function stopTyping() {
  if (lastTypingSent === 0 || !active) return;
  lastTypingSent = 0;
  if (active.joined) hub.publishVolatile(active.name, { event: "typing", json: { typing: false } });
}

// Showing

function append(entries) {
  if (entries.length === 0) return;
  showMore(active, entries, self, () => { renderPending(); renderTyping(); });
}

function renderRoom() {
  showRoom(active, self);
  renderPending();
  showMembers(active, self);
  renderTyping();
  scrollDown();
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
  showTyping(active?.typingNow(self) ?? []);
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
  connect();
  enterRoom(room);
}

function signOut(reason = "") {
  const leaving = hub;
  hub = null;
  leaving?.stop();
  for (const room of rooms.values()) room.leave();
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
  updateSend(limits.textMax);
  noteInput();
});

$("retry-now").addEventListener("click", () => hub?.retryNow());
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
setInterval(renderTyping, 1_000);
setInterval(() => { if (!document.hidden) askRooms(); }, 20_000);

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
