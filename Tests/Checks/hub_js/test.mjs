// hub.js against a scripted hub in place of a WebSocket: node --test Tests/Checks/hub_js/test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(new URL("../../../Sources/Hub/Script/hub.js", import.meta.url), "utf8");
const { HubClient } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

/** The connections a client has made, each of which the test answers by itself. */
function scripted(options = {}) {
  const sockets = [];
  class Socket {
    readyState = 0;
    said = [];
    constructor(url, subprotocol) {
      Object.assign(this, { url, subprotocol });
      sockets.push(this);
    }
    send(text) { this.said.push(JSON.parse(text)); }
    close() { this.readyState = 3; }
    open() {
      this.readyState = 1;
      this.onopen();
      this.tell({ type: "welcome", session: "s", resumed: false, heartbeat: 25_000, max: 65_536 });
    }
    tell(envelope) { this.onmessage?.({ data: JSON.stringify(envelope) }); }
    end(code = 1006, reason = "") {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
    last(type) { return this.said.findLast((envelope) => envelope.type === type); }
  }
  const client = new HubClient("ws://hub/ws", { WebSocket: Socket, retryAfter: 0, ...options });
  const events = [];
  for (const name of ["connected", "disconnected", "publication", "subscribed", "unsubscribed", "inbox", "failure"]) {
    client.on(name, (detail) => events.push([name, detail]));
  }
  client.start();
  return { client, sockets, events, heard: () => events.filter(([name]) => name === "publication").map(([, { text }]) => text) };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 20));
const subscribed = (id, topic, offset, recovered = true) => ({ type: "subscribed", id, topic, epoch: "e", offset, recovered });
const publication = (topic, offset) => ({ type: "publication", topic, epoch: "e", offset, text: String(offset) });

test("a client subscribes, publishes and is answered", async () => {
  const { client, sockets, heard } = scripted();
  sockets[0].open();
  assert.equal(sockets[0].subprotocol, "longwire.v1.json");
  const wish = client.subscribe("a");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 0, false));
  await wish;
  const publishing = client.publish("a", { text: "hi" });
  const said = sockets[0].last("publish");
  assert.ok(said.idempotency.length > 10);
  sockets[0].tell({ type: "published", id: said.id, epoch: "e", offset: 1 });
  assert.deepEqual(await publishing, { epoch: "e", offset: 1 });
  for (const offset of [1, 2, 2, 1, 3]) sockets[0].tell(publication("a", offset));
  assert.deepEqual(heard(), ["1", "2", "3"]);
  client.stop();
});

test("one that comes back says its token and positions, and asks only for what the token had not", async () => {
  const { client, sockets, events } = scripted();
  sockets[0].open();
  for (const topic of ["a", "b"]) {
    const wish = client.subscribe(topic);
    sockets[0].tell(subscribed(sockets[0].last("subscribe").id, topic, 5, false));
    await wish;
    if (topic === "a") sockets[0].tell({ type: "token", token: "t1", expiry: 1 });
  }
  sockets[0].tell(publication("a", 6));
  const publishing = client.publish("a", { text: "again" });
  const first = sockets[0].last("publish");
  sockets[0].end();
  await turn();
  const socket = sockets[1];
  socket.open();
  assert.deepEqual(socket.said, [{
    type: "resume", token: "t1",
    positions: [{ topic: "a", epoch: "e", offset: 6 }, { topic: "b", epoch: "e", offset: 5 }],
  }]);
  socket.tell({ type: "welcome", session: "s", user: "ann", resumed: true, max: 65_536 });
  assert.equal(socket.last("publish").idempotency, first.idempotency);
  socket.tell(subscribed(undefined, "a", 6));
  assert.equal(socket.last("subscribe"), undefined);
  socket.tell({ type: "token", token: "t2", expiry: 2 });
  assert.deepEqual(socket.last("subscribe"), { type: "subscribe", id: socket.last("subscribe").id, topic: "b", epoch: "e", offset: 5 });
  socket.tell({ type: "published", id: socket.last("publish").id, epoch: "e", offset: 7 });
  await publishing;
  assert.deepEqual(events.filter(([name]) => name === "connected").map(([, welcome]) => welcome.resumed), [false, true]);
  client.stop();
});

test("a token that is not believed makes a new session with the same topics", async () => {
  const { client, sockets } = scripted({ token: "old", login: { event: "hello", json: {} } });
  const wish = client.subscribe("a");
  sockets[0].open();
  assert.equal(sockets[0].last("resume").token, "old");
  sockets[0].tell({ type: "failure", code: 11, reason: "expired" });
  const login = sockets[0].last("request");
  assert.equal(login.event, "hello");
  assert.equal(sockets[0].last("subscribe"), undefined);
  sockets[0].tell({ type: "reply", id: login.id, json: {} });
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 0, false));
  await wish;
  assert.equal(client.token, "");
  client.stop();
});

test("a topic left while the token still has it does not come back", async () => {
  const { client, sockets, heard } = scripted();
  sockets[0].open();
  const wish = client.subscribe("a");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 0, false));
  await wish;
  sockets[0].tell({ type: "token", token: "t1", expiry: 1 });
  sockets[0].end();
  await client.unsubscribe("a");
  await turn();
  sockets[1].open();
  sockets[1].tell({ type: "welcome", session: "s", resumed: true, max: 1 });
  sockets[1].tell(subscribed(undefined, "a", 0));
  sockets[1].tell(publication("a", 1));
  assert.equal(sockets[1].last("unsubscribe").topic, "a");
  assert.deepEqual(heard(), []);
  client.stop();
});

test("messages of the inbox are acknowledged each time and told once", async () => {
  const { client, sockets, events } = scripted();
  sockets[0].open();
  for (const inbox of ["1", "1", "2"]) sockets[0].tell({ type: "inbox", inbox, text: inbox });
  assert.deepEqual(events.filter(([name]) => name === "inbox").map(([, { text }]) => text), ["1", "2"]);
  assert.deepEqual(sockets[0].said.map(({ ids }) => ids), [["1"], ["1"], ["2"]]);
  client.stop();
});

