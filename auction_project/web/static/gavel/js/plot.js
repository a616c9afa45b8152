// The price of an auction over time, as a small SVG: a line of steps, a dot for each bid. The list beside it says the
// same in words, so the picture has one label and nothing in it can be focused.

import { shortDate } from "./dates.js";
import { s } from "./dom.js";
import { fromMinor, money, plural, toMinor } from "./format.js";

/** @import {Entry} from "./bodies.d.ts" */
/** @import {View} from "./record_list.js" */

const LEAST_WIDTH = 260;
const HEIGHT = 200;
const LEFT = 8;
const TOP = 22;
const BOTTOM = 172;
const PADDING = 24; // of the frame, both sides
const MAX_DOTS = 60;

/**
 * Draw the bids, oldest first, into `frame`, which is hidden while there are fewer than two.
 * @param {HTMLElement} frame
 * @param {Entry[]} bids
 * @param {Pick<View, "alias" | "currency">} view
 */
export function draw(frame, bids, { alias, currency }) {
  const [oldest, newest] = [bids[0], bids.at(-1)];
  frame.hidden = bids.length < 2;
  if (!oldest || !newest || frame.hidden) return;
  const width = Math.max(LEAST_WIDTH, Math.floor(frame.clientWidth) - PADDING);
  const right = width - 8;
  const prices = bids.map((bid) => toMinor(bid.price ?? "0", currency));
  const [first, last] = [oldest.at, newest.at];
  const [low, high] = [Math.min(...prices), Math.max(...prices)];
  /** @param {number} at */
  const x = (at) => LEFT + ((at - first) / Math.max(1, last - first)) * (right - LEFT - 8) + 4;
  /** @param {number} price */
  const y = (price) => BOTTOM - ((price - low) / Math.max(1, high - low)) * (BOTTOM - TOP);
  const points = bids.map((bid, i) => ({ x: x(bid.at), y: y(prices[i] ?? low), own: bid.bidder === alias }));
  const line = points.reduce(
    (path, point, i) => (i ? `${path}H${round(point.x)}V${round(point.y)}` : `M${round(point.x)} ${round(point.y)}`),
    "",
  );
  /** @param {number} minor */
  const shown = (minor) => money(fromMinor(minor, currency), currency);
  const label = `The price rose from ${shown(prices[0] ?? low)} to ${shown(prices.at(-1) ?? high)} in ${plural(bids.length, "bid")}.`;
  frame.replaceChildren(
    s(
      "svg",
      { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
      ...[TOP, (TOP + BOTTOM) / 2, BOTTOM].map((height) =>
        s("line", { class: "grid", x1: LEFT, x2: right, y1: height, y2: height }),
      ),
      s("path", { class: "area", d: `${line}V${BOTTOM}H${round(x(first))}Z` }),
      s("path", { class: "line", d: line }),
      ...points.slice(-MAX_DOTS).map((point) =>
        s("circle", {
          class: point.own ? "dot own" : "dot",
          cx: round(point.x),
          cy: round(point.y),
          r: point.own ? 5 : 3.5,
        }),
      ),
      s("text", { x: LEFT, y: TOP - 8 }, shown(high)),
      low === high ? "" : s("text", { x: right, y: BOTTOM - 6, "text-anchor": "end" }, shown(low)),
      s("text", { x: LEFT, y: HEIGHT - 8 }, shortDate(first)),
      s("text", { x: right, y: HEIGHT - 8, "text-anchor": "end" }, shortDate(last)),
    ),
  );
}

/** @param {number} value */
const round = (value) => Math.round(value * 10) / 10;
