// Tables and tiles. Names are of clients' making: they only ever become text.

import { bytes, count, element, rate } from "./format.js";

function fill(table, heads, rows, empty) {
  const head = element("tr");
  head.append(...heads.map((text) => {
    const cell = element("th", null, text);
    cell.scope = "col";
    return cell;
  }));
  const body = rows.map((cells) => {
    const row = element("tr");
    row.append(...cells.map((cell) => {
      const made = element("td");
      made.append(cell);
      return made;
    }));
    return row;
  });
  if (body.length === 0) {
    const row = element("tr");
    const cell = element("td", "empty", empty);
    cell.colSpan = heads.length;
    row.append(cell);
    body.push(row);
  }
  const [thead, tbody] = [element("thead"), element("tbody")];
  thead.append(head);
  tbody.append(...body);
  table.replaceChildren(thead, tbody);
}

function button(text, action) {
  const made = element("button", "link", text);
  made.type = "button";
  made.title = text;
  made.addEventListener("click", action);
  return made;
}

function named(text) {
  const made = element("span", null, text);
  made.title = text;
  return made;
}

export function slowTable(table, sessions, watch) {
  fill(
    table, ["session", "user", "device", "in the network", "waits for it alone", "behind in topics"],
    sessions.map((session) => [
      button(session.id, () => watch("session", session.id)),
      session.user === undefined ? "–" : button(session.user, () => watch("user", session.user)),
      session.device ?? "–",
      bytes(session.queuedBytes),
      `${count(session.waitingMessages)} · ${bytes(session.waitingBytes)}`,
      count(session.behind),
    ]),
    "Nothing waits for anybody.",
  );
}

export function topicTable(table, topics, rates) {
  fill(
    table, ["topic", "subscribers", "published/s", "delivered/s", "behind", "waits"],
    topics.map((topic) => [
      named(topic.name),
      count(topic.subscribers),
      rate(rates.get(topic.name)?.published),
      rate(rates.get(topic.name)?.delivered),
      count(topic.behind),
      `${count(topic.waitingMessages)} · ${bytes(topic.waitingBytes)}`,
    ]),
    "There are no topics.",
  );
}

/** How much of it is done, as a bar and in words. */
function progress({ sent, total }) {
  const box = element("span", "progress");
  const bar = element("progress");
  bar.max = Math.max(1, total);
  bar.value = total > 0 ? sent : 1;
  bar.setAttribute("aria-label", "sent");
  box.append(bar, element("span", null, total > 0 ? `${Math.floor((100 * sent) / total)} %` : "–"));
  return box;
}

export function campaignTable(table, campaigns, rates) {
  fill(
    table, ["campaign", "state", "progress", "sent", "of", "missed", "sent/s", "allowed/s"],
    campaigns.map((campaign) => [
      named(campaign.id),
      element("span", `is-${campaign.state}`, campaign.state),
      progress(campaign),
      count(campaign.sent),
      count(campaign.total),
      count(campaign.missed),
      campaign.state === "running" ? rate(rates.get(campaign.id)) : "–",
      count(campaign.rate),
    ]),
    "There are no campaigns.",
  );
}

export function loopTable(table, loops) {
  fill(
    table, ["loop", "sessions", "turns/s", "events/s", "sends/s", "accepted/s", "closed/s"],
    loops.map(({ index, sessions, rates }) => [
      `${index}`, count(sessions), rate(rates.turns), rate(rates.events), rate(rates.sends),
      rate(rates.accepted), rate(rates.closed),
    ]),
    "",
  );
}

/** Each tile is { name, value, more, warns }. */
export function tiles(box, list) {
  box.replaceChildren(...list.map(({ name, value, more, warns }) => {
    const tile = element("dl", warns ? "tile warn" : "tile");
    const shown = element("dd", null, value);
    if (more) shown.append(" ", element("span", "more", more));
    tile.append(element("dt", null, name), shown);
    return tile;
  }));
}