test("what the hub refuses fails, what takes too long too, and a policy close ends it", async () => {
  const { client, sockets, events } = scripted({ callTimeout: 30 });
  sockets[0].open();
  const wish = client.subscribe("secret");
  sockets[0].tell({ type: "failure", id: sockets[0].last("subscribe").id, code: 3, reason: "not yours", retry: 5 });
  await assert.rejects(wish, (error) => error.kind === "failed" && error.code === 3 && error.retryAfter === 5);
  await assert.rejects(client.members("a"), (error) => error.kind === "timedOut");
  const asked = client.request({ event: "x", json: 1 });
  sockets[0].end(1006);
  await assert.rejects(asked, (error) => error.kind === "disconnected");
  await turn();
  sockets[1].open();
  sockets[1].end(1008, "go away");
  await turn();
  assert.equal(sockets.length, 2);
  assert.equal(client.state, "stopped");
  assert.equal(events.at(-1)[1].reason, "go away");
  await assert.rejects(client.members("a"), (error) => error.kind === "stopped");
});

test("the delay before the next attempt is what the hub advised, else within a bound that doubles", async () => {
  const { client, sockets, events } = scripted({ retryAfter: 4, retryAfterMax: 20 });
  sockets[0].open();
  sockets[0].tell({ type: "reconnect", after: 3 });
  sockets[0].end(1001);
  for (let count = 1; count < 6; count += 1) {
    await turn();
    await turn();
    sockets[count].end();
  }
  const delays = events.filter(([name]) => name === "disconnected").map(([, { retryAfter }]) => retryAfter);
  assert.equal(delays[0], 3);
  delays.slice(1).forEach((delay, index) => assert.ok(delay <= Math.min(20, 4 * 2 ** (index + 1)), `${delay}`));
  client.stop();
});

test("a hint holds for an hour at most, and who is told to come at once again and again takes its time", async (context) => {
  context.mock.method(Math, "random", () => 1);
  const { client, sockets, events } = scripted({ retryAfter: 4, retryAfterMax: 20 });
  for (let count = 0; count < 4; count += 1) {
    sockets[count].end(1013, "retry-after=0;");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  sockets[4].end(1013, "retry-after=4294967295;");
  const delays = events.filter(([name]) => name === "disconnected").map(([, { retryAfter }]) => retryAfter);
  assert.deepEqual(delays, [0, 8, 16, 20, 3_600_000]);
  client.stop();
});

test("a client shows its token in the request, too, where it is not too long", async () => {
  const { client, sockets } = scripted();
  sockets[0].open();
  sockets[0].tell({ type: "token", token: "AbC-_.1", expiry: 0 });
  sockets[0].end();
  await turn();
  assert.deepEqual(sockets[1].subprotocol, ["longwire.v1.json", "longwire.resume.AbC-_.1"]);
  sockets[1].open();
  sockets[1].tell({ type: "token", token: "a".repeat(4097), expiry: 0 });
  sockets[1].end();
  await turn();
  assert.equal(sockets[2].subprotocol, "longwire.v1.json");
  client.stop();
});

test("a client comes again when the close says, and not at all where that is of no use", async () => {
  const { client, sockets, events } = scripted();
  sockets[0].open();
  sockets[0].end(4429, "retry-after=7;too many");
  assert.equal(events.findLast(([name]) => name === "disconnected")[1].retryAfter, 7);
  await turn();
  sockets[1].open();
  sockets[1].end(4403, "banned");
  assert.equal(client.state, "stopped");
  await turn();
  assert.equal(sockets.length, 2);
});

test("a hint beyond what timers take is an hour, and not no time at all", async () => {
  const { client, sockets, events } = scripted();
  sockets[0].open();
  sockets[0].end(4429, "retry-after=4294967295;too many");
  await turn();
  assert.equal(sockets.length, 1);
  assert.equal(events.findLast(([name]) => name === "disconnected")[1].retryAfter, 3_600_000);
  client.retryNow();
  sockets[1].open();
  sockets[1].tell({ type: "reconnect", after: 2 ** 40 });
  sockets[1].end(1001);
  await turn();
  assert.equal(sockets.length, 2);
  client.stop();
});

test("a client listens to its window from start to stop", async () => {
  const window = new EventTarget();
  globalThis.addEventListener = window.addEventListener.bind(window);
  try {
    const { client, sockets } = scripted({ retryAfter: 1e6, retryAfterMax: 1e6 });
    const online = () => window.dispatchEvent(new Event("online"));
    let calls = 0;
    const retryNow = client.retryNow.bind(client);
    client.retryNow = () => { calls += 1; retryNow(); };
    sockets[0].end(1006);
    online();
    assert.deepEqual([calls, sockets.length], [1, 2]);
    client.stop();
    online();
    assert.equal(calls, 1);
    client.start();
    online();
    assert.deepEqual([calls, sockets.length], [2, 3]);
    sockets[2].end(1008, "go away");
    online();
    assert.equal(calls, 2);
  } finally {
    delete globalThis.addEventListener;
  }
});

test("a handler that throws is in nobody's way, and its message of the inbox comes again", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const { client, sockets, heard, events } = scripted();
    let isBroken = true;
    const fail = (name) => () => { if (isBroken) throw new Error(name); };
    for (const name of ["state", "connected", "publication", "inbox", "disconnected"]) client.on(name, fail(name));
    const wish = client.subscribe("a");
    sockets[0].open();
    sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 0, false));
    await wish;
    sockets[0].tell(publication("a", 1));
    assert.deepEqual(heard(), ["1"]);
    sockets[0].tell({ type: "inbox", inbox: "1", text: "x" });
    assert.equal(sockets[0].last("acknowledge"), undefined);
    isBroken = false;
    sockets[0].tell({ type: "inbox", inbox: "1", text: "x" });
    assert.deepEqual(sockets[0].last("acknowledge").ids, ["1"]);
    isBroken = true;
    sockets[0].end();
    await turn();
    assert.equal(sockets.length, 2);
    assert.deepEqual([...new Set(reported)].sort(), ["connected", "disconnected", "inbox", "publication", "state"]);
    assert.equal(events.filter(([name]) => name === "inbox").length, 2);
    client.stop();
  } finally {
    delete globalThis.reportError;
  }
});

