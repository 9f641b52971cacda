// Shows whether there is a connection, and when the next attempt is.

import { $ } from "/view.js";

const labels = { ready: "Connected", connecting: "Connecting…", waiting: "Offline", stopped: "Signed out" };
let retryAt = 0;

export function show(state, detail) {
  retryAt = state === "waiting" ? detail.until : 0;
  document.body.dataset.state = state;
  $("state-text").textContent = labels[state];
  $("retry-now").hidden = state !== "waiting";
  showBanner();
}

function showBanner() {
  const state = document.body.dataset.state;
  $("banner").hidden = state === "ready" || state === "stopped";
  const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const text = retryAt === 0 ? "Connecting…" : seconds === 0 ? "Connection lost. Trying again…"
    : `Connection lost. Trying again in ${seconds} s`;
  if ($("banner-text").textContent !== text) $("banner-text").textContent = text;
}

setInterval(showBanner, 1_000);
