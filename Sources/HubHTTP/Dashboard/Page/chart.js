// Lines over the last minute, or up to five, drawn as SVG.

import { element } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 170;
const MARGIN = { left: 62, right: 8, top: 8, bottom: 20 };
const CLASSES = ["one", "two", "three", "four"];
/** How much time a chart may show, and how far apart its marks are then; in seconds. */
const SPANS = [{ all: 60, step: 10 }, { all: 120, step: 20 }, { all: 300, step: 60 }];

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** The next round number: 1, 2 or 5 times a power of ten, or a power of two of bytes. */
function ceiling(value, isBytes) {
  if (value <= 0) return isBytes ? 1024 : 1;
  if (isBytes) {
    const unit = 1024 ** Math.min(4, Math.floor(Math.log2(Math.max(1, value)) / 10));
    return ceiling(value / unit, false) * unit;
  }
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => value <= factor * power * 1.0001);
  return Math.max(1, step * power);
}

export class Chart {
  /** `series` are at most four of { name, key }, and `format` writes their values. */
  constructor(figure, title, series, format, { isBytes = false } = {}) {
    this.series = series;
    this.format = format;
    this.isBytes = isBytes;
    this.samples = [];
    this.pointed = null;
    const head = element("div", "chart-head");
    head.append(element("h2", null, title));
    const legend = element("span", "legend");
    this.values = series.map(({ name }, index) => {
      const item = element("span");
      const value = element("b", null, "–");
      item.append(element("i", `key ${CLASSES[index]}`), `${name} `, value);
      legend.append(item);
      return value;
    });
    head.append(legend);
    this.plot = shape("svg", { class: "plot", role: "img", "aria-label": title });
    figure.replaceChildren(head, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    this.plot.addEventListener("pointerleave", () => this.#point(null));
    new ResizeObserver(() => this.draw(this.samples)).observe(figure);
  }

  draw(samples) {
    this.samples = samples;
    const width = this.plot.clientWidth;
    if (width === 0) return;
    this.plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const inner = { width: width - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
    const end = samples.length > 0 ? samples[samples.length - 1].at : 0;
    const highest = Math.max(0, ...samples.flatMap((sample) => this.series.map(({ key }) => sample[key] ?? 0)));
    const top = ceiling(highest, this.isBytes);
    const seconds = samples.length > 0 ? (end - samples[0].at) / 1000 : 0;
    const span = SPANS.find(({ all }) => seconds <= all) ?? SPANS[SPANS.length - 1];
    const x = (at) => MARGIN.left + inner.width * (1 - (end - at) / 1000 / span.all);
    const y = (value) => MARGIN.top + inner.height * (1 - value / top);
    this.x = x;
    const parts = this.#axes(width, inner, top, y, span);
    this.series.forEach(({ key }, index) => parts.push(...this.#line(samples, key, CLASSES[index], x, y)));
    this.cursor = shape("line", { class: "cursor", y1: MARGIN.top, y2: MARGIN.top + inner.height });
    this.plot.replaceChildren(...parts, this.cursor);
    this.#show();
  }

  #axes(width, inner, top, y, span) {
    const parts = [];
    for (const share of [0, 0.5, 1]) {
      const height = y(top * share);
      parts.push(shape("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: height, y2: height }));
      const label = shape("text", { x: MARGIN.left - 8, y: height + 4, "text-anchor": "end" });
      label.textContent = share === 0.5 && top < 2 && !this.isBytes ? "" : this.format(top * share);
      parts.push(label);
    }
    // Each mark needs about 50 pixels.
    const room = inner.width / (span.all / span.step) >= 50 ? 1 : 2;
    for (let second = 0; second <= span.all; second += span.step * room) {
      const anchor = second === 0 ? "end" : second === span.all ? "start" : "middle";
      const label = shape("text", {
        x: MARGIN.left + inner.width * (1 - second / span.all), y: HEIGHT - 4, "text-anchor": anchor,
      });
      label.textContent = second === 0 ? "now" : second % 60 === 0 ? `−${second / 60} min` : `−${second} s`;
      parts.push(label);
    }
    return parts;
  }

  /** The line, and the area below it; where a value is missing both end and begin anew. */
  #line(samples, key, className, x, y) {
    const runs = [[]];
    for (const sample of samples) {
      if (sample[key] === null || sample[key] === undefined) runs.push([]);
      else runs[runs.length - 1].push(`${x(sample.at).toFixed(1)},${y(sample[key]).toFixed(1)}`);
    }
    return runs.filter((points) => points.length > 0).flatMap((points) => {
      const first = points[0].split(",")[0];
      const last = points[points.length - 1].split(",")[0];
      const path = `M${points.join("L")}`;
      return [
        shape("path", { class: `area ${className}`, d: `${path}L${last},${y(0)}L${first},${y(0)}Z` }),
        shape("path", { class: `line ${className}`, d: points.length > 1 ? path : `${path}h0.1` }),
      ];
    });
  }

  /** Shows the values at a place of the chart; of the newest sample where the pointer is elsewhere. */
  #point(offset) {
    this.pointed = offset;
    this.#show();
  }

  #show() {
    let sample = this.samples[this.samples.length - 1];
    if (this.pointed !== null && this.x && this.samples.length > 0) {
      const distance = (other) => Math.abs(this.x(other.at) - this.pointed);
      sample = this.samples.reduce((best, other) => (distance(other) < distance(best) ? other : best));
    }
    const isPointed = this.pointed !== null && sample && this.x;
    const place = isPointed ? this.x(sample.at) : 0;
    this.cursor?.setAttribute("visibility", isPointed ? "visible" : "hidden");
    this.cursor?.setAttribute("x1", place);
    this.cursor?.setAttribute("x2", place);
    this.series.forEach(({ key }, index) => {
      this.values[index].textContent = this.format(sample?.[key]);
    });
  }
}