test("a message of the inbox is acknowledged when what its handler promised is done, and comes again when that failed", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  try {
    const { client, sockets } = scripted();
    const promised = [];
    // Any thenable is a promise.
    client.on("inbox", ({ text }) => ({ then(resolve, reject) { promised.push({ text, resolve, reject }); } }));
    const acknowledged = () => sockets.at(-1).said.filter(({ type }) => type === "acknowledge").map(({ ids }) => ids[0]);
    const come = (...ids) => { for (const inbox of ids) sockets.at(-1).tell({ type: "inbox", inbox, text: inbox }); return turn(); };
    sockets[0].open();
    await come("1", "2", "3", "1");
    // All are called in order, at once, and none again while it is at it.
    assert.deepEqual([promised.map(({ text }) => text), acknowledged()], [["1", "2", "3"], []]);
    promised[1].resolve();
    await turn();
    assert.deepEqual(acknowledged(), ["2"]);
    promised[0].reject(new Error("disk full"));
    await turn();
    assert.deepEqual([acknowledged(), reported], [["2"], ["disk full"]]);
    await come("1");
    assert.equal(promised.length, 4);
    promised[3].resolve();
    await turn();
    assert.deepEqual(acknowledged(), ["2", "1"]);
    // One that is done between two sessions is acknowledged when it comes again, and not told again.
    sockets[0].tell({ type: "token", token: "t", expiry: 1 });
    sockets[0].end();
    await turn();
    sockets[1].open();
    promised[2].resolve();
    await turn();
    assert.deepEqual(acknowledged(), []);
    sockets[1].tell({ type: "welcome", session: "s", resumed: true, max: 1 });
    await come("3");
    assert.deepEqual([acknowledged(), promised.length], [["3"], 4]);
    client.stop();
  } finally {
    delete globalThis.reportError;
  }
});

test("of several handlers of the inbox each has to be done", async () => {
  globalThis.reportError = () => {};
  try {
    const { client, sockets } = scripted();
    let isBroken = true;
    client.on("inbox", async () => {});
    client.on("inbox", () => { if (isBroken) throw new Error("no"); });
    sockets[0].open();
    sockets[0].tell({ type: "inbox", inbox: "1", text: "x" });
    await turn();
    assert.equal(sockets[0].last("acknowledge"), undefined);
    isBroken = false;
    sockets[0].tell({ type: "inbox", inbox: "1", text: "x" });
    await turn();
    assert.deepEqual(sockets[0].last("acknowledge").ids, ["1"]);
    client.stop();
  } finally {
    delete globalThis.reportError;
  }
});

test("a message of the inbox that nobody handles is not acknowledged", () => {
  const { client, sockets } = scripted();
  const bare = new HubClient("ws://hub/ws", { WebSocket: sockets[0].constructor });
  bare.start();
  sockets[1].open();
  sockets[1].tell({ type: "inbox", inbox: "1", text: "x" });
  assert.deepEqual(sockets[1].said, []);
  const told = [];
  bare.on("inbox", ({ text }) => told.push(text));
  sockets[1].tell({ type: "inbox", inbox: "1", text: "x" });
  assert.deepEqual([told, sockets[1].last("acknowledge").ids], [["x"], ["1"]]);
  bare.stop();
  client.stop();
});

test("what a message is called stays its own: a received one can be passed on", () => {
  const { client, sockets } = scripted();
  sockets[0].open();
  const received = { type: "publication", id: 77, topic: "a", epoch: "e", offset: 1, durability: "stored", text: "hi" };
  client.publish("b", received, "transient").catch(() => {});
  client.publishVolatile("b", received);
  client.send(received);
  client.request(received).catch(() => {});
  client.reply(5, received);
  const said = sockets[0].said.map(({ type, topic, durability, id, text }) => [type, topic, durability, id, text]);
  assert.deepEqual(said.map(([type]) => type), ["publish", "publish", "message", "request", "reply"]);
  assert.deepEqual(said.slice(0, 2).map(([, topic, durability]) => [topic, durability]), [["b", "transient"], ["b", "volatile"]]);
  assert.notEqual(said[0][3], 77);
  assert.equal(said[1][3], undefined);
  assert.equal(said[4][3], 5);
  client.stop();
});

test("a hub that welcomes nobody, or does not answer a login, is tried again", async () => {
  const { client, sockets } = scripted({ callTimeout: 1000, login: { text: "me" } });
  const next = async () => {
    const count = sockets.length;
    while (sockets.length === count) await turn();
    return sockets[count];
  };
  (await next()).open();
  assert.equal(client.state, "loggingIn");
  const third = await next();
  third.open();
  third.tell({ type: "reply", id: third.last("request").id, text: "" });
  for (let count = 0; count < 15; count += 1) await turn();
  assert.deepEqual([client.state, sockets.length], ["ready", 3]);
  client.stop();
});

test("an address is asked for before each attempt", async () => {
  let count = 0;
  const { client, sockets } = scripted();
  const renewed = new HubClient(() => `ws://hub/ws?token=${count += 1}`, { WebSocket: sockets[0].constructor, retryAfter: 0 });
  renewed.start();
  sockets[1].open();
  sockets[1].end(4419, "retry-after=0;expired");
  await turn();
  assert.deepEqual(sockets.slice(1).map(({ url }) => url), ["ws://hub/ws?token=1", "ws://hub/ws?token=2"]);
  renewed.stop();
  client.stop();
});

