// The dashboard's history.js and format.js: node --test Tests/Checks/dashboard_js/test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

async function load(name) {
  const source = readFileSync(new URL(`../../../Sources/HubHTTP/Dashboard/Page/${name}`, import.meta.url), "utf8");
  return import(`data:text/javascript,${encodeURIComponent(source)}`);
}

const { History, perSecond } = await load("history.js");
const { bytes, count, rate, span } = await load("format.js");

const messages = (delivered, published = 0) => ({
  published, refused: 0, delivered, caughtUp: 0, skipped: 0, conflated: 0, volatileDropped: 0, gaps: 0,
});
const figures = (milliseconds, delivered, topics = []) => ({
  milliseconds, sessions: 3, messages: messages(delivered, delivered / 10),
  inboxes: { given: delivered / 5, repeated: 0, acknowledged: delivered / 20 },
  queues: { queuedBytes: 1, aloneBytes: 2, topicBytes: 3, unacknowledged: 5 }, memory: { residentBytes: 4 }, store: {},
  loops: [{ index: 0, sessions: 3, turns: milliseconds, events: 0, accepted: 0, closed: 0, sends: 0, receives: 0 }],
  topics: topics.map(([name, delivered]) => ({ name, messages: messages(delivered) })),
});

test("rates are made of what counters grew by, in the server's time", () => {
  const history = new History();
  assert.ok(history.add(figures(1_000, 100, [["a", 10]])));
  assert.equal(history.newest.delivered, null);
  assert.ok(history.add(figures(3_000, 500, [["a", 30], ["b", 5]])));
  assert.equal(history.newest.delivered, 200);
  assert.equal(history.newest.published, 20);
  assert.equal(history.newest.given, 40);
  assert.deepEqual(history.topics.get("a"), { delivered: 10, published: 0 });
  assert.deepEqual(history.topics.get("b"), { delivered: null, published: null });
  assert.equal(history.loops[0].rates.turns, 1_000);
});

test("campaigns have their rates, and the store its depth", () => {
  const history = new History();
  const campaigns = (sent) => ({ running: 1, named: [{ id: "a", sent }, { id: `b${sent}`, sent }] });
  history.add({ ...figures(1_000, 1), campaigns: campaigns(10) });
  assert.equal(history.newest.campaigned, 0);
  assert.equal(history.storeDepth, null);
  history.add({ ...figures(3_000, 1), campaigns: campaigns(50), store: { deposits: 2, changes: 3 } });
  assert.equal(history.campaigns.get("a"), 20);
  assert.equal(history.campaigns.get("b50"), null);
  assert.equal(history.newest.campaigned, 20);
  assert.equal(history.newest.unacknowledged, 5);
  assert.equal(history.storeDepth, 5);
});

test("the same figures again are no new sample", () => {
  const history = new History();
  history.add(figures(1_000, 1));
  assert.equal(history.add(figures(1_000, 1)), false);
  assert.equal(history.samples.length, 1);
});

test("a server that began anew begins a new history", () => {
  for (const next of [figures(500, 200), figures(2_000, 50)]) {
    const history = new History();
    history.add(figures(1_000, 100));
    assert.ok(history.add(next));
    assert.equal(history.samples.length, 1);
    assert.equal(history.newest.delivered, null);
  }
});

test("five minutes are kept", () => {
  const history = new History();
  for (let second = 0; second <= 400; second += 1) history.add(figures(second * 1_000, second));
  assert.equal(history.samples.length, 301);
  assert.equal(history.samples[0].at, 100_000);
});

test("a rate without a time, or of a counter that fell, is none", () => {
  assert.equal(perSecond(5, 1, 0), null);
  assert.equal(perSecond(1, 5, 1_000), null);
  assert.equal(perSecond(5, undefined, 1_000), null);
  assert.equal(perSecond(5, 5, 1_000), 0);
});

test("figures read as people write them", () => {
  assert.deepEqual([0, 999, 12_345, 123_456, 7_654_321, 2e9].map(count), ["0", "999", "12,345", "123 k", "7.65 M", "2 G"]);
  assert.deepEqual([0, 0.26, 9.96, 10.4].map(rate), ["0", "0.3", "10", "10"]);
  assert.deepEqual([0, 1_023, 1_536, 5 << 20, 3 * 2 ** 40].map(bytes), ["0 B", "1,023 B", "1.5 KiB", "5 MiB", "3 TiB"]);
  assert.deepEqual([999, 61_000, 3_720_000].map(span), ["0 s", "1 min 1 s", "1 h 2 min"]);
  for (const write of [count, rate, bytes]) for (const nothing of [null, undefined, Number.NaN]) assert.equal(write(nothing), "–");
});
