// The chat page's rooms.js: node --test Tests/Checks/chat_js/test.mjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const source = readFileSync(new URL("../../../Examples/ChatServer/Public/rooms.js", import.meta.url), "utf8");
const { Room } = await import(`data:text/javascript,${encodeURIComponent(source)}`);

const said = (offset, ref) => ({ offset, from: "Ann", text: `m${offset}`, time: 0, ref });
const page = (epoch, ...offsets) => ({
  epoch, offset: offsets.at(-1) ?? 0,
  messages: offsets.map((offset) => ({ offset, from: "Ann", json: { text: `m${offset}`, time: 0 } })),
});
const entered = (epoch, recovered = true) => ({ epoch, recovered, count: 1 });
const shown = (room) => room.entries.map((entry) => (entry.kind === "message" ? entry.text : entry.kind));

test("a history of another epoch is counted from its own beginning", () => {
  const room = new Room("a");
  room.begin(page("e1", 7, 8));
  room.begin(page("e2", 1, 2));
  room.enter(entered("e2"));
  assert.ok(room.receive(said(3)));
  assert.equal(room.receive(said(2)), null);
  assert.deepEqual(shown(room), ["m7", "m8", "m1", "m2", "m3"]);
});

test("a history that comes after the first messages stands before them, and nothing is there twice", () => {
  const room = new Room("a");
  room.enter(entered("e", false));
  room.receive(said(3));
  room.apply({ joined: ["Bob"], left: [], count: 2 }, "Ann");
  room.begin(page("e", 1, 2, 3, 4));
  assert.deepEqual(shown(room), ["m1", "m2", "m3", "notice", "m4"]);
  assert.equal(room.receive(said(4)), null);
  assert.ok(room.receive(said(5)));
});

test("what the hub still has of a gap follows it in order", () => {
  const room = new Room("a");
  room.begin(page("e", 1, 2));
  room.enter(entered("e"));
  assert.equal(room.enter(entered("e", false)).kind, "gap");
  for (const offset of [5, 6, 7]) room.receive(said(offset));
  assert.deepEqual(shown(room), ["m1", "m2", "gap", "m5", "m6", "m7"]);
});

test("what was sent waits until it is seen, and no longer where that is past", () => {
  const room = new Room("a");
  room.enter(entered("e"));
  for (const ref of ["r1", "r2", "r3", "r4"]) room.pending.set(ref, { ref });
  // The answer comes first, then the message.
  room.sent("r1", { epoch: "e", offset: 1 });
  assert.ok(room.pending.has("r1"));
  room.receive(said(1, "r1"));
  assert.ok(!room.pending.has("r1"));
  // It was said before the connection was lost, and its message was in the gap.
  room.receive(said(9));
  room.sent("r2", { epoch: "e", offset: 5 });
  assert.ok(!room.pending.has("r2"));
  // It is answered, and its message goes missing.
  room.sent("r3", { epoch: "e", offset: 10 });
  assert.ok(room.pending.has("r3"));
  room.receive(said(12));
  assert.ok(!room.pending.has("r3"));
  // It was said in another life of the room.
  room.sent("r4", { epoch: "d", offset: 90 });
  assert.ok(!room.pending.has("r4"));
  // One that was discarded meanwhile.
  room.sent("r5", { epoch: "e", offset: 99 });
  assert.equal(room.pending.size, 0);
});

test("a room that was left sends nothing more", () => {
  const room = new Room("a");
  room.enter(entered("e"));
  room.pending.set("r", { ref: "r" });
  room.leave();
  assert.equal(room.joined, false);
  assert.equal(room.pending.size, 0);
});
