// The page: asks for the key, then for the figures once a second while somebody looks.

import { Chart } from "./chart.js";
import { bytes, count, rate } from "./format.js";
import { History } from "./history.js";
import { KeyRefused, Server } from "./server.js";
import { campaignTable, loopTable, slowTable, tiles, topicTable } from "./tables.js";
import { Watch } from "./watch.js";

const INTERVAL = 1_000;
const one = (selector) => document.querySelector(selector);

const server = new Server();
const watch = new Watch(server, one("#watched"), one("#watch-note"));
let history = new History();
let timer = null;
let isAsking = false;

const charts = [
  new Chart(one("#chart-sessions"), "Sessions", [{ name: "sessions", key: "sessions" }], count),
  new Chart(one("#chart-messages"), "Messages a second", [
    { name: "delivered", key: "delivered" }, { name: "published", key: "published" },
    { name: "not given", key: "skipped" }, { name: "of inboxes", key: "given" },
  ], rate),
  new Chart(one("#chart-queues"), "What waits", [
    { name: "in the network", key: "queued" }, { name: "of topics", key: "topics" },
    { name: "of single sessions", key: "alone" },
  ], bytes, { isBytes: true }),
  new Chart(one("#chart-memory"), "Memory of the process", [{ name: "resident", key: "resident" }], bytes, { isBytes: true }),
  new Chart(one("#chart-store"), "Waits for the store", [
    { name: "of topics", key: "histories" }, { name: "for inboxes", key: "deposits" },
    { name: "acknowledgements", key: "changes" },
  ], count),
  new Chart(one("#chart-inboxes"), "Sent of inboxes, not acknowledged", [{ name: "messages", key: "unacknowledged" }], count),
];

function setState(state, text) {
  document.body.dataset.state = state;
  one("#state-text").textContent = text;
}

// The key

function lock(message) {
  clearTimeout(timer);
  timer = null;
  server.forget();
  history = new History();
  stopWatching();
  document.body.dataset.state = "locked";
  one("#board").hidden = true;
  one("#lock").hidden = false;
  one("#key-error").textContent = message;
  one("#key").focus();
}

function unlock() {
  one("#lock").hidden = true;
  one("#board").hidden = false;
  one("#key-error").textContent = "";
  setState("connecting", "connecting");
  ask();
}

one("#key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = one("#key").value.trim();
  one("#key").value = "";
  if (!key) return;
  server.remember(key);
  unlock();
});
one("#leave").addEventListener("click", () => lock(""));

// The figures

async function ask() {
  if (isAsking || !server.hasKey) return;
  isAsking = true;
  clearTimeout(timer);
  let wait = INTERVAL;
  const began = performance.now();
  try {
    const [answer] = await Promise.all([server.get("figures"), watch.refresh()]);
    show(answer);
    // Somebody else's question was first: the next answer has figures.
    if (!answer.figures) wait = 200;
  } catch (error) {
    if (error instanceof KeyRefused) {
      isAsking = false;
      return lock("The server does not take this key.");
    }
    setState("lost", "no answer; trying again");
    wait = 2 * INTERVAL;
  }
  isAsking = false;
  if (!server.hasKey || document.hidden) return;
  timer = setTimeout(ask, Math.max(50, wait - (performance.now() - began)));
}

function show({ figures, logLevel }) {
  one("#level-box").hidden = !logLevel;
  if (logLevel && document.activeElement !== one("#level")) one("#level").value = logLevel;
  if (!figures || !history.add(figures)) return;
  setState("live", `live · ${new Date().toLocaleTimeString("en-GB")}`);
  const { queues, memory, store, campaigns } = figures;
  const newest = history.newest;
  const waiting = queues.queuedBytes + queues.aloneBytes + queues.topicBytes;
  tiles(one("#tiles"), [
    { name: "Sessions", value: count(figures.sessions), more: newest.accepted === null ? null : `+${rate(newest.accepted)} −${rate(newest.closed)} /s` },
    { name: "Users", value: count(figures.users) },
    { name: "Topics", value: count(figures.topicCount) },
    { name: "Published", value: rate(newest.published), more: "/s" },
    { name: "Delivered", value: rate(newest.delivered), more: "/s" },
    { name: "Of inboxes", value: rate(newest.given), more: "/s" },
    { name: "Slow sessions", value: count(queues.slowSessions), warns: queues.slowSessions > 0 },
    { name: "Waits", value: bytes(waiting) },
    { name: "Waits for store", value: count(history.storeDepth) },
    { name: "Not acknowledged", value: store.deposits === undefined ? "–" : count(queues.unacknowledged) },
    { name: "Campaigns", value: count(campaigns?.running), more: newest.campaigned > 0 ? `${rate(newest.campaigned)} /s` : null },
    { name: "Memory", value: bytes(memory.residentBytes), more: memory.heldBytes > 0 ? `${bytes(memory.heldBytes)} counted` : null },
  ]);
  one("#chart-store").hidden = history.storeDepth === null;
  one("#chart-inboxes").hidden = store.deposits === undefined;
  one("#campaigns-panel").hidden = !campaigns;
  for (const chart of charts) chart.draw(history.samples);
  if (campaigns) {
    one("#campaigns-count").textContent = campaigns.running > campaigns.named.length ? `${campaigns.named.length} of ${count(campaigns.running)}` : "";
    campaignTable(one("#campaigns"), campaigns.named, history.campaigns);
  }
  one("#slow-count").textContent = queues.slowSessions > figures.slow.length ? `${figures.slow.length} of ${count(queues.slowSessions)}` : "";
  one("#topics-count").textContent = figures.topicCount > figures.topics.length ? `${figures.topics.length} of ${count(figures.topicCount)}` : "";
  slowTable(one("#slow"), figures.slow, startWatching);
  topicTable(one("#topics"), figures.topics, history.topics);
  loopTable(one("#loops"), history.loops);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else ask();
});

// What is watched, and the log level

function startWatching(kind, name) {
  one("#watch-kind").value = kind;
  one("#watch-name").value = name;
  one("#watch-stop").hidden = false;
  watch.begin(kind, name);
  ask();
}

function stopWatching() {
  one("#watch-stop").hidden = true;
  watch.stop();
}

one("#watch-form").addEventListener("submit", (event) => {
  event.preventDefault();
  startWatching(one("#watch-kind").value, one("#watch-name").value.trim());
});
one("#watch-stop").addEventListener("click", stopWatching);

one("#level").addEventListener("change", async (event) => {
  event.target.disabled = true;
  try {
    await server.post("log-level", { level: event.target.value });
  } catch (error) {
    if (error instanceof KeyRefused) lock("The server does not take this key.");
    else setState("lost", "the log level was not set");
  }
  event.target.disabled = false;
  event.target.blur();
});

if (server.hasKey) unlock();
else lock("");
