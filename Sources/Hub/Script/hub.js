// A client of a Longwire hub for browsers: keeps its session across lost connections. What was missed comes then, each message
// once, or the client says that there may be a gap. No dependencies; the protocol is in PROTOCOL.md beside it.
//
//   const hub = new HubClient("wss://example.com/ws");
//   hub.on("publication", ({ topic, json }) => show(topic, json));
//   hub.start();
//   await hub.subscribe("lobby");
//   await hub.publish("lobby", { json: { text: "hello" } });

/**
 * @typedef {{ epoch: string, offset: number }} Position just after a topic's message of that offset
 * @typedef {{ text?: string, json?: any, bytes?: string }} Payload exactly one of them; `bytes` is base64
 * @typedef {Payload & { event?: string, key?: string }} Message
 * @typedef {Message & { from?: string }} Received
 * @typedef {{ code: number, reason?: string, retry?: number }} Failure `code` of PROTOCOL.md, `retry` in ms
 * @typedef {object} Options
 * @property {Message} [login] asked at the beginning of every session that is not resumed, before anything else; a client whose
 *   login fails ends, unless the hub could not answer now
 * @property {string} [token] a resume token that was kept
 * @property {number} [retryAfter] ms before the first attempt to connect again, at most; twice as long after each failure (500)
 * @property {number} [retryAfterMax] ms that are waited at most where the hub does not say for how long (30000); up to an hour where it does
 * @property {number} [stableAfter] ms that a session has to last for earlier failures to be forgotten (5000)
 * @property {number} [callTimeout] ms that a call may take, connecting again included, a session until it is there, and a
 *   connection until it is heard of where the page comes back to the network or to the front (10000)
 * @property {number} [callsMax] calls that may be open (256)
 * @property {typeof WebSocket} [WebSocket] for where there is none
 * @typedef {"offline" | "connecting" | "opening" | "resuming" | "loggingIn" | "ready" | "stopped"} State
 * @typedef {{ session: string, user?: string, heartbeat?: number, resumed: boolean, max: number }} Welcome
 * @typedef {{ topic: string, recovered: boolean, count?: number, id?: number } & Position} Subscribed
 * @typedef {{ messages: (Received & { offset: number, time: number })[], recovered: boolean, more: boolean } & Position} Page
 * @typedef {object} Events what is told, by name
 * @property {State} state
 * @property {Welcome & { login?: Payload }} connected the session can be used; `login` is the answer to it
 * @property {{ code: number, reason: string, retryAfter: number | null, why?: string }} disconnected `retryAfter`: ms, or never;
 *   `why` it ended: "stopped", "refused" or "unspoken"
 * @property {Received & { topic: string } & Partial<Position>} publication of a topic, in its order, each once; where the topic
 *   skips or conflates what a client reads too slowly, offsets are left out and nothing else is told
 * @property {Received} message for this client, or for those it is among
 * @property {Received & { id: number }} request to be answered by `reply`
 * @property {Received & { inbox: string }} inbox of the user; acknowledged when all handlers have returned, and their promises resolved
 * @property {Subscribed} subscribed where it has a position and is not `recovered` there may be a gap
 * @property {{ topic: string, failure?: Failure }} unsubscribed by the hub
 * @property {{ topic: string, joined: string[], left: string[], count: number }} presence
 * @property {{ token: string, expiry: number }} token
 * @property {Failure} failure of what nobody waits for
 * @typedef {{ position: Position | null, wanted: boolean, told: boolean, sought: Position | null }} Followed
 *   `told`: by the hub on this connection; `sought`: from where it was asked for, and not answered: what still comes is of before
 * @typedef {{ envelope: object, again: boolean, sent: boolean, settle: (error: HubError | null, answer?: any) => void }} Call
 */

