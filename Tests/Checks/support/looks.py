"""What of a page can be read in its screenshot."""

import base64
import json
from pathlib import Path

from .browser import Page
from .check import expect

# Names what is in view and cannot be seen in the picture: texts without a pixel of about their own color, or on a ground of
# about the same color; texts that are cut off; charts without a pixel of any of their lines.
UNSEEN = """async (data) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const scale = image.width / window.innerWidth;
  const covered = document.querySelector("header")?.getBoundingClientRect().bottom ?? 0;
  const isInView = (element, box) => {
    const top = element.closest("header") ? 0 : covered;
    return box.width > 0 && box.height > 0 && box.top >= top && box.bottom <= window.innerHeight
      && box.left >= 0 && box.right <= window.innerWidth;
  };
  // How far the nearest and the farthest pixel of a box are from a color.
  const distances = (box, color) => {
    const wanted = color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const [x, y, width, height] = [box.x, box.y, box.width, box.height].map((length) => Math.floor(length * scale));
    const pixels = context.getImageData(x, y, Math.max(1, width), Math.max(1, height)).data;
    let [near, far] = [Infinity, 0];
    for (let at = 0; at < pixels.length; at += 4) {
      const distance = Math.hypot(...wanted.map((part, index) => part - pixels[at + index]));
      near = Math.min(near, distance);
      far = Math.max(far, distance);
    }
    return [near, far];
  };
  const unseen = [];
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    const [text, element] = [nodes.currentNode.nodeValue.trim(), nodes.currentNode.parentElement];
    const range = document.createRange();
    range.selectNodeContents(nodes.currentNode);
    const box = range.getBoundingClientRect();
    if (text === "" || !isInView(element, box)) continue;
    const style = getComputedStyle(element);
    const [near, far] = distances(box, element instanceof SVGElement ? style.fill : style.color);
    if (near > 0.4 * far || far < 100) unseen.push(`${text} (${near.toFixed()} of ${far.toFixed()})`);
    if (element.scrollWidth > element.clientWidth + 1 && style.overflow !== "visible") unseen.push(`the end of ${text}`);
  }
  for (const plot of document.querySelectorAll("svg.plot")) {
    const lines = [...plot.querySelectorAll(".line")].filter((line) => line.getAttribute("d"));
    const box = plot.getBoundingClientRect();
    if (!isInView(plot, box) || lines.length === 0) continue;
    const isSeen = lines.some((line) => distances(box, getComputedStyle(line).stroke)[0] < 30);
    if (!isSeen) unseen.push(`the lines of ${plot.getAttribute("aria-label")}`);
  }
  return unseen;
}"""


def screenshot(page: Page, path: Path) -> None:
    """Takes a picture of what is in view, in which everything can be read."""
    # A page that changes between the two is looked at again.
    for _ in range(4):
        page.screenshot(path)
        unseen = page.value(f"({UNSEEN})({json.dumps(base64.b64encode(path.read_bytes()).decode())})")
        if not unseen:
            return
    expect(False, f"{path.name} does not show {unseen}")
