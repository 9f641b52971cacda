// The box in which messages are written.

import { codePoints } from "/rooms.js";
import { $ } from "/view.js";

const HEIGHT_MAX = 160;
const COUNTED_BELOW = 200;

/** As high as what is written, up to a bound. */
export function sizeComposer() {
  const input = $("composer-input");
  input.style.height = "auto";
  if (input.scrollHeight === 0) return; // Not shown yet.
  input.style.height = `${Math.min(input.scrollHeight, HEIGHT_MAX)}px`;
}

/** Whether it may be sent, and how much is left where that is little. */
export function updateSend(textMax) {
  const text = $("composer-input").value.trim();
  const left = textMax - codePoints(text);
  $("counter").textContent = left < COUNTED_BELOW ? String(left) : "";
  $("counter").classList.toggle("over", left < 0);
  $("send").disabled = text === "" || left < 0;
}
