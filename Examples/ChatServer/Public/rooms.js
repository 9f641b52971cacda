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
  joined = false;          // the hub has confirmed it on this connection
  isWanted = false;        // the hub has been asked for it; it is kept across connections
  epoch = null;
  offset = 0;
  pending = new Map();     // ref → {ref, text, time, error, isSent, place}
  typing = new Map();      // name → time of the last sign
  #wasJoined = false;
  #awaited = new Set();    // who was here before the connection was lost

  constructor(name) {
    this.name = name;
  }

  /** Takes what was said before one came, the newest of the history: each message has its place among those that are there. */
  begin({ epoch, messages }) {
    this.#live(epoch);
    for (const { offset, from, json } of messages) this.#insert({ offset, from, ...json });
  }

  /** One is in the room, for the first time or again; returns the entry of a gap, if there is one. */
  enter({ recovered, epoch, count }) {
    const isNew = this.epoch !== epoch;
    let gap = null;
    if (this.#wasJoined && !recovered && this.entries.length > 0) {
      gap = { kind: "gap", text: isNew ? "The room was started anew." : "Some messages were missed while you were away." };
      this.entries.push(gap);
    }
    this.#live(epoch);
    this.count = count ?? 0;
    this.joined = true;
    this.#wasJoined = true;
    return gap;
  }

  /** One is no longer in the room, and says nothing more there. */
  leave() {
    this.joined = false;
    this.pending.clear();
  }

  /** A message has its place in the room: it is pending until it is seen, unless that is past. */
  sent(ref, place) {
    const pending = this.pending.get(ref);
    if (!pending) return;
    pending.place = place;
    this.#forgetSaid();
  }

  /** Who is here, as the hub answered. */
  setMembers({ users, count }) {
    const before = this.members;
    this.members = new Set(users);
    // Whoever comes back like this page did has not joined anew.
    this.#awaited = new Set([...before].filter((name) => !this.members.has(name)));
    this.count = count;
  }

  /** Applies a live message; returns its entry, or null for one already seen. */
  receive(message) {
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

  /** The room is in this epoch, in which its messages are counted. */
  #live(epoch) {
    if (this.epoch !== epoch) this.offset = 0;
    this.epoch = epoch;
  }

  #take(message) {
    if (message.offset <= this.offset) return null;
    this.offset = message.offset;
    const entry = this.#entry(message);
    this.entries.push(entry);
    this.#forgetSaid();
    return entry;
  }

  #insert(message) {
    const next = this.entries.findIndex(({ epoch, offset }) => epoch === this.epoch && offset >= message.offset);
    if (next < 0) return void this.#take(message);
    if (this.entries[next].offset !== message.offset) this.entries.splice(next, 0, this.#entry(message));
  }

  /** Of what was said and answered, what is past will not be seen: it was in a gap, or in another epoch. */
  #forgetSaid() {
    for (const [ref, { place }] of this.pending) {
      if (place && (place.epoch !== this.epoch || place.offset <= this.offset)) this.pending.delete(ref);
    }
  }

  #entry({ offset, from, text, time, ref }) {
    if (ref) this.pending.delete(ref);
    return { kind: "message", epoch: this.epoch, offset, from, text, time };
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