test("an address that cannot be had is asked for again, and by a client that was stopped not used", async () => {
  const { client, sockets } = scripted();
  const told = [];
  let count = 0;
  const renewed = new HubClient(() => {
    count += 1;
    if (count === 1) throw new Error("no token");
    if (count === 3) renewed.stop();
    return "ws://hub/ws";
  }, { WebSocket: sockets[0].constructor, retryAfter: 0 });
  renewed.on("disconnected", ({ code, reason }) => told.push([code, reason]));
  renewed.start();
  assert.deepEqual([renewed.state, told, sockets.length], ["offline", [[1006, "Error: no token"]], 1]);
  while (sockets.length === 1) await turn();
  sockets[1].open();
  sockets[1].end(1006, "");
  while (count < 3) await turn();
  assert.deepEqual([renewed.state, sockets.length], ["stopped", 2]);
  client.stop();
});

test("a topic that was left may be given by the hub, and one that is asked for again is kept", async () => {
  const { client, sockets, heard } = scripted();
  sockets[0].open();
  const [socket] = sockets;
  const join = (topic) => {
    const wish = client.subscribe(topic);
    return () => { socket.tell(subscribed(socket.last("subscribe").id, topic, 0, false)); return wish; };
  };
  const leave = (topic) => {
    const wish = client.unsubscribe(topic);
    const { id } = socket.last("unsubscribe");
    return () => { socket.tell({ type: "unsubscribed", id, topic }); return wish; };
  };
  await join("a")();
  await leave("a")();
  socket.tell(subscribed(undefined, "a", 0));
  socket.tell(publication("a", 1));
  assert.deepEqual(heard(), ["1"]);
  await join("b")();
  const left = leave("b");
  const joined = join("b");
  await left();
  await joined();
  socket.end();
  await turn();
  sockets[1].open();
  assert.deepEqual(sockets[1].said.map(({ type, topic }) => [type, topic]), [["subscribe", "b"]]);
  client.stop();
});

test("a topic that the hub cannot take now is asked for again in the next session, one that it refuses is not", async () => {
  const { client, sockets, events } = scripted();
  sockets[0].open();
  for (const topic of ["a", "b"]) {
    const wish = client.subscribe(topic);
    sockets[0].tell(subscribed(sockets[0].last("subscribe").id, topic, 5, false));
    await wish;
  }
  sockets[0].end();
  await turn();
  sockets[1].open();
  const [first, second] = sockets[1].said;
  sockets[1].tell({ type: "failure", id: first.id, code: 7, retry: 5 });
  sockets[1].tell({ type: "failure", id: second.id, code: 3 });
  await turn();
  const said = sockets[1].said.slice(2).map(({ type, topic, offset }) => [type, topic, offset]);
  assert.deepEqual(said, [["subscribe", "a", 5]]);
  assert.deepEqual(events.filter(([name]) => name === "unsubscribed").map(([, { topic }]) => topic), ["b"]);
  client.stop();
});

test("what is asked while a session begins is said once", async () => {
  const { client, sockets } = scripted();
  const begun = [];
  client.on("state", (state) => { if (state === "ready") begun.push(client.request({ event: "first" })); });
  client.on("connected", () => begun.push(client.publish("a", { text: "hi" }, "transient")));
  const waiting = client.history("a");
  sockets[0].open();
  assert.deepEqual(sockets[0].said.map(({ type }) => type).sort(), ["history", "publish", "request"]);
  sockets[0].tell({ type: "history", id: sockets[0].last("history").id, epoch: "e", offset: 0, recovered: true, more: false, messages: [] });
  await waiting;
  // What is asked again on the next connection is said there, also where it was said before.
  const again = client.members("a");
  sockets[0].end();
  await assert.rejects(begun[0], { kind: "disconnected" });
  await assert.rejects(begun[1], { kind: "disconnected" });
  await turn();
  sockets[1].open();
  assert.deepEqual(sockets[1].said.map(({ type }) => type).sort(), ["members", "publish", "request"]);
  for (const call of begun.slice(2)) call.catch(() => {});
  again.catch(() => {});
  client.stop();
});

test("a client that is stopped or started while it hears of a lost connection keeps to that", async () => {
  const stopped = scripted();
  stopped.client.on("state", (state) => { if (state === "offline") stopped.client.stop(); });
  stopped.sockets[0].open();
  stopped.sockets[0].end();
  await turn();
  assert.equal(stopped.client.state, "stopped");
  assert.equal(stopped.sockets.length, 1);
  assert.deepEqual(stopped.events.filter(([name]) => name === "disconnected").map(([, { why }]) => why), ["stopped"]);

  const restarted = scripted();
  let times = 0;
  restarted.client.on("state", (state) => { if (state === "offline" && times++ === 0) restarted.client.start(); });
  restarted.sockets[0].open();
  restarted.sockets[0].end();
  await turn();
  assert.equal(restarted.sockets.length, 2);
  restarted.client.stop();
});

test("a client that is stopped while it hears that its session is there says nothing more", async () => {
  const { client, sockets, events } = scripted();
  client.on("state", (state) => { if (state === "ready") client.stop(); });
  sockets[0].open();
  await turn();
  assert.equal(client.state, "stopped");
  assert.deepEqual(events.map(([name]) => name), ["disconnected"]);
});

test("a topic that is asked for again without a connection goes on where it was", async () => {
  const { client, sockets, heard } = scripted();
  sockets[0].open();
  const wish = client.subscribe("a");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 5, false));
  await wish;
  sockets[0].end();
  const again = client.subscribe("a");
  const other = client.subscribe("b", { epoch: "f", offset: 1 });
  await turn();
  sockets[1].open();
  const said = sockets[1].said.filter(({ type }) => type === "subscribe").map(({ topic, epoch, offset }) => ({ topic, epoch, offset }));
  assert.deepEqual(said, [{ topic: "a", epoch: "e", offset: 5 }, { topic: "b", epoch: "f", offset: 1 }]);
  for (const { id, topic, offset } of sockets[1].said) sockets[1].tell(subscribed(id, topic, offset));
  await again;
  await other;
  sockets[1].tell(publication("a", 6));
  assert.deepEqual(heard(), ["6"]);
  client.stop();
});