const SUBPROTOCOL = "longwire.v1.json";
/** Coming again after these would end the same way. */
const FINAL_CODES = [1002, 1003, 1007, 1008, 1009, 1010, 4401, 4403];
/** What a hub could not do now, and may do soon: asked again of what is the client's already. */
const PASSING_FAILURES = [6, 7, 8, 9];
/** A token that can be shown in the request for a connection, too. */
const OFFERED_TOKEN = /^[\w.-]{1,4096}$/;
const INBOX_REMEMBERED = 1024;
/** The longest time of a timer, in ms; beyond it they fire at once. */
const TIMER_MAX = 2 ** 31 - 1;
// The longest that is waited because the hub, or a proxy before it, said so.
const ADVICE_MAX = 3_600_000;

/** Why a call had no success: `code` of PROTOCOL.md for what the hub refused, and `reason` for people. */
export class HubError extends Error {
  /** @param {"failed" | "disconnected" | "timedOut" | "tooManyCalls" | "stopped"} kind @param {any} [failure] */
  constructor(kind, failure) {
    super(failure?.reason || kind);
    this.name = "HubError";
    this.kind = kind;
    /** @type {number | undefined} */
    this.code = failure?.code;
    /** @type {number | undefined} ms */
    this.retryAfter = failure?.retry;
  }
}

export class HubClient {
  /** @type {State} */
  state = "offline";
  /** The resume token, to be kept in session storage by pages that want to come back after they were loaded anew. */
  token = "";

