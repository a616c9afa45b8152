// The one question before an unusual bid, in the page's dialog. Escape and "Go back" mean no.

import { byId, setText } from "./dom.js";
import { money } from "./format.js";

/** @import {Problem} from "./errors.js" */

/**
 * Whether the bidder means the bid that the problem `confirmation_required` is about.
 * @param {Problem} problem
 * @returns {Promise<boolean>}
 */
export function confirmBid({ body }) {
  /** @param {"amount" | "maximum" | "minimum"} name */
  const shown = (name) => money(body[name], body.currency ?? "EUR");
  const isLower = body.because === "lowers_maximum";
  const dialog = byId("confirm-dialog", HTMLDialogElement);
  setText(
    byId("confirm-title"),
    isLower ? `Lower your maximum to ${shown("amount")}?` : `Bid up to ${shown("amount")}?`,
  );
  setText(
    byId("confirm-text"),
    isLower
      ? `Your maximum is ${shown("maximum")} now. With a lower one, another bidder can outbid you sooner.`
      : `That is more than five times the minimum bid of ${shown("minimum")}. Your bid is binding.`,
  );
  setText(byId("confirm-yes"), isLower ? `Lower it to ${shown("amount")}` : `Yes, bid ${shown("amount")}`);
  dialog.returnValue = "";
  dialog.showModal();
  byId("confirm-no").focus();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }),
  );
}
