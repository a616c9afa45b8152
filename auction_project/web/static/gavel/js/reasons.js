// Why an order was cancelled, in words.

/** @type {{[code: string]: string}} */
export const REASONS = {
  stock_refused: "the item is no longer in stock",
  risk_refused: "our risk check did not pass",
  payment_refused: "the payment was declined",
  step_failed: "something went wrong on our side",
  operator: "an operator cancelled it",
};
