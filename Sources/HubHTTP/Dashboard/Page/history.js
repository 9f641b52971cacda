// What the page has seen, and the rates it makes of counters.

const SPAN = 5 * 60_000;

/** What a counter grew by, a second; null where it began anew. */
export function perSecond(now, before, milliseconds) {
  if (before === undefined || before === null || milliseconds <= 0 || now < before) return null;
  return ((now - before) * 1000) / milliseconds;
}

/** Samples of the last five minutes; a server that began anew begins a new history. */
export class History {
  constructor() {
    this.samples = [];
    this.last = null;
  }

  /** Adds figures; false where they are known already. */
  add(figures) {
    const before = this.last;
    if (before && figures.milliseconds === before.milliseconds) return false;
    if (before && (figures.milliseconds < before.milliseconds || figures.messages.delivered < before.messages.delivered)) {
      this.samples = [];
      this.last = null;
      return this.add(figures);
    }
    const elapsed = before ? figures.milliseconds - before.milliseconds : 0;
    const rateOf = (read) => (before ? perSecond(read(figures), read(before), elapsed) : null);
    const sum = (name) => (all) => all.loops.reduce((total, loop) => total + loop[name], 0);
    this.samples.push({
      at: figures.milliseconds,
      sessions: figures.sessions,
      delivered: rateOf((all) => all.messages.delivered),
      published: rateOf((all) => all.messages.published),
      given: rateOf((all) => all.inboxes.given),
      skipped: rateOf((all) => all.messages.skipped + all.messages.conflated + all.messages.volatileDropped),
      accepted: rateOf(sum("accepted")),
      closed: rateOf(sum("closed")),
      queued: figures.queues.queuedBytes,
      alone: figures.queues.aloneBytes,
      topics: figures.queues.topicBytes,
      resident: figures.memory.residentBytes,
      histories: figures.store.histories,
      deposits: figures.store.deposits,
      changes: figures.store.changes,
      unacknowledged: figures.queues.unacknowledged,
      campaigned: this.#campaigned(figures, before, elapsed),
    });
    this.topics = new Map(
      figures.topics.map((topic) => {
        const known = before?.topics.find((other) => other.name === topic.name);
        return [topic.name, {
          delivered: known ? perSecond(topic.messages.delivered, known.messages.delivered, elapsed) : null,
          published: known ? perSecond(topic.messages.published, known.messages.published, elapsed) : null,
        }];
      }),
    );
    this.loops = figures.loops.map((loop) => {
      const known = before?.loops.find((other) => other.index === loop.index);
      const of = (name) => (known ? perSecond(loop[name], known[name], elapsed) : null);
      return { ...loop, rates: { turns: of("turns"), events: of("events"), sends: of("sends"), accepted: of("accepted"), closed: of("closed") } };
    });
    this.last = figures;
    const oldest = figures.milliseconds - SPAN;
    while (this.samples.length > 0 && this.samples[0].at < oldest) this.samples.shift();
    return true;
  }

  /** What all campaigns sent a second, and each by its id. */
  #campaigned(figures, before, elapsed) {
    this.campaigns = new Map((figures.campaigns?.named ?? []).map((campaign) => {
      const known = before?.campaigns?.named.find((other) => other.id === campaign.id);
      return [campaign.id, perSecond(campaign.sent, known?.sent, elapsed)];
    }));
    return [...this.campaigns.values()].reduce((sum, rate) => sum + (rate ?? 0), 0);
  }

  /** What waits for the store in all; null where there is none. */
  get storeDepth() {
    const depths = Object.values(this.last?.store ?? {});
    return depths.length > 0 ? depths.reduce((sum, depth) => sum + depth, 0) : null;
  }

  get newest() {
    return this.samples[this.samples.length - 1] ?? null;
  }
}
