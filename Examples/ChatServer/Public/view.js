// Makes elements. User text only ever becomes text nodes.

export const $ = (id) => document.getElementById(id);

/** `make("li", {class: "x", text: "…"}, child, …)` */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

const dayOf = (time) => new Date(time).toDateString();
const GROUPED_WITHIN = 5 * 60_000;

export function hueOf(name) {
  let hash = 2166136261;
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
  return (hash >>> 0) % 360;
}

export function paintAvatar(element, name) {
  element.textContent = [...name][0].toLocaleUpperCase();
  element.style.setProperty("--hue", hueOf(name));
  return element;
}

export const avatar = (name) =>
  paintAvatar(make("span", { class: "avatar", "aria-hidden": "true" }), name);

/** Text with its web addresses as links. */
function linked(text) {
  const fragment = document.createDocumentFragment();
  for (const [index, part] of text.split(/(https?:\/\/[^\s<>"']*[^\s<>"'.,;:!?)\]])/g).entries()) {
    if (index % 2 === 0) fragment.append(part);
    else fragment.append(make("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow", text: part }));
  }
  return fragment;
}

/** The elements of `entry`, given the entry before it. */
export function entryElements(entry, previous, self) {
  const elements = [];
  if (entry.time && dayOf(entry.time) !== (previous?.time ? dayOf(previous.time) : dayOf(Date.now()))) {
    elements.push(make("li", { class: "day" }, make("span", { text: dayFormat.format(entry.time) })));
  }
  if (entry.kind === "notice") {
    elements.push(make("li", { class: "notice", text: entry.text }));
  } else if (entry.kind === "gap") {
    elements.push(make("li", { class: "gap" }, make("span", { text: entry.text })));
  } else {
    const own = entry.from === self;
    const grouped = elements.length === 0 && previous?.kind === "message"
      && previous.from === entry.from && entry.time - previous.time < GROUPED_WITHIN;
    const item = make("li", { class: `message${own ? " own" : ""}${grouped ? " grouped" : ""}` });
    if (!own) item.append(avatar(entry.from));
    const bubble = make("div", { class: "bubble" });
    const author = make("span", { class: own || grouped ? "author visually-hidden" : "author", text: own ? "You" : entry.from });
    author.style.setProperty("--hue", hueOf(entry.from));
    bubble.append(author, make("p", { class: "text" }, linked(entry.text)),
      make("time", { datetime: new Date(entry.time).toISOString(), title: new Date(entry.time).toLocaleString(), text: timeFormat.format(entry.time) }));
    item.append(bubble);
    elements.push(item);
  }
  return elements;
}

export function pendingElement(pending, { retry, discard }) {
  const bubble = make("div", { class: "bubble" },
    make("span", { class: "author visually-hidden", text: "You" }),
    make("p", { class: "text", text: pending.text }),
    make("span", { class: "send-state", text: pending.error ?? "Sending…" }));
  if (pending.error) {
    const again = make("button", { type: "button", class: "link-button", text: "Try again" });
    again.addEventListener("click", retry);
    const drop = make("button", { type: "button", class: "link-button", text: "Discard" });
    drop.addEventListener("click", discard);
    bubble.append(make("span", { class: "send-actions" }, again, drop));
  }
  return make("li", { class: `message own pending${pending.error ? " failed" : ""}` }, bubble);
}

export function roomElement(room, { active, select, leave }) {
  const button = make("button", { type: "button", class: "room", "aria-current": active ? "true" : null },
    make("span", { class: "hash", "aria-hidden": "true", text: "#" }),
    make("span", { class: "room-name", text: room.name }));
  if (room.unread > 0) {
    button.append(make("span", { class: "badge", text: room.unread > 99 ? "99+" : room.unread },
      make("span", { class: "visually-hidden", text: " unread" })));
  }
  button.addEventListener("click", select);
  const close = make("button", { type: "button", class: "icon-button leave", "aria-label": `Leave ${room.name}`, title: "Leave", text: "✕" });
  close.addEventListener("click", leave);
  return make("li", { class: active ? "active" : "" }, button, close);
}

export function openRoomElement({ room, count }, join) {
  const button = make("button", { type: "button", class: "room" },
    make("span", { class: "hash", "aria-hidden": "true", text: "#" }),
    make("span", { class: "room-name", text: room }),
    make("span", { class: "muted room-count", text: count }, make("span", { class: "visually-hidden", text: count === 1 ? " person" : " people" })));
  button.addEventListener("click", join);
  return make("li", {}, button);
}

function memberElement(name, self) {
  const item = make("li", {}, avatar(name), make("span", { class: "member-name", text: name }));
  if (name === self) item.append(make("span", { class: "muted you", text: "you" }));
  return item;
}

/** Who is here, beside the conversation and in its header. */
export function showMembers(room, self) {
  const names = [...room.members].sort((a, b) => a.localeCompare(b));
  $("members").replaceChildren(...names.map((name) => memberElement(name, self)));
  if (room.count > names.length) {
    $("members").append(make("li", { class: "muted more", text: `and ${room.count - names.length} more` }));
  }
  $("member-count").textContent = room.count || "";
  $("member-count-badge").textContent = room.count || "";
  $("room-subtitle").textContent = room.count === 0 ? "" : room.count === 1 ? "Only you are here" : `${room.count} people here`;
}