/** A client that follows `a` up to 5, by a token unless it is older, and has lost its connection. */
async function cutOff(isInToken) {
  const scene = scripted();
  const { client, sockets } = scene;
  sockets[0].open();
  if (!isInToken) sockets[0].tell({ type: "token", token: "t", expiry: 1 });
  const wish = client.subscribe("a");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 5, false));
  await wish;
  if (isInToken) sockets[0].tell({ type: "token", token: "t", expiry: 1 });
  sockets[0].end();
  const comeBack = async (resumed) => {
    await turn();
    sockets[1].open();
    sockets[1].tell(resumed ? { type: "welcome", session: "s", resumed: true, max: 1 } : { type: "failure", code: 11 });
    return sockets[1];
  };
  const asked = () => sockets[1].said.filter(({ type }) => type === "subscribe").map(({ topic, offset }) => [topic, offset]);
  return { ...scene, comeBack, asked };
}

test("a topic of the token that is asked for again goes on by the token", async () => {
  const { client, asked, comeBack, heard } = await cutOff(true);
  const again = [client.subscribe("a")];
  // What is new is asked for at once.
  client.subscribe("b").catch(() => {});
  client.on("connected", () => again.push(client.subscribe("a")));
  const socket = await comeBack(true);
  assert.deepEqual([again.length, asked()], [2, [["b", undefined]]]);
  socket.tell(subscribed(undefined, "a", 5));
  for (const answer of await Promise.all(again)) assert.deepEqual([answer.offset, answer.recovered], [5, true]);
  socket.tell(publication("a", 6));
  socket.tell({ type: "token", token: "u", expiry: 1 });
  assert.deepEqual([heard(), asked()], [["6"], [["b", undefined]]]);
  client.stop();
});

test("a topic that the token had not and is asked for again goes on where it was", async () => {
  const { client, asked, comeBack } = await cutOff(false);
  const again = client.subscribe("a");
  const socket = await comeBack(true);
  assert.deepEqual(asked(), []);
  socket.tell({ type: "token", token: "u", expiry: 1 });
  assert.deepEqual(asked(), [["a", 5]]);
  socket.tell(subscribed(socket.last("subscribe").id, "a", 5));
  assert.equal((await again).recovered, true);
  client.stop();
});

test("a topic that the token brings no more is asked for after it", async () => {
  const { client, asked, comeBack } = await cutOff(true);
  const again = client.subscribe("a");
  const socket = await comeBack(true);
  socket.tell({ type: "unsubscribed", topic: "a" });
  socket.tell({ type: "token", token: "u", expiry: 1 });
  assert.deepEqual(asked(), [["a", undefined]]);
  socket.tell({ type: "failure", id: socket.last("subscribe").id, code: 3 });
  await assert.rejects(again, { kind: "failed", code: 3 });
  client.stop();
});

test("a topic that is asked for and left before the token's are told is left", async () => {
  const { client, asked, comeBack } = await cutOff(true);
  const socket = await comeBack(true);
  const again = client.subscribe("a");
  const left = client.unsubscribe("a");
  await assert.rejects(again, { kind: "disconnected" });
  socket.tell({ type: "unsubscribed", id: socket.last("unsubscribe").id, topic: "a" });
  await left;
  socket.tell({ type: "token", token: "u", expiry: 1 });
  assert.deepEqual([asked(), client.topics], [[], []]);
  client.stop();
});

test("a topic that is asked for twice without a connection is told once", async () => {
  const { client, asked, comeBack, heard } = await cutOff(true);
  const again = [client.subscribe("a"), client.subscribe("a")];
  client.on("connected", () => again.push(client.subscribe("a")));
  const socket = await comeBack(false);
  assert.deepEqual(asked(), [["a", 5], ["a", 5], ["a", 5]]);
  const ids = socket.said.filter(({ type }) => type === "subscribe").map(({ id }) => id);
  for (const [index, id] of ids.entries()) {
    socket.tell(subscribed(id, "a", 5));
    for (let offset = 6; offset <= 7 + index; offset += 1) socket.tell(publication("a", offset));
  }
  await Promise.all(again);
  assert.deepEqual(heard(), ["6", "7", "8", "9"]);
  // Another life of the topic, or a gap, is believed.
  socket.tell({ ...subscribed(undefined, "a", 2), epoch: "f" });
  socket.tell({ ...publication("a", 3), epoch: "f" });
  socket.tell({ ...subscribed(undefined, "a", 1, false), epoch: "f" });
  socket.tell({ ...publication("a", 2), epoch: "f" });
  assert.deepEqual(heard().slice(4), ["3", "2"]);
  client.stop();
});

test("a topic that is asked for from an earlier position is told from there", async () => {
  const { client, sockets, heard } = scripted();
  sockets[0].open();
  const ask = (after) => {
    const wish = client.subscribe("a", after);
    const { id } = sockets[0].last("subscribe");
    return { id, wish };
  };
  const first = ask();
  sockets[0].tell(subscribed(first.id, "a", 5, false));
  await first.wish;
  const earlier = ask({ epoch: "e", offset: 3 });
  // Still of the subscription before.
  sockets[0].tell(publication("a", 6));
  sockets[0].tell(subscribed(earlier.id, "a", 3));
  await earlier.wish;
  for (const offset of [4, 5, 6, 7]) sockets[0].tell(publication("a", offset));
  assert.deepEqual(heard(), ["6", "4", "5", "6", "7"]);
  // A topic that goes on is asked for as it is asked.
  ask().wish.catch(() => {});
  assert.equal(sockets[0].last("subscribe").offset, undefined);
  client.stop();
});

test("a client that is stopped while its address is asked for stays so, also where there is none", async () => {
  const { client: other, sockets } = scripted();
  other.stop();
  const client = new HubClient(() => { client.stop(); throw new Error("no token"); }, { WebSocket: sockets[0].constructor, retryAfter: 0 });
  client.start();
  await turn();
  assert.deepEqual([client.state, sockets.length], ["stopped", 1]);
});

test("a client that is stopped while it starts again stays so", async () => {
  const { client, sockets } = scripted();
  client.stop();
  client.on("state", (state) => { if (state === "offline") client.stop(); });
  client.start();
  await turn();
  assert.deepEqual([client.state, sockets.length], ["stopped", 1]);
});

