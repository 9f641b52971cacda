// One WebSocket that comes back: exponential backoff with full jitter, a new
// attempt at once when the network returns, and a ping of its own, because a
// page cannot see the protocol's pings and a dead network closes nothing.

const BACKOFF_FIRST = 500;
const BACKOFF_MAX = 30_000;
const STABLE_AFTER = 5_000;
const QUIET_BEFORE_PING = 25_000;
const PONG_WITHIN = 10_000;

export class Connection {
  #url;
  #handlers;
  #socket = null;
  #attempts = 0;
  #retryTimer = 0;
  #stableTimer = 0;
  #watchTimer = 0;
  #lastReceived = 0;
  #pingSent = 0;
  #wanted = false;

  /** `handlers`: opened(), message(object), state(name, detail). */
  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#watch();
    });
  }

  start() {
    this.#wanted = true;
    this.#attempts = 0;
    this.#open();
  }

  stop() {
    this.#wanted = false;
    this.#clearTimers();
    this.#drop();
    this.#handlers.state("stopped");
  }

  retryNow() {
    if (!this.#wanted || this.#socket) return;
    clearTimeout(this.#retryTimer);
    this.#open();
  }

  /** Whether the message went into an open socket. */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #open() {
    this.#drop();
    this.#handlers.state("connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#lastReceived = Date.now();
      this.#pingSent = 0;
      this.#stableTimer = setTimeout(() => { this.#attempts = 0; }, STABLE_AFTER);
      this.#watchTimer = setInterval(() => this.#watch(), 5_000);
      this.#handlers.opened();
    };
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#lastReceived = Date.now();
      this.#pingSent = 0;
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return; // Not ours to understand; the next message may be.
      }
      this.#handlers.message(message);
    };
    socket.onclose = (event) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.#clearTimers();
      if (this.#wanted) this.#retryLater(event.code);
    };
  }

  #retryLater(code) {
    // A policy close will not get better by hurrying.
    if (code === 1008) this.#attempts = Math.max(this.#attempts, 4);
    const ceiling = Math.min(BACKOFF_MAX, BACKOFF_FIRST * 2 ** this.#attempts);
    this.#attempts = Math.min(this.#attempts + 1, 10);
    const delay = Math.random() * ceiling;
    this.#retryTimer = setTimeout(() => this.#open(), delay);
    this.#handlers.state("waiting", { until: Date.now() + delay, code });
  }

  #watch() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    const now = Date.now();
    if (this.#pingSent && now - this.#pingSent > PONG_WITHIN) {
      // The close event may never come from a dead network: do not wait for it.
      this.#drop();
      this.#clearTimers();
      this.#retryLater(1006);
    } else if (!this.#pingSent && now - this.#lastReceived > QUIET_BEFORE_PING) {
      this.#pingSent = now;
      this.send({ type: "ping" });
    }
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    if (socket) socket.close();
  }

  #clearTimers() {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#stableTimer);
    clearInterval(this.#watchTimer);
  }
}
