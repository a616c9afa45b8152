// The form of a bid: what may be entered, what the server said of it, and what happens while nobody answers.

import { me, Problem } from "./api.js";
import { place, recover, Unanswered } from "./bidding.js";
import { byId, h, note, setText } from "./dom.js";
import { fromMinor, money, plural, readAmount, toMinor } from "./format.js";
import { ruleLine, showProblem } from "./lists.js";

const QUICK_STEPS = [0, 1, 3];

export class BidForm {
  #lot = null;
  #busy = false;
  #minimum = "";

  constructor(auctionId, { onAnswer }) {
    this.id = auctionId;
    this.onAnswer = onAnswer;
    this.form = byId("bid-form");
    this.amount = byId("amount");
    this.quantity = byId("quantity");
    this.button = byId("bid-button");
    this.problem = byId("bid-error");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.quantity.addEventListener("input", () => this.#showTotal());
  }

  /** Show what can be done with `lot` now. */
  show(lot, { isOwn }) {
    this.#lot = lot;
    const canSell = lot.status === "OPEN" && (lot.format !== "buy_now" || lot.quantity_left > 0);
    const mayBid = me.has("bidder");
    byId("sign-in").hidden = !(canSell && !me.id);
    this.form.hidden = !(canSell && me.id && mayBid && !isOwn);
    if (canSell && me.id && isOwn) this.#say(note("", "This is your lot", "Nobody bids on his own."));
    else if (canSell && me.id && !mayBid) this.#say(note("warn", "You may not bid yet", "Verify your e-mail address first."));
    if (this.form.hidden) return;
    const isAuction = lot.format !== "buy_now";
    byId("amount-field").hidden = !isAuction;
    byId("quick-bids").hidden = !isAuction;
    byId("quantity-field").hidden = isAuction;
    if (isAuction) this.#showMinimum();
    else this.#showTotal();
  }

  #showMinimum() {
    const { minimum, currency, price } = this.#lot;
    setText(byId("currency"), currency);
    setText(byId("amount-hint"), `At least ${money(minimum, currency)}. It stays hidden; you pay only what it takes to lead.`);
    setText(this.button, "Place bid");
    if (minimum === this.#minimum) return;
    this.#minimum = minimum;
    const least = toMinor(minimum, currency);
    const step = price ? Math.max(1, least - toMinor(price, currency)) : Math.max(1, Math.round(least / 20));
    const amounts = QUICK_STEPS.map((count) => fromMinor(least + count * step, currency));
    byId("quick-bids").replaceChildren(
      ...amounts.map((value) =>
        h("button", { class: "button quiet small", type: "button", onclick: () => this.#fill(value) }, money(value, currency)),
      ),
    );
  }

  #fill(value) {
    this.amount.value = value;
    this.amount.focus();
  }

  #showTotal() {
    const { currency, quantity_left: left } = this.#lot;
    this.quantity.max = left;
    setText(byId("quantity-hint"), `${plural(left, "unit")} left. Your card is charged at once.`);
    const total = this.#total();
    setText(this.button, total ? `Buy now for ${money(total, currency)}` : "Buy now");
  }

  #total() {
    const { currency, price, minimum } = this.#lot;
    const count = Number(this.quantity.value);
    return Number.isInteger(count) && count > 0 ? fromMinor(toMinor(price ?? minimum, currency) * count, currency) : null;
  }

  /** The body of the bid, or null when what was entered is no number at all. */
  #body() {
    const { currency, format } = this.#lot;
    if (format === "buy_now") {
      const total = this.#total();
      return total && { amount: total, currency, quantity: Number(this.quantity.value) };
    }
    const amount = readAmount(this.amount.value.trim(), currency);
    return amount && { amount, currency };
  }

  async #submit() {
    if (this.#busy) return;
    const input = this.#lot.format === "buy_now" ? this.quantity : this.amount;
    input.removeAttribute("aria-invalid");
    const body = this.#body();
    if (!body) {
      input.setAttribute("aria-invalid", "true");
      this.#say(note("bad", "That is no amount", this.#lot.format === "buy_now" ? "Enter a whole number of units." : "Enter an amount such as 125.50.", ruleLine("amount_invalid")));
      input.focus();
      return;
    }
    await this.#send(body, input);
  }

  async #send(body, input) {
    this.#setBusy(true);
    this.#say(null);
    try {
      const answer = await place(this.id, body, {
        onRetry: (attempt) => this.#say(note("warn", "No answer yet", `Trying again by itself (${attempt}). Your bid counts once.`)),
      });
      this.#accepted(answer);
    } catch (error) {
      this.#refused(error, input);
    } finally {
      this.#setBusy(false);
    }
  }

  #accepted(answer) {
    const { currency, format } = this.#lot;
    this.amount.value = "";
    const receipt = h("p", { class: "small muted" }, `Entry ${answer.seq} of the record, `, h("code", {}, `${answer.hash.slice(0, 16)}…`));
    if (format === "buy_now") this.#say(note("good", "Bought", "Follow it among your orders.", receipt));
    else if (answer.standing === "leading") this.#say(note("good", "Your bid stands, and you lead", receipt));
    else this.#say(note("warn", "Your bid stands, but another maximum is higher", `The price is now ${money(answer.price, currency)}.`, receipt));
    this.onAnswer(answer);
  }

  #refused(error, input) {
    if (error instanceof Unanswered) {
      this.#say(note("warn", "Nobody has answered yet", error.message));
      return;
    }
    if (error instanceof Problem && ["amount", "quantity", "currency"].includes(error.field)) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
    showProblem(this.problem, error, { currency: this.#lot.currency });
  }

  /** Tell what became of a bid that was under way when the page was left. */
  async recover() {
    if (!me.id) return;
    const found = await recover(this.id);
    if (found?.answer) this.#accepted(found.answer);
    else if (found) this.#say(note("warn", "Your last bid did not arrive", "It does not count. You can bid again."));
  }

  #say(content) {
    this.problem.replaceChildren(...(content ? [content] : []));
  }

  #setBusy(isBusy) {
    this.#busy = isBusy;
    this.button.setAttribute("aria-disabled", String(isBusy));
    this.form.setAttribute("aria-busy", String(isBusy));
  }
}
