// What an editor or a type checker knows of hub.js; never run. Each `@ts-expect-error` has to be one.
import { HubClient, HubError } from "../../../Sources/Hub/Script/hub.js";

const hub = new HubClient(() => new URL("wss://example.com/ws"), { login: { event: "hello", json: {} }, callTimeout: 1_000 });
hub.on("publication", ({ topic, text, from, offset }) => [topic.length, text?.length, from?.length, offset?.toFixed()]);
hub.on("presence", ({ joined, count }) => joined.concat([count.toFixed()]));
hub.on("inbox", ({ inbox, event }) => [inbox.length, event?.length]);
hub.on("inbox", async ({ text }) => { await Promise.resolve(text?.length); });
hub.on("disconnected", ({ retryAfter }) => retryAfter?.toFixed());
hub.on("state", (state) => state === "ready");
const { topic, recovered, epoch, offset } = await hub.subscribe("a", { epoch: "e", offset: 1 });
await hub.publish(topic, { json: { recovered } }, "transient");
const page = await hub.history("a", { epoch, offset });
for (const { text, time } of page.messages) hub.send({ text: `${text} ${time.toFixed()}` });
const { users, count } = await hub.members("a");
hub.on("request", ({ id }) => hub.reply(id, { text: users.join() + count }));
await hub.refresh("token").catch((/** @type {HubError} */ error) => [error.kind === "failed", error.code, error.retryAfter]);

// @ts-expect-error no such option
new HubClient("ws://hub", { callTimeOut: 1 });
// @ts-expect-error no such event
hub.on("publish", () => {});
// @ts-expect-error a publication has no such field
hub.on("publication", ({ channel }) => channel);
// @ts-expect-error no such durability
hub.publish("a", { text: "x" }, "forever");
// @ts-expect-error text is a string
hub.send({ text: 1 });
