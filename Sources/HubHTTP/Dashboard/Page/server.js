// Requests to the server, each with the key, which goes into a header and never into an address.

const STORED = "longwire.dashboard.key";

export class KeyRefused extends Error {}

export class Server {
  constructor() {
    this.key = sessionStorage.getItem(STORED);
  }

  get hasKey() {
    return Boolean(this.key);
  }

  remember(key) {
    this.key = key;
    sessionStorage.setItem(STORED, key);
  }

  forget() {
    this.key = null;
    sessionStorage.removeItem(STORED);
  }

  get(path) {
    return this.#fetch(path, {});
  }

  post(path, body) {
    return this.#fetch(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  }

  async #fetch(path, options) {
    const headers = { ...options.headers, Authorization: `Bearer ${this.key}` };
    const response = await fetch(`dashboard/${path}`, {
      ...options, headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(10_000),
    });
    if (response.status === 401) throw new KeyRefused();
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return response.json();
  }
}
