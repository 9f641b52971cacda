// Figures as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** A count: in full, or shortened from a hundred thousand on. */
export function count(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1e9) return `${short.format(value / 1e9)} G`;
  if (size >= 1e6) return `${short.format(value / 1e6)} M`;
  if (size >= 1e5) return `${short.format(value / 1e3)} k`;
  return whole.format(value);
}

/** A rate by the second; small ones with a fraction. */
export function rate(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return value > 0 && value < 10 ? short.format(Math.round(value * 10) / 10) : count(value);
}

/** Bytes, in units of 1,024. */
export function bytes(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${(unit === 0 ? whole : short).format(value)} ${units[unit]}`;
}

/** A span of milliseconds. */
export function span(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** An element with a class, and text that is never taken for markup. */
export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined && text !== null) made.textContent = text;
  return made;
}
