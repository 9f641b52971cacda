// The rooms and the members are drawers on narrow screens.

import { $ } from "/view.js";

export function openPanel(id) {
  closePanels();
  $(id).classList.add("open");
  $("scrim").hidden = false;
  $(`open-${id}`).setAttribute("aria-expanded", "true");
  if ($(id).getBoundingClientRect().width > 0) $(id).querySelector("button")?.focus();
}

export function closePanels() {
  for (const id of ["rooms-panel", "members-panel"]) {
    $(id).classList.remove("open");
    $(`open-${id}`).setAttribute("aria-expanded", "false");
  }
  $("scrim").hidden = true;
}

$("open-rooms-panel").addEventListener("click", () => openPanel("rooms-panel"));
$("open-members-panel").addEventListener("click", () => openPanel("members-panel"));
$("scrim").addEventListener("click", closePanels);
for (const button of document.querySelectorAll(".drawer-close")) button.addEventListener("click", closePanels);
addEventListener("keydown", (event) => {
  if (event.key === "Escape") closePanels();
});
