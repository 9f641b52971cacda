// Enters rooms one after the other: each answer brings a room's history, and
// all at once may be more than the server queues for one client.

export class Joins {
  #send;
  #wanted;
  #awaited = null;         // the Room whose `joined` has not come

  /** `send(message)` reaches the server; `wanted()` gives the rooms to be in, the first one first. */
  constructor(send, wanted) {
    this.#send = send;
    this.#wanted = wanted;
  }

  /** Asks for the first room that is not joined, unless an answer is awaited. */
  next() {
    if (this.#awaited) return;
    this.#awaited = this.#wanted().find((room) => !room.joined) ?? null;
    if (this.#awaited) this.#send(this.#awaited.joinRequest());
  }

  /** The server let one into the room of that name, or did not. */
  answered(name) {
    if (this.#awaited?.name === name) this.#awaited = null;
    this.next();
  }

  /** The room is left before its answer has come. */
  abandon(room) {
    if (this.#awaited === room) this.#awaited = null;
  }

  /** The connection was lost: no answer comes. */
  reset() {
    this.#awaited = null;
  }
}
