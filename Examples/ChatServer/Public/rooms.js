// What the page knows of one room: messages in order, who is here, who types,
// what is still being sent. No DOM and no socket in here.

const MESSAGES_KEPT = 500;
const TYPING_FORGOTTEN_AFTER = 5_000;

export class Room {
  entries = [];            // {kind: "message" | "notice" | "gap", …}, oldest first
  members = new Set();
  count = 0;
  unread = 0;
  draft = "";
  joined = false;          // the server has confirmed it on this connection
  epoch = null;
  offset = 0;
  pending = new Map();     // ref → {ref, text, time, error}
  typing = new Map();      // name → time of the last sign
  #awaited = new Set();    // who was here before the connection was lost

  constructor(name) {
    this.name = name;
  }

  /** What to send to enter, or to enter again and catch up. */
  joinRequest() {
    const request = { type: "join", room: this.name };
    if (this.epoch !== null) Object.assign(request, { epoch: this.epoch, offset: this.offset });
    return request;
  }

  /** Applies `joined`; returns the entries that are new. */
  enter(state) {
    const known = this.epoch !== null;
    const sameEpoch = known && this.epoch === state.epoch;
    if (!sameEpoch) this.offset = 0;
    const added = [];
    const first = state.history[0];
    const missed = sameEpoch && !state.recovered && state.offset > this.offset
      && (!first || first.offset > this.offset + 1);
    if (missed) added.push({ kind: "gap", text: "Some messages were missed while you were away." });
    if (known && !sameEpoch && this.entries.length > 0) {
      added.push({ kind: "gap", text: "The room was started anew." });
    }
    this.epoch = state.epoch;
    this.entries.push(...added);
    for (const message of state.history) {
      const entry = this.#take(message);
      if (entry) added.push(entry);
    }
    this.offset = Math.max(this.offset, state.offset);
    this.joined = true;
    const before = this.members;
    this.members = new Set(state.members);
    // Whoever comes back like this page did has not joined anew.
    this.#awaited = new Set([...before].filter((name) => !this.members.has(name)));
    this.count = state.count;
    this.#trim();
    return added;
  }

  /** Applies a live `message`; returns its entry, or null for one already seen. */
  receive(message) {
    if (message.epoch !== this.epoch) return null;
    const entry = this.#take(message);
    this.typing.delete(message.from);
    this.#trim();
    return entry;
  }

  /** Applies `presence`; returns notices for what it really changed. */
  apply(presence, self) {
    const names = { joined: [], left: [] };
    for (const name of presence.joined) {
      const isBack = this.#awaited.delete(name);
      if (!this.members.has(name) && !isBack && name !== self) names.joined.push(name);
      this.members.add(name);
    }
    for (const name of presence.left) {
      if (this.members.delete(name) && name !== self) names.left.push(name);
      this.typing.delete(name);
    }
    this.count = presence.count;
    const notices = [];
    for (const [verb, list] of Object.entries(names)) {
      if (list.length === 0) continue;
      const entry = { kind: "notice", text: `${nameList(list)} ${verb}`, time: Date.now() };
      notices.push(entry);
      this.entries.push(entry);
    }
    this.#trim();
    return notices;
  }

  noteTyping(name, typing) {
    if (typing) this.typing.set(name, Date.now());
    else this.typing.delete(name);
  }

  /** Names that are typing now, the stale ones forgotten. */
  typingNow(self) {
    const oldest = Date.now() - TYPING_FORGOTTEN_AFTER;
    for (const [name, time] of this.typing) if (time < oldest) this.typing.delete(name);
    return [...this.typing.keys()].filter((name) => name !== self);
  }

  #take(message) {
    if (message.offset <= this.offset) return null;
    this.offset = message.offset;
    if (message.ref) this.pending.delete(message.ref);
    const entry = { kind: "message", from: message.from, text: message.text, time: message.time };
    this.entries.push(entry);
    return entry;
  }

  #trim() {
    if (this.entries.length > MESSAGES_KEPT * 1.2) {
      this.entries.splice(0, this.entries.length - MESSAGES_KEPT);
    }
  }
}

export function nameList(names) {
  if (names.length === 1) return names[0];
  if (names.length <= 3) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, 2).join(", ")} and ${names.length - 2} others`;
}

export const codePoints = (text) => [...text].length;

/** Why `value` cannot be a name or room, or "". */
export function problemWith(value, max, what) {
  const length = codePoints(value);
  if (length === 0) return `Please enter a ${what}.`;
  if (length > max) return `A ${what} has at most ${max} characters.`;
  if (what === "room" && !/^[\p{L}\p{M}\p{N}._-]+$/u.test(value)) {
    return "A room's name has only letters, digits, “-”, “_” and “.”.";
  }
  return "";
}