/** A client that follows `a` up to 5, on a connection. */
async function following(options = {}) {
  const scene = scripted(options);
  const { client, sockets } = scene;
  sockets[0].open();
  const wish = client.subscribe("a");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 5, false));
  await wish;
  const refuse = (code, more = {}) => {
    const socket = sockets.at(-1);
    socket.tell({ type: "failure", id: socket.last("subscribe").id, code, ...more });
  };
  const ended = () => scene.events.filter(([name]) => name === "unsubscribed").map(([, { topic }]) => topic);
  return { ...scene, refuse, ended };
}

/** Runs `body` with clocks that stand until they are moved, and what would be done again and again. */
async function withClocks(body) {
  const { performance: real, setInterval: repeat } = globalThis;
  const calendar = Date.now;
  const clock = { passed: 1_000, date: calendar(), ticks: [] };
  Object.defineProperty(globalThis, "performance", { value: { now: () => clock.passed }, configurable: true, writable: true });
  globalThis.setInterval = (tick) => { clock.ticks.push(tick); return 0; };
  Date.now = () => clock.date;
  clock.pass = (ms) => {
    clock.passed += ms;
    clock.date += ms;
    for (const tick of clock.ticks) tick();
  };
  try {
    await body(clock);
  } finally {
    Object.defineProperty(globalThis, "performance", { value: real, configurable: true, writable: true });
    globalThis.setInterval = repeat;
    Date.now = calendar;
  }
}

test("a topic that goes on is not lost where asking for it again is refused", async () => {
  for (const [code, after] of [[5], [6], [7], [3], [7, { epoch: "e", offset: 3 }]]) {
    const { client, sockets, heard, refuse, ended } = await following();
    const again = client.subscribe("a", after);
    sockets[0].tell(publication("a", 6));
    refuse(code);
    await assert.rejects(again, { kind: "failed", code });
    sockets[0].tell(publication("a", 7));
    assert.deepEqual([heard(), client.topics, ended()], [["6", "7"], ["a"], []]);
    // It goes on from what was told, and not from where it was asked for in vain.
    sockets[0].end();
    await turn();
    sockets[1].open();
    assert.deepEqual([sockets[1].last("subscribe").topic, sockets[1].last("subscribe").offset], ["a", 7]);
    client.stop();
  }
});

test("a topic that was followed and cannot be had again now is asked for later, also by one who waits", async () => {
  const { client, sockets, refuse, ended } = await following();
  sockets[0].end();
  const again = client.subscribe("a");
  await turn();
  sockets[1].open();
  refuse(7);
  await assert.rejects(again, { code: 7 });
  await turn();
  assert.deepEqual(sockets[1].said.map(({ type, offset }) => [type, offset]), [["subscribe", 5], ["subscribe", 5]]);
  refuse(3);
  assert.deepEqual([ended(), client.topics], [["a"], []]);
  client.stop();
});

test("a topic that was followed and is refused for good to one who waits is told to have ended", async () => {
  const { client, sockets, refuse, ended } = await following();
  sockets[0].end();
  const again = client.subscribe("a");
  await turn();
  sockets[1].open();
  refuse(3);
  await assert.rejects(again, { code: 3 });
  assert.deepEqual([ended(), client.topics], [["a"], []]);
  client.stop();
});

test("what the hub cannot take now is asked for ever later, all of it at once, and not before it said", async () => {
  const delays = [];
  const { setTimeout: real } = globalThis;
  const { client, sockets } = await following({ retryAfter: 0 });
  const other = client.subscribe("b");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "b", 5, false));
  await other;
  sockets[0].end();
  await turn();
  const { random } = Math;
  Math.random = () => 1;
  let fire;
  globalThis.setTimeout = (body, delay) => { delays.push(delay); fire = body; return delays.length; };
  try {
    const patient = scripted({ retryAfter: 500, retryAfterMax: 3_000, WebSocket: sockets[0].constructor, token: "" });
    patient.client.subscribe("a").catch(() => {});
    patient.client.subscribe("b").catch(() => {});
    const socket = sockets.at(-1);
    socket.open();
    for (const { id, topic } of [...socket.said]) socket.tell(subscribed(id, topic, 5, false));
    socket.end();
    fire();
    const next = sockets.at(-1);
    next.open();
    delays.length = 0;
    const rounds = [undefined, undefined, undefined, undefined, 1_000, 2 ** 40];
    for (const [round, retry] of rounds.entries()) {
      const asked = next.said.slice(2 * round);
      assert.deepEqual(asked.map(({ type, topic }) => [type, topic]), [["subscribe", "a"], ["subscribe", "b"]]);
      for (const { id } of asked) next.tell({ type: "failure", id, code: 7, retry });
      assert.equal(delays.length, round + 1);
      fire();
    }
    assert.deepEqual(delays, [500, 1_000, 2_000, 3_000, 4_000, 2 ** 31 - 1]);
    // One that is had makes the others' failures forgotten.
    const [a, b] = next.said.slice(-2);
    next.tell(subscribed(a.id, "a", 5));
    next.tell({ type: "failure", id: b.id, code: 7 });
    assert.equal(delays.at(-1), 500);
    patient.client.stop();
  } finally {
    globalThis.setTimeout = real;
    Math.random = random;
  }
  client.stop();
});

test("a dead connection is found by a clock that nobody sets, and soon after a sleep", async () => {
  await withClocks(async (clock) => {
    const { client, sockets, events } = await following();
    clock.date -= 3_600_000;
    clock.pass(25_001);
    assert.equal(sockets[0].last("ping")?.type, "ping");
    clock.date -= 3_600_000;
    clock.pass(25_001);
    assert.equal(events.findLast(([name]) => name === "disconnected")?.[1].reason, "nothing heard");
    client.stop();
  });
  await withClocks(async (clock) => {
    const { client, sockets, events } = await following();
    // Some clocks stand while a machine sleeps. A calendar that jumps is no proof.
    clock.date += 3_600_000;
    clock.pass(1);
    assert.equal(sockets[0].last("ping")?.type, "ping");
    clock.date += 3_600_000;
    clock.pass(1);
    assert.equal(client.state, "ready");
    sockets[0].tell({ type: "pong", id: sockets[0].last("ping").id });
    clock.pass(25_001);
    assert.deepEqual([client.state, events.filter(([name]) => name === "disconnected").length], ["ready", 0]);
    client.stop();
  });
});

