// The one question before an unusual bid, in the page's dialog. Escape and "Go back" mean no.

import { byId, setText } from "./dom.js";
import { money } from "./format.js";

/** Whether the bidder means the bid that the problem `confirmation_required` is about. */
export function confirmBid({ body }) {
  const shown = (name) => money(body[name], body.currency);
  const isLower = body.because === "lowers_maximum";
  const dialog = byId("confirm-dialog");
  setText(byId("confirm-title"), isLower ? `Lower your maximum to ${shown("amount")}?` : `Bid up to ${shown("amount")}?`);
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
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