  #url;
  #options;
  /** @type {Map<string, Set<(detail: any) => any>>} */
  #handlers = new Map();
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Map<string, Followed>} */
  #topics = new Map();
  /** @type {Map<string, boolean>} topics that were left, and whether the hub has said so */
  #left = new Map();
  /** @type {Map<number, Call>} */
  #calls = new Map();
  /** @type {Map<number, string>} topics that are subscribed to again */
  #renewals = new Map();
  /** @type {Set<string>} what was taken */
  #inbox = new Set();
  /** @type {Set<string>} what handlers are at */
  #atHand = new Set();
  #lastID = 0;
  #loginID = 0;
  #welcome = /** @type {any} */ (null);
  #awaitsToken = false;
  #failures = 0;
  #advised = -1;
  /** Whether the hub said when to come again. */
  #isAwaited = false;
  /** Times in a row that topics could not be had again. */
  #refusals = 0;
  #readySince = 0;
  /** @type {any} timers: a browser's are numbers, node's are not */
  #retryTimer = 0;
  /** @type {any} */
  #watchTimer = 0;
  /** @type {any} */
  #readyTimer = 0;
  /** @type {any} */
  #renewTimer = 0;
  #renewAt = 0;
  #heard = 0;
  /** The same by the calendar, which goes on while a machine sleeps. */
  #heardOn = 0;
  /** By when something has to be heard, where that was asked for. */
  #patientUntil = 0;
  #listening = /** @type {AbortController | null} */ (null);

  /**
   * @param {string | URL | (() => string | URL)} url a function is asked before each attempt to connect: an address may hold
   *   credentials that expire
   * @param {Options} [options]
   */
  constructor(url, options = {}) {
    this.#url = typeof url === "function" ? url : () => url;
    this.#options = { retryAfter: 500, retryAfterMax: 30_000, stableAfter: 5_000, callTimeout: 10_000, callsMax: 256, ...options };
    this.token = options.token ?? "";
  }

  /**
   * A handler that throws is in nobody's way, and reported as a browser reports errors. A message of the inbox it threw at, or
   * that nobody handles, is not acknowledged, and comes again. A handler of the inbox may return a promise: the message is
   * acknowledged when it resolves, and comes again when it rejects. Handlers are called in the order of the messages, each at
   * once: none waits for the promises of those before it.
   * @template {keyof Events} Name
   * @param {Name} name @param {(detail: Events[Name]) => unknown} handler @returns {() => void} ends it
   */
  on(name, handler) {
    if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
    this.#handlers.get(name)?.add(handler);
    return () => this.#handlers.get(name)?.delete(handler);
  }

  /** Connects, and from now on again and again. */
  start() {
    if (this.state !== "offline" && this.state !== "stopped") return;
    this.#set("offline");
    if (this.state !== "offline") return;
    this.#failures = 0;
    this.#listen();
    this.#connect();
  }

  /** Closes the connection and ends what is open; the session and its token are forgotten. */
  stop() {
    this.#end("stopped");
    this.token = "";
    this.#topics.clear();
    this.#left.clear();
  }

  /** Connects at once where the client waits to. */
  retryNow() {
    if (this.state === "offline" && this.#retryTimer) this.#connect();
  }

  /**
   * What is subscribed to.
   * @returns {string[]}
   */
  get topics() { return [...this.#topics.keys()]; }

  // Calls. Each returns a promise that fails with a HubError.

  /**
   * Also across connections, until `unsubscribe`, and where it ends with "timedOut". Without a position from now on, or from where
   * the client followed the topic to before its connection was lost.
   * @param {string} topic @param {Position} [after] @returns {Promise<Subscribed>}
   */
  subscribe(topic, after) {
    const refusal = this.#refusal();
    if (refusal) return Promise.reject(refusal);
    this.#left.delete(topic);
    const known = this.#topics.get(topic) ?? { position: null, told: false, sought: null };
    this.#topics.set(topic, { ...known, wanted: true, sought: after ?? known.sought });
    return this.#call({ type: "subscribe", topic, ...after }, true);
  }

  /** @param {string} topic @returns {Promise<any>} */
  unsubscribe(topic) {
    this.#topics.delete(topic);
    this.#left.set(topic, false);
    for (const [id, call] of this.#asking(topic)) {
      // What the hub was asked, it answers.
      if (this.state === "ready" && call.sent) continue;
      this.#calls.delete(id);
      call.settle(new HubError("disconnected"));
    }
    if (this.state !== "ready") return Promise.resolve();
    // The hub hears of it also where nobody can wait for its answer.
    if (this.#refusal()) this.#put({ type: "unsubscribe", id: ++this.#lastID, topic });
    return this.#call({ type: "unsubscribe", topic }, false);
  }

  /**
   * Waits until the message has its place. One that is stored is tried again on the next connection; the hub publishes it once.
   * @param {string} topic @param {Message & { idempotency?: string }} message @param {"stored" | "transient" | "volatile"} [durability]
   * @returns {Promise<Position | null>}
   */
  async publish(topic, message, durability = "stored") {
    const again = durability === "stored";
    const key = again ? { idempotency: randomName() } : {};
    const answer = await this.#call({ ...key, ...message, type: "publish", topic, durability }, again);
    return position(answer);
  }

  /**
   * Without an answer; dropped where there is no connection.
   * @param {string} topic @param {Message} message
   */
  publishVolatile(topic, message) {
    return this.#say({ ...message, type: "publish", id: undefined, topic, durability: "volatile" });
  }

  /** @param {string} topic @returns {Promise<{ users: string[], count: number }>} */
  members(topic) { return this.#call({ type: "members", topic }, true); }

  /** @param {string} topic @param {Position | null} [after] @param {number} [max] @returns {Promise<Page>} */
  history(topic, after = null, max = 100) { return this.#call({ type: "history", topic, ...after, max }, true); }

  /**
   * Asks the application.
   * @param {Message} message @returns {Promise<Payload>}
   */
  request(message) { return this.#call({ ...message, type: "request" }, false); }

  /**
   * Tells the application; dropped where there is no connection.
   * @param {Message} message
   */
  send(message) { return this.#say({ ...message, type: "message" }); }

  /**
   * Answers a "request" event.
   * @param {number} id @param {Payload} payload
   */
  reply(id, payload) { return this.#say({ ...payload, type: "reply", id }); }

  /** @param {string} credentials @returns {Promise<any>} */
  refresh(credentials) { return this.#call({ type: "refresh", credentials }, false); }

  // Connections

  #connect() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#set("connecting");
    const Socket = this.#options.WebSocket ?? WebSocket;
    // Where many come at once, those who come back are let in before others.
    const isOffered = OFFERED_TOKEN.test(this.token);
    /** @type {WebSocket} */
    let socket;
    try {
      const url = String(this.#url());
      // Whoever was asked may have stopped the client.
      if (this.state !== "connecting") return;
      socket = new Socket(url, isOffered ? [SUBPROTOCOL, `longwire.resume.${this.token}`] : SUBPROTOCOL);
    } catch (error) {
      if (this.state !== "connecting") return;
      return this.#lost(1006, String(error));
    }
    this.#socket = socket;
    this.#readyTimer = later(this.#options.callTimeout, () => this.#lost(1006, "no session in time"));
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      // A browser lets no other pass than those it asked for, and the token was one.
      if ((socket.protocol ?? SUBPROTOCOL) !== SUBPROTOCOL) return this.#end("unspoken", 1002, "another subprotocol");
      this.#hears();
      this.#welcome = null;
      this.#watchTimer = setInterval(() => this.#watch(), 5_000);
      if (!this.token) return this.#set("opening");
      this.#set("resuming");
      const positions = [...this.#topics].map(([topic, { sought, position }]) => ({ topic, ...(sought ?? position) }))
        .filter(({ epoch }) => epoch !== undefined);
      this.#put({ type: "resume", token: this.token, positions });
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket || typeof data !== "string") return;
      this.#hears();
      this.#received(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => { if (socket === this.#socket) this.#lost(code, reason); };
  }

  /** @param {number} code @param {string} reason */
  #lost(code, reason) {
    this.#drop();
    if (this.state === "ready" && now() - this.#readySince >= this.#options.stableAfter) this.#failures = 0;
    if (FINAL_CODES.includes(code)) return this.#end("refused", code, reason);
    const hint = /^retry-after=(\d{1,10})(;|$)/.exec(reason);
    if (hint) this.#advised = Number(hint[1]);
    for (const [id, call] of this.#calls) {
      if (call.again || !call.sent) continue;
      this.#calls.delete(id);
      call.settle(new HubError("disconnected"));
    }
    this.#isAwaited = this.#advised >= 0;
    const delay = this.#isAwaited ? this.#awaited() : this.#backoff(this.#failures);
    this.#advised = -1;
    this.#failures += 1;
    this.#retryTimer = setTimeout(() => this.#connect(), delay);
    // Told last: a handler may stop or start the client.
    this.#set("offline");
    if (this.state !== "stopped") this.#tell("disconnected", { code, reason, retryAfter: delay });
  }

  /** What the hub said; after a failure no less than without that, or who is told to come at once would never stop. */
  #awaited() {
    return Math.max(Math.min(this.#advised, ADVICE_MAX), this.#failures > 0 ? this.#backoff(this.#failures) : 0);
  }

  /**
   * A random time within a bound that doubles with each failure.
   * @param {number} failures
   */
  #backoff(failures) {
    return Math.random() * Math.min(this.#options.retryAfterMax, this.#options.retryAfter * 2 ** Math.min(failures, 30));
  }

  /** @param {string} why @param {number} [code] @param {string} [reason] */
  #end(why, code = 1000, reason = "") {
    if (this.state === "stopped") return;
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#advised = -1;
    this.#drop();
    this.#listening?.abort();
    this.#listening = null;
    for (const call of this.#calls.values()) call.settle(new HubError("stopped"));
    this.#calls.clear();
    this.#set("stopped");
    this.#tell("disconnected", { why, code, reason, retryAfter: null });
  }

  /** A page that comes back to the network, or to the front, need not wait, unless the hub said so. */
  #listen() {
    if (this.#listening) return;
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const isBack = () => {
      if (!this.#isAwaited) this.retryNow();
      this.#watch(true);
    };
    globalThis.addEventListener?.("online", isBack, { signal });
    globalThis.document?.addEventListener("visibilitychange", () => { if (!document.hidden) isBack(); }, { signal });
  }

  #drop() {
    clearTimeout(this.#readyTimer);
    clearTimeout(this.#renewTimer);
    this.#renewTimer = 0;
    this.#renewals.clear();
    clearInterval(this.#watchTimer);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #hears() {
    this.#heard = now();
    this.#heardOn = Date.now();
    this.#patientUntil = 0;
  }

  /**
   * A page does not see the WebSocket's pings, and a dead network closes nothing.
   * @param {boolean} [isDoubtful] whether the connection may have been lost just now; it is tried also where it is already, since
   *   the machine may have slept meanwhile, but that puts no end off
   */
  #watch(isDoubtful = false) {
    if (!this.#socket || this.#socket.readyState !== 1) return;
    const heartbeat = this.#welcome?.heartbeat ?? 25_000;
    if (this.#patientUntil && now() > this.#patientUntil) return this.#lost(1006, "nothing heard");
    const isSilent = Math.max(now() - this.#heard, Date.now() - this.#heardOn) > heartbeat;
    if (!isDoubtful && (this.#patientUntil || !isSilent)) return;
    const patience = isDoubtful ? Math.min(heartbeat, this.#options.callTimeout) : heartbeat;
    this.#patientUntil = Math.min(this.#patientUntil || Infinity, now() + patience);
    this.#put({ type: "ping", id: ++this.#lastID });
  }

  // What the hub says

  /** @param {any} envelope */
  #received(envelope) {
    switch (envelope.type) {
      case "welcome": return this.#welcomed(envelope);
      case "failure": return this.#failed(envelope);
      case "reply":
        if (this.state === "loggingIn" && envelope.id === this.#loginID) return this.#begin(false, envelope);
        return this.#settle(envelope);
      case "published": case "members": case "history": return this.#settle(envelope);
      case "subscribed": return this.#subscribed(envelope);
      case "unsubscribed": return this.#unsubscribed(envelope);
      case "publication": return this.#publication(envelope);
      case "inbox": return this.#inboxed(envelope);
      case "token": return this.#tokenCame(envelope);
      case "reconnect": this.#advised = envelope.after; return;
      case "message": case "request": case "presence": return this.#tell(envelope.type, envelope);
    }
  }

  /** @param {Welcome} welcome */
  #welcomed(welcome) {
    this.#welcome = welcome;
    if (this.state === "opening") this.#logIn();
    // The first welcome was on its way before the hub saw the token.
    else if (this.state === "resuming" && welcome.resumed) this.#begin(true);
  }

  #logIn() {
    if (!this.#options.login) return this.#begin(false);
    this.#loginID = ++this.#lastID;
    this.#set("loggingIn");
    this.#put({ type: "request", id: this.#loginID, ...this.#options.login });
  }

  /** @param {boolean} resumed @param {any} [login] */
  #begin(resumed, login) {
    clearTimeout(this.#readyTimer);
    this.#awaitsToken = resumed;
    this.#refusals = 0;
    for (const known of this.#topics.values()) known.told = false;
    this.#readySince = now();
    if (!resumed) {
      this.#left.clear();
      // What the hub decided it decides anew.
      for (const [topic, known] of this.#topics) if (!known.wanted) this.#topics.delete(topic);
      this.#renew();
    }
    for (const call of this.#calls.values()) this.#ask(call);
    // Told last: what handlers ask is said at once, and they may stop the client.
    this.#set("ready");
    if (this.state === "ready") this.#tell("connected", { ...this.#welcome, login });
  }

  /** Subscribes to what the hub does not know of. */
  #renew() {
    const asked = new Set([...this.#calls.values()].map(({ envelope }) => /** @type {any} */ (envelope))
      .filter(({ type }) => type === "subscribe").map(({ topic }) => topic));
    for (const topic of this.#renewals.values()) asked.add(topic);
    for (const [topic, known] of this.#topics) {
      if (!known.wanted || known.told || asked.has(topic)) continue;
      const id = ++this.#lastID;
      this.#renewals.set(id, topic);
      this.#put({ type: "subscribe", id, topic, ...(known.sought ?? known.position) });
    }
  }

  /**
   * Does so later: for all that could not be had, once.
   * @param {number} [retry] ms, which the hub wants to pass
   */
  #renewLater(retry) {
    if (this.#renewTimer && now() + (retry ?? 0) <= this.#renewAt) return;
    const delay = (retry ?? 0) + this.#backoff(this.#refusals);
    if (!this.#renewTimer) this.#refusals += 1;
    clearTimeout(this.#renewTimer);
    this.#renewAt = now() + delay;
    this.#renewTimer = later(delay, () => {
      this.#renewTimer = 0;
      // A token that is on its way brings topics, and what is missing then is asked for.
      if (this.state === "ready" && !this.#awaitsToken) this.#renew();
    });
  }

  /**
   * What was asked for cannot be had: the end of what was not there, and not of what is.
   * @param {string} topic @param {Failure} failure @param {boolean} isRenewal whether nobody waits for it
   */
  #refused(topic, failure, isRenewal) {
    const known = this.#topics.get(topic);
    if (!known) return;
    known.sought = this.#asking(topic).map(([, { envelope }]) => position(envelope)).filter((place) => place).at(-1) ?? null;
    if (known.told) return;
    const wasFollowed = isRenewal || known.position !== null;
    if (wasFollowed && PASSING_FAILURES.includes(failure.code)) return this.#renewLater(failure.retry);
    this.#topics.delete(topic);
    if (wasFollowed) this.#tell("unsubscribed", { topic, failure });
  }

  /** @param {Failure & { id?: number }} failure */
  #failed(failure) {
    const { id } = failure;
    if (id === undefined) {
      if (this.state !== "resuming") return this.#tell("failure", failure);
      this.token = "";
      return this.#logIn();
    }
    if (this.state === "loggingIn" && id === this.#loginID) {
      if (!PASSING_FAILURES.includes(failure.code)) return this.#end("refused", failure.code, failure.reason);
      if (failure.retry !== undefined) this.#advised = failure.retry + this.#backoff(this.#failures);
      return this.#lost(1006, failure.reason || "the login failed");
    }
    const topic = this.#renewals.get(id);
    if (topic !== undefined) {
      this.#renewals.delete(id);
      return this.#refused(topic, failure, true);
    }
    const call = this.#calls.get(id);
    if (!call) return;
    this.#calls.delete(id);
    call.settle(new HubError("failed", failure));
    const { type, topic: asked } = /** @type {any} */ (call.envelope);
    if (type === "subscribe") this.#refused(asked, failure, false);
  }

  /** @param {{ id?: number }} envelope */
  #settle(envelope) {
    const id = envelope.id ?? 0;
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    call?.settle(null, envelope);
  }

  /** @param {Subscribed} answer */
  #subscribed(answer) {
    const id = answer.id ?? 0;
    const call = this.#calls.get(id);
    const isRenewal = this.#renewals.delete(id);
    if (isRenewal) this.#refusals = 0;
    // It was left while the hub, or the token, did not know.
    if (this.#left.has(answer.topic)) {
      if (!this.#asking(answer.topic, "unsubscribe").length) {
        this.#put({ type: "unsubscribe", id: ++this.#lastID, topic: answer.topic });
      }
      return this.#settle(answer);
    }
    const known = this.#topics.get(answer.topic);
    // What waits for the token's topics.
    const waiting = this.#asking(answer.topic).filter(([, { sent }]) => this.state === "ready" && !sent);
    const wanted = call !== undefined || isRenewal || waiting.length > 0 || (known?.wanted ?? false);
    let place = position(answer);
    // What was asked without a position is not the answer to what was asked with one.
    const sought = call && !position(call.envelope) && !isSame(place, known?.sought) ? known?.sought ?? null : null;
    // Asked for twice: what came since comes once more.
    const isRepeated = answer.recovered && (!known?.sought || sought !== null);
    if (isRepeated && place && known?.position?.epoch === place.epoch && known.position.offset > place.offset) {
      place = known.position;
    }
    this.#topics.set(answer.topic, { position: place, wanted, told: true, sought });
    this.#settle(answer);
    for (const [id] of waiting) this.#settle({ ...answer, id });
    this.#tell("subscribed", answer);
  }

  /** @param {{ id?: number, topic: string }} answer */
  #unsubscribed(answer) {
    // Only the token that there is may still bring it back.
    if (!this.token) this.#left.delete(answer.topic);
    else if (this.#left.has(answer.topic)) this.#left.set(answer.topic, true);
    // One that was left is wanted again where it is asked for since.
    const known = answer.id === undefined ? undefined : this.#topics.get(answer.topic);
    const isEnded = !known?.wanted && this.#topics.delete(answer.topic);
    if (known?.wanted) {
      known.told = false;
      // That may have been refused before this was answered.
      if (!this.#asking(answer.topic).length && ![...this.#renewals.values()].includes(answer.topic)) this.#renewLater();
    }
    if (this.#calls.has(answer.id ?? 0)) return this.#settle(answer);
    if (isEnded) this.#tell("unsubscribed", { topic: answer.topic });
  }

  /** @param {Events["publication"]} envelope */
  #publication(envelope) {
    const known = this.#topics.get(envelope.topic);
    if (!known) return;
    const place = position(envelope);
    if (place) {
      if (known.position?.epoch === place.epoch && place.offset <= known.position.offset) return;
      known.position = place;
    }
    this.#tell("publication", envelope);
  }

  /** @param {Events["inbox"]} envelope */
  #inboxed(envelope) {
    const { inbox } = envelope;
    // What comes again was not acknowledged in time.
    if (this.#inbox.has(inbox)) return this.#acknowledge(inbox);
    if (this.#atHand.has(inbox) || !this.#handlers.get("inbox")?.size) return;
    /** @type {PromiseLike<unknown>[]} */
    const promises = [];
    const isTaken = this.#tell("inbox", envelope, promises);
    if (!promises.length) return isTaken ? this.#taken(inbox) : undefined;
    const socket = this.#socket;
    this.#atHand.add(inbox);
    Promise.allSettled(promises).then((outcomes) => {
      this.#atHand.delete(inbox);
      const failures = outcomes.filter(({ status }) => status === "rejected");
      for (const failure of failures) report(/** @type {PromiseRejectedResult} */ (failure).reason);
      // On another connection the session has to be there before; there it comes again, and is acknowledged then.
      if (isTaken && !failures.length) this.#taken(inbox, socket === this.#socket || this.state === "ready");
    });
  }

  /** @param {string} inbox @param {boolean} [mayTell] */
  #taken(inbox, mayTell = true) {
    this.#inbox.add(inbox);
    if (this.#inbox.size > INBOX_REMEMBERED) this.#inbox.delete(this.#inbox.values().next().value ?? "");
    if (mayTell) this.#acknowledge(inbox);
  }

  /** @param {string} inbox */
  #acknowledge(inbox) { this.#put({ type: "acknowledge", ids: [inbox] }); }

  /** @param {Events["token"]} came */
  #tokenCame({ token, expiry }) {
    this.token = token;
    for (const [topic, isTold] of this.#left) if (isTold) this.#left.delete(topic);
    if (this.#awaitsToken && this.state === "ready") {
      // The hub has told of all topics of the last one that it has room for. What else there was is asked for, also what it had
      // decided itself.
      this.#awaitsToken = false;
      for (const known of this.#topics.values()) known.wanted ||= !known.told;
      this.#renew();
      for (const call of this.#calls.values()) if (!call.sent) this.#ask(call);
    }
    // Told last: a handler may stop the client.
    this.#tell("token", { token, expiry });
  }

  // Saying

  /** Why nothing can be asked. */
  #refusal() {
    if (this.state === "stopped") return new HubError("stopped");
    return this.#calls.size >= this.#options.callsMax ? new HubError("tooManyCalls") : null;
  }

  /**
   * @param {any} envelope
   * @param {boolean} again whether it is asked again on the next connection @returns {Promise<any>}
   */
  #call(envelope, again) {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal();
      if (refusal) return reject(refusal);
      const id = ++this.#lastID;
      const asked = { ...envelope, id };
      const timer = later(this.#options.callTimeout, () => {
        this.#calls.delete(id);
        reject(new HubError("timedOut"));
        // The client waits for what it may still be answered, if nobody else does.
        if (asked.type !== "subscribe" || !call.sent || this.state !== "ready") return;
        if (![...this.#renewals.values()].includes(asked.topic)) this.#renewals.set(id, asked.topic);
      });
      /** @type {Call} */
      const call = { envelope: asked, again, sent: false, settle(error, answer) {
        clearTimeout(timer);
        if (error) reject(error); else resolve(answer);
      } };
      this.#calls.set(id, call);
      if (this.state === "ready") this.#ask(call);
    });
  }

  /**
   * Says what was asked. A topic that was known before goes on from there: those of a token by themselves, so that what asks for
   * them waits until the token's are told.
   * @param {Call} call
   */
  #ask(call) {
    const { type, topic, epoch } = /** @type {any} */ (call.envelope);
    const known = type === "subscribe" && epoch === undefined ? this.#topics.get(topic) : undefined;
    const place = known?.told ? null : known?.sought ?? known?.position;
    call.sent = !(place && this.#awaitsToken);
    if (call.sent) this.#put({ ...place, ...call.envelope });
  }

  /**
   * The calls that ask for a topic, or for its end.
   * @param {string} topic @param {string} [type]
   */
  #asking(topic, type = "subscribe") {
    return [...this.#calls].filter(([, { envelope }]) => {
      const { type: what, topic: asked } = /** @type {any} */ (envelope);
      return what === type && asked === topic;
    });
  }

  /** @param {any} envelope @returns {boolean} */
  #say(envelope) { return this.state === "ready" && this.#put(envelope); }

  /** @param {any} envelope @returns {boolean} */
  #put(envelope) {
    if (this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(envelope));
    return true;
  }

  /** @param {State} state */
  #set(state) {
    if (this.state === state) return;
    this.state = state;
    this.#tell("state", state);
  }

  /**
   * @param {keyof Events} name @param {any} detail @param {PromiseLike<unknown>[]} [promises] takes what handlers promise
   * @returns {boolean} whether all handlers returned
   */
  #tell(name, detail, promises) {
    let isTaken = true;
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        const result = handler(detail);
        if (typeof result?.then === "function") promises?.push(result);
      } catch (error) {
        isTaken = false;
        report(error);
      }
    }
    return isTaken;
  }
}

/**
 * As a browser reports what nobody catches.
 * @param {any} error
 */
function report(error) { (globalThis.reportError ?? console.error)(error); }

/** @param {any} envelope @returns {Position | null} */
function position({ epoch, offset }) {
  return epoch === undefined ? null : { epoch, offset };
}

/** @param {Position | null} place @param {Position | null} [other] */
function isSame(place, other) { return place?.epoch === other?.epoch && place?.offset === other?.offset; }

/** ms, by a clock that nobody sets, where there is one. */
function now() { return globalThis.performance?.now() ?? Date.now(); }

/** @param {number} delay @param {() => void} body */
function later(delay, body) { return setTimeout(body, Math.min(TIMER_MAX, delay)); }

function randomName() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("");
}