test("a page that comes back tries its connection also where it slept while it was tried, and waits no longer for that", async () => {
  const window = new EventTarget();
  globalThis.addEventListener = window.addEventListener.bind(window);
  const online = () => window.dispatchEvent(new Event("online"));
  try {
    await withClocks(async (clock) => {
      const { client, sockets, events } = await following();
      const [socket] = sockets;
      const pings = () => socket.said.filter(({ type }) => type === "ping").length;
      const lost = () => events.filter(([name]) => name === "disconnected").map(([, { reason }]) => reason);
      // Heard of in time, it goes on.
      online();
      socket.tell({ type: "pong", id: socket.last("ping").id });
      clock.pass(10_001);
      assert.deepEqual([pings(), lost()], [1, []]);
      clock.pass(15_000);
      assert.equal(pings(), 2);
      clock.date += 3_600_000;
      online();
      assert.equal(pings(), 3);
      clock.pass(9_000);
      // Whoever comes again and again puts nothing off.
      online();
      assert.deepEqual([pings(), lost()], [4, []]);
      clock.pass(1_001);
      assert.deepEqual(lost(), ["nothing heard"]);
      client.stop();
    });
  } finally {
    delete globalThis.addEventListener;
  }
});

test("where there is no such clock, the calendar is", async () => {
  await withClocks(async (clock) => {
    globalThis.performance = undefined;
    const { client, events } = await following();
    clock.pass(25_001);
    clock.pass(25_001);
    assert.equal(events.findLast(([name]) => name === "disconnected")?.[1].reason, "nothing heard");
    client.stop();
  });
});

test("what is refused before it is asked changes nothing", async () => {
  const { client, sockets, heard } = await following({ callsMax: 1 });
  const open = client.members("a");
  await assert.rejects(client.subscribe("a", { epoch: "e", offset: 2 }), { kind: "tooManyCalls" });
  await assert.rejects(client.subscribe("b"), { kind: "tooManyCalls" });
  sockets[0].tell({ type: "members", id: sockets[0].last("members").id, topic: "a", users: [], count: 0 });
  await open;
  sockets[0].tell(publication("a", 6));
  sockets[0].end();
  await turn();
  sockets[1].open();
  assert.deepEqual(sockets[1].said.map(({ topic, offset }) => [topic, offset]), [["a", 6]]);
  assert.deepEqual(heard(), ["6"]);
  client.stop();
  await assert.rejects(client.subscribe("c"), { kind: "stopped" });
  assert.deepEqual(client.topics, []);
});

test("the hub hears that a topic is left also where nobody can wait for its answer", async () => {
  const { client, sockets } = await following({ callsMax: 1 });
  client.members("a").catch(() => {});
  await assert.rejects(client.unsubscribe("a"), { kind: "tooManyCalls" });
  assert.equal(sockets[0].last("unsubscribe")?.topic, "a");
  client.stop();
});

test("who asks for a topic and leaves it at once is answered both", async () => {
  const { client, sockets } = scripted();
  sockets[0].open();
  const joined = client.subscribe("a");
  const left = client.unsubscribe("a");
  sockets[0].tell(subscribed(sockets[0].last("subscribe").id, "a", 5, false));
  assert.equal((await joined).offset, 5);
  sockets[0].tell({ type: "unsubscribed", id: sockets[0].last("unsubscribe").id, topic: "a" });
  await left;
  assert.deepEqual(client.topics, []);
  client.stop();
});

test("a topic that is asked for from a position after it was asked for without is told from there", async () => {
  const { client, sockets, heard } = scripted();
  sockets[0].open();
  const wishes = [client.subscribe("a"), client.subscribe("a", { epoch: "e", offset: 3 })];
  const [first, second] = sockets[0].said.map(({ id }) => id);
  sockets[0].tell(subscribed(first, "a", 5, false));
  sockets[0].tell(publication("a", 6));
  sockets[0].tell(subscribed(second, "a", 3));
  await Promise.all(wishes);
  for (const offset of [4, 5, 6, 7]) sockets[0].tell(publication("a", offset));
  assert.deepEqual(heard(), ["6", "4", "5", "6", "7"]);
  client.stop();
});

test("a topic that ended while it was asked for again in vain is not believed to go on", async () => {
  const orders = [["joined", "left", "refused"], ["joined", "refused", "left"], ["refused", "joined", "left"]];
  for (const [order, code] of orders.flatMap((order) => [7, 3].map((code) => [order, code]))) {
    const { client, sockets, events } = scripted();
    const [socket] = sockets;
    socket.open();
    const wishes = [client.subscribe("a"), client.unsubscribe("a"), client.subscribe("a")];
    const outcomes = Promise.allSettled(wishes);
    const [first, second, third] = socket.said.map(({ id }) => id);
    const answers = {
      joined: subscribed(first, "a", 5, false),
      left: { type: "unsubscribed", id: second, topic: "a" },
      refused: { type: "failure", id: third, code },
    };
    for (const name of order) socket.tell(answers[name]);
    assert.deepEqual((await outcomes).map(({ status }) => status), ["fulfilled", "fulfilled", "rejected"]);
    await turn();
    const asked = socket.said.slice(3).map(({ type, topic, offset }) => [type, topic, offset]);
    // Refused for good as the last it has ended; otherwise it is asked for once more.
    const isEnded = order.at(-1) === "refused" && code === 3;
    assert.deepEqual(asked, isEnded ? [] : [["subscribe", "a", 5]]);
    if (!isEnded) socket.tell({ type: "failure", id: socket.last("subscribe").id, code: 3 });
    assert.deepEqual([events.filter(([name]) => name === "unsubscribed").length, client.topics], [1, []]);
    client.stop();
  }
});

