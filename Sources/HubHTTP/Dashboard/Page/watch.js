// One user or session, watched live.

import { bytes, count, element, rate, span } from "./format.js";
import { perSecond } from "./history.js";

/** The ledger's entries: what they are called, and whether they are signs of trouble. */
const ENTRIES = [
  ["alone", "sent to it alone"],
  ["live", "of topics, live"],
  ["late", "of topics, late"],
  ["received", "received from it"],
  ["queued", "had to wait"],
  ["fellBehind", "times behind", true],
  ["skipped", "skipped", true],
  ["conflated", "replaced", true],
  ["dropped", "dropped", true],
  ["volatileDropped", "volatile dropped", true],
  ["gaps", "gaps", true],
  ["given", "of the inbox"],
  ["repeated", "sent again", true],
  ["acknowledged", "acknowledged"],
];

export class Watch {
  constructor(server, box, note) {
    this.server = server;
    this.box = box;
    this.note = note;
    this.idle = note.textContent;
    this.target = null;
    this.before = new Map();
  }

  begin(kind, name) {
    this.target = { kind, name };
    this.before.clear();
    this.note.textContent = "…";
    this.box.replaceChildren();
  }

  stop() {
    this.target = null;
    this.box.replaceChildren();
    this.note.textContent = this.idle;
  }

  async refresh() {
    const target = this.target;
    if (!target) return;
    const answer = await this.server.get(`sessions?${target.kind}=${encodeURIComponent(target.name)}`);
    if (target !== this.target) return;
    const shown = answer.sessions.length;
    const whose = target.kind === "user" ? `User ${target.name}` : `Session ${target.name}`;
    if (shown > 0) {
      const more = answer.count > shown ? ` of ${count(answer.count)}` : "";
      this.note.textContent = `${whose}: ${count(shown)}${more} ${shown === 1 ? "session" : "sessions"}`;
    } else {
      this.note.textContent = answer.count > 0 && target.kind === "user"
        ? `${whose} is here, but too many sessions are watched already.` : `${whose} is not here.`;
    }
    this.box.replaceChildren(...answer.sessions.map((session) => this.#card(session)));
    this.before = new Map(answer.sessions.map((session) => [session.id, session]));
  }

  #card(session) {
    const card = element("article", "session");
    // Each name is isolated: what its letters do to the direction of writing ends with it.
    const title = element("h3");
    title.append(element("bdi", null, session.user ?? "nobody by name"));
    if (session.device) title.append(" · ", element("bdi", null, session.device));
    card.append(title);
    card.append(element("p", "facts", [
      session.id, session.address, session.spoken ?? "bare protocol", `watched for ${span(session.watchedMilliseconds)}`,
    ].filter(Boolean).join(" · ")));
    const now = element("dl", "ledger");
    this.#entry(now, "in the network", bytes(session.queuedBytes), null, false);
    this.#entry(now, "waits for it alone", `${count(session.waitingMessages)} · ${bytes(session.waitingBytes)}`, null, session.waitingMessages > 0);
    this.#entry(now, "not acknowledged", count(session.unacknowledged), null, false);
    card.append(now);
    const ledger = element("dl", "ledger");
    const before = this.before.get(session.id);
    const elapsed = before ? session.watchedMilliseconds - before.watchedMilliseconds : 0;
    for (const [key, name, isTrouble] of ENTRIES) {
      const value = session.ledger[key];
      const grown = before ? perSecond(value, before.ledger[key], elapsed) : null;
      this.#entry(ledger, name, count(value), grown > 0 ? `${rate(grown)}/s` : null, isTrouble && value > 0);
    }
    card.append(ledger);
    if (session.topicCount > 0) {
      const names = session.topics.map(({ name, behind }) => (behind > 0 ? `${name} (lacks ${count(behind)})` : name));
      const more = session.topicCount > names.length ? ` and ${session.topicCount - names.length} more` : "";
      card.append(element("p", "topics", `Topics: ${names.join(", ")}${more}`));
    }
    return card;
  }

  #entry(list, name, value, grown, warns) {
    const entry = element("div", warns ? "warn" : null);
    const shown = element("dd", null, value);
    if (grown) shown.append(element("span", "rate", grown));
    entry.append(element("dt", null, name), shown);
    list.append(entry);
  }
}
