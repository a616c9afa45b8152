// Why an order was cancelled, in words.

/** @type {{[code: string]: string}} */
export const REASONS = {
  stock_refused: "the item is no longer in stock",
  risk_refused: "our risk check did not pass",
  payment_refused: "the payment was declined",
  unpaid: "it was not paid in time",
  step_failed: "something went wrong on our side",
  operator: "an operator cancelled it",
};

/**
 * What a cause says to a reader, whether it is a code, as the detail of a cancelled order is, or words already.
 * @param {string} cause
 */
export function inSentence(cause) {
  const words = REASONS[cause] ?? cause;
  const sentence = `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