test("a topic that ended and is had again goes on", async () => {
  const { client, sockets, events, heard } = scripted();
  const [socket] = sockets;
  socket.open();
  const wishes = [client.subscribe("a"), client.unsubscribe("a"), client.subscribe("a")];
  const [first, second, third] = socket.said.map(({ id }) => id);
  socket.tell(subscribed(first, "a", 5, false));
  socket.tell({ type: "unsubscribed", id: second, topic: "a" });
  socket.tell(subscribed(third, "a", 6, false));
  await Promise.all(wishes);
  await turn();
  socket.tell(publication("a", 7));
  assert.deepEqual([heard(), socket.said.length, events.filter(([name]) => name === "unsubscribed")], [["7"], 3, []]);
  client.stop();
});

test("a topic that was answered too late is had, or asked for again, or told to have ended", async () => {
  const { client, sockets, events, heard } = scripted({ callTimeout: 30 });
  sockets[0].open();
  const ask = async (topic) => {
    await assert.rejects(client.subscribe(topic), { kind: "timedOut" });
    return sockets[0].last("subscribe").id;
  };
  sockets[0].tell(subscribed(await ask("a"), "a", 5, false));
  sockets[0].tell(publication("a", 6));
  assert.deepEqual(heard(), ["6"]);
  sockets[0].tell({ type: "failure", id: await ask("b"), code: 7 });
  await turn();
  assert.deepEqual(sockets[0].said.filter(({ topic }) => topic === "b").length, 2);
  sockets[0].tell({ type: "failure", id: await ask("c"), code: 3 });
  assert.deepEqual(events.filter(([name]) => name === "unsubscribed").map(([, { topic }]) => topic), ["c"]);
  assert.deepEqual(client.topics, ["a", "b"]);
  client.stop();
});

test("a login that the hub cannot answer now is tried again, when it said", async () => {
  const { client, sockets, events } = scripted({ login: { event: "hello" } });
  for (const retry of [undefined, 7]) {
    const socket = sockets.at(-1);
    socket.open();
    socket.tell({ type: "failure", id: socket.last("request").id, code: 8, retry });
    assert.equal(client.state, "offline");
    await turn();
  }
  assert.equal(events.findLast(([name]) => name === "disconnected")[1].retryAfter, 7);
  assert.equal(sockets.length, 3);
  // It may say so each time, and to all at once.
  const { random } = Math;
  Math.random = () => 1;
  const later = scripted({ login: { event: "hello" }, retryAfter: 1_000 });
  later.sockets[0].open();
  later.sockets[0].tell({ type: "failure", id: later.sockets[0].last("request").id, code: 7, retry: 7 });
  Math.random = random;
  assert.equal(later.events.at(-1)[1].retryAfter, 1_007);
  later.client.stop();
  sockets[2].open();
  sockets[2].tell({ type: "failure", id: sockets[2].last("request").id, code: 3 });
  assert.equal(client.state, "stopped");
});

test("a client that ended while it asked for a topic again asks anew when it is started", async () => {
  const { client, sockets } = await following();
  sockets[0].end();
  await turn();
  sockets[1].open();
  assert.equal(sockets[1].last("subscribe").topic, "a");
  sockets[1].end(4403, "banned");
  client.start();
  sockets[2].open();
  assert.equal(sockets[2].last("subscribe")?.topic, "a");
  client.stop();
});

test("a limit without an end is none", async () => {
  const { client, sockets } = scripted({ callTimeout: Infinity });
  sockets[0].open();
  const asked = client.members("a");
  await turn();
  sockets[0].tell({ type: "members", id: sockets[0].last("members").id, topic: "a", users: [], count: 3 });
  assert.equal((await asked).count, 3);
  client.stop();
});

test("a hub that speaks another subprotocol is not served", () => {
  const { client, sockets, events } = scripted();
  sockets[0].protocol = "longwire.resume.AbC";
  sockets[0].open();
  assert.deepEqual([client.state, events.at(-1)[1].why, sockets[0].said], ["stopped", "unspoken", []]);
});

test("a page that comes back tries its connection, and connects unless the hub said when", async () => {
  const page = new EventTarget();
  globalThis.addEventListener = () => {};
  globalThis.document = Object.assign(page, { hidden: false });
  const show = (hidden) => { page.hidden = hidden; page.dispatchEvent(new Event("visibilitychange")); };
  try {
    const { client, sockets } = scripted({ retryAfter: 1e6, retryAfterMax: 1e6 });
    sockets[0].open();
    show(true);
    assert.equal(sockets[0].last("ping"), undefined);
    show(false);
    assert.equal(sockets[0].said.filter(({ type }) => type === "ping").length, 1);
    sockets[0].end(1006);
    show(true);
    assert.equal(sockets.length, 1);
    show(false);
    assert.equal(sockets.length, 2);
    sockets[1].open();
    sockets[1].end(4429, "retry-after=900000;too many");
    show(false);
    assert.equal(sockets.length, 2);
    client.retryNow();
    assert.equal(sockets.length, 3);
    client.stop();
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.document;
  }
});

test("a topic that the hub gave and does not tell of when the client comes back is asked for", async () => {
  const { client, sockets, refuse, ended } = await following();
  sockets[0].tell(subscribed(undefined, "n", 8, false));
  sockets[0].tell({ type: "token", token: "t", expiry: 1 });
  sockets[0].end();
  await turn();
  sockets[1].open();
  sockets[1].tell({ type: "welcome", session: "s", resumed: true, max: 1 });
  sockets[1].tell(subscribed(undefined, "a", 5));
  assert.equal(sockets[1].last("subscribe"), undefined);
  sockets[1].tell({ type: "token", token: "u", expiry: 1 });
  assert.deepEqual(sockets[1].said.slice(1).map(({ type, topic, offset }) => [type, topic, offset]), [["subscribe", "n", 8]]);
  refuse(3);
  assert.deepEqual([ended(), client.topics], [["n"], ["a"]]);
  client.stop();
});
