// What the browser remembers of rooms, in the address and in the session's
// storage. Either may hold what somebody else wrote: that is no reason to fail.

/** The room that the address names, or "". */
export function roomInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/** Names of the rooms that the user was in. */
export function storedRooms() {
  try {
    return JSON.parse(sessionStorage.getItem("rooms")) ?? [];
  } catch {
    return [];
  }
}

/** Names this browser among those of the same person. */
export function deviceName() {
  let name = localStorage.getItem("device");
  if (!name) {
    name = Array.from(crypto.getRandomValues(new Uint32Array(2)), (word) => word.toString(36)).join("");
    localStorage.setItem("device", name);
  }
  return name;
}
