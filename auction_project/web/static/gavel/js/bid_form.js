// The form of a bid: what may be entered, the question before an unusual bid, and what the page says while no answer comes.
// standing.js says how the bidder stands afterwards. This file says what went wrong, and nothing that can go out of date.

import { amountHint, forReader, readAmount } from "./amount.js";
import { me } from "./api.js";
import { forget, place, REPEATS, resume, Unanswered, Withdrawn } from "./bidding.js";
import { cardState } from "./card.js";
import { confirmBid } from "./confirm.js";
import { byId, h, note, setText } from "./dom.js";
import { Problem } from "./errors.js";
import { duration, fromMinor, money, plural, toMinor } from "./format.js";
import { formatOf } from "./formats.js";
import { ruleLine, showProblem } from "./lists.js";
import { paymentMs } from "./standing.js";

/** @import {BidAnswer, BidBody, Lot, OwnStanding} from "./bodies.d.ts" */
/** @import {Prompts} from "./bidding.js" */
/** @import {CardState} from "./card.js" */
/** @import {Child} from "./dom.js" */

const QUICK_STEPS = [0, 1, 3];
/** @type {{[state: string]: {title: string, text: string, link: string}}} */
const CARD_NOTES = {
  missing: {
    title: "Add a card before you bid",
    text: "Lots you win are charged to your card, so bidding needs one on file.",
    link: "Add a card",
  },
  declined: {
    title: "Your card was declined",
    text: "A payment with this card was declined. Put another card on file to bid again.",
    link: "Change the card",
  },
};

export class BidForm {
  /** @type {Lot | null} */
  #shownLot = null;
  /** @type {OwnStanding} */
  #own = { standing: "none", alias: null, maximum: null };
  #isBusy = false;
  #isLowering = false;
  /** Null while it is unknown. @type {CardState | null} */
  #card = null;
  #isCardLoading = false;
  /** The amounts that the quick buttons show. */
  #quickAmounts = "";

  /**
   * @param {string} auctionId
   * @param {{onAnswer: (answer: BidAnswer) => void}} listeners
   */
  constructor(auctionId, { onAnswer }) {
    this.id = auctionId;
    this.onAnswer = onAnswer;
    this.form = byId("bid-form", HTMLFormElement);
    this.amount = byId("amount", HTMLInputElement);
    this.quantity = byId("quantity", HTMLInputElement);
    this.button = byId("bid-button");
    this.problem = byId("bid-error");
    /** @type {Prompts} */
    this.prompts = {
      onRetry: (attempt) =>
        this.#say(
          note("warn", "No answer yet", `Sending the same bid again (${attempt} of ${REPEATS}). It counts once.`),
        ),
      confirm: confirmBid,
      hasCard: async () => (await cardState()) === "usable",
    };
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.quantity.addEventListener("input", () => this.#showTotal());
    byId("lower").addEventListener("click", () => this.#lower(!this.#isLowering));
  }

  /**
   * Show what a bidder with this standing can do with `lot` now.
   * @param {Lot} lot
   * @param {OwnStanding} own
   * @param {{isOwn: boolean}} options isOwn: the reader sells the lot.
   */
  show(lot, own, { isOwn }) {
    this.#shownLot = lot;
    if (own.standing === "failed" && this.#own.standing !== "failed") this.#card = null; // it may be suspended now
    this.#own = own;
    if (!this.#isLeader) this.#isLowering = false;
    const { canBid: isOpen, isContest } = formatOf(lot);
    const canSell = isOpen(lot);
    const canBid = canSell && me.id !== "" && me.has("bidder") && !isOwn;
    byId("sign-in").hidden = !(canSell && !me.id);
    if (canBid) this.#checkCard();
    const isCardNeeded = canBid && lot.terms?.card_required !== false && Boolean(this.#cardNote);
    this.#showCardNeeded(isCardNeeded);
    this.form.hidden = !canBid || isCardNeeded;
    this.#showBarrier(canSell && me.id !== "" ? barrier(isOwn) : null);
    if (this.form.hidden) return;
    byId("amount-field").hidden = !isContest;
    byId("quick-bids").hidden = !isContest || this.#isLowering;
    byId("quantity-field").hidden = isContest;
    byId("lower").hidden = !this.#isLeader;
    if (isContest) this.#showAmount();
    else this.#showTotal();
  }

  /** The lot that was shown last: nothing of the form can be used before. */
  get #lot() {
    if (!this.#shownLot) throw new TypeError("No lot is shown yet.");
    return this.#shownLot;
  }

  get #isLeader() {
    return formatOf(this.#lot).isContest && this.#own.standing === "leading" && Boolean(this.#own.maximum);
  }

  // --- who may bid ---

  get #cardNote() {
    return CARD_NOTES[this.#card ?? ""];
  }

  async #checkCard() {
    if (this.#card !== null || this.#isCardLoading) return;
    this.#isCardLoading = true;
    await this.#loadCard();
    this.#isCardLoading = false;
  }

  async #loadCard() {
    this.#card = await cardState();
    if (this.#cardNote) this.show(this.#lot, this.#own, { isOwn: false });
  }

  /** @param {boolean} isNeeded */
  #showCardNeeded(isNeeded) {
    const element = byId("card-needed");
    const content = this.#cardNote;
    element.hidden = !isNeeded;
    if (!isNeeded || !content || element.dataset.state === this.#card) return;
    const href = `/account?next=${encodeURIComponent(location.pathname)}`;
    element.replaceChildren(
      note("warn", content.title, content.text),
      h("p", {}, h("a", { class: "button wide", href }, content.link)),
    );
    element.dataset.state = this.#card ?? "";
  }

  /** @param {[title: string, text: string] | null} words */
  #showBarrier(words) {
    const element = byId("barrier");
    element.hidden = !words;
    if (words && element.textContent === "") element.replaceChildren(note("", ...words));
  }

  // --- the fields ---

  #showAmount() {
    const { minimum, currency, price } = this.#lot;
    const maximum = this.#own.maximum ?? "0";
    setText(byId("currency"), currency);
    if (this.#isLowering) {
      setText(byId("amount-label"), "Lower your maximum");
      setText(byId("amount-hint"), `Between ${money(price, currency)} and ${money(maximum, currency)}.`);
      setText(this.button, "Lower maximum");
      setText(byId("lower"), "Keep my maximum");
      return;
    }
    setText(byId("lower"), "Lower my maximum…");
    setText(byId("amount-label"), this.#isLeader ? "Raise your maximum" : "Your maximum bid");
    const raising =
      this.#lot.has_reserve && !this.#lot.reserve_met
        ? "Raising it changes the price only if it meets the reserve."
        : "Raising it does not change the price.";
    setText(
      byId("amount-hint"),
      this.#isLeader
        ? `Your maximum is ${money(maximum, currency)}. ${raising}`
        : `${money(minimum, currency)} or more. It stays hidden; you pay only as much as needed to lead.`,
    );
    setText(this.button, this.#isLeader ? "Raise maximum" : "Place bid");
    const least = toMinor(minimum, currency);
    const step = price ? Math.max(1, least - toMinor(price, currency)) : Math.max(1, Math.round(least / 20));
    this.#showQuick(this.#isLeader ? Math.max(least, toMinor(maximum, currency) + step) : least, step);
  }

  /**
   * Buttons that fill in an amount, from `least` upwards.
   * @param {number} least In minor units, as `step`.
   * @param {number} step
   */
  #showQuick(least, step) {
    const { currency } = this.#lot;
    const amounts = QUICK_STEPS.map((count) => fromMinor(least + count * step, currency));
    if (this.#quickAmounts === amounts.join()) return;
    this.#quickAmounts = amounts.join();
    /** @param {string} value */
    const button = (value) =>
      h(
        "button",
        { class: "button quiet small", type: "button", onclick: () => this.#fill(value) },
        money(value, currency),
      );
    byId("quick-bids").replaceChildren(...amounts.map(button));
  }

  /** @param {string} value */
  #fill(value) {
    this.amount.value = forReader(value);
    this.amount.focus();
  }

  /** @param {boolean} isLowering */
  #lower(isLowering) {
    this.#isLowering = isLowering;
    this.amount.value = "";
    this.#say(null);
    this.show(this.#lot, this.#own, { isOwn: false });
    this.amount.focus();
  }

  #showTotal() {
    const { quantity_left: left, currency } = this.#lot;
    this.quantity.max = String(left);
    const time = paymentMs(this.#lot);
    const then = time ? `You have ${duration(time)} to pay.` : "We reserve yours first, then charge your card.";
    setText(byId("quantity-hint"), `${plural(left, "unit")} left. ${then}`);
    const total = this.#total();
    setText(this.button, total ? `Buy now for ${money(total, currency)}` : "Buy now");
  }

  #total() {
    const { currency, price, minimum } = this.#lot;
    const count = Number(this.quantity.value);
    return Number.isInteger(count) && count > 0
      ? fromMinor(toMinor(price ?? minimum, currency) * count, currency)
      : null;
  }

  // --- sending ---

  /**
   * The body of the bid. Null when what was entered cannot be one; then the page says why.
   * @param {HTMLInputElement} input
   * @returns {BidBody | null}
   */
  #body(input) {
    const { currency } = this.#lot;
    if (!formatOf(this.#lot).isContest) {
      const total = this.#total();
      if (total) return { amount: total, currency, quantity: Number(this.quantity.value) };
      return this.#refuseInput(input, "How many units?", "Enter a whole number, 1 or more.");
    }
    const amount = readAmount(this.amount.value, currency);
    if (!amount)
      return this.#refuseInput(input, "That is not a valid amount", amountHint(), ruleLine("amount_invalid"));
    const maximum = this.#own.maximum ?? "0";
    if (this.#isLeader && !this.#isLowering && toMinor(amount, currency) < toMinor(maximum, currency)) {
      return this.#refuseInput(
        input,
        "That is below your maximum",
        `Your maximum is ${money(maximum, currency)}. To lower it, use “Lower my maximum”.`,
      );
    }
    return { amount, currency };
  }

  /**
   * @param {HTMLInputElement} input
   * @param {string} title
   * @param {...Child} content
   */
  #refuseInput(input, title, ...content) {
    input.setAttribute("aria-invalid", "true");
    this.#say(note("bad", title, ...content));
    input.focus();
    return null;
  }

  async #submit() {
    if (this.#isBusy) return;
    const input = formatOf(this.#lot).isContest ? this.amount : this.quantity;
    input.removeAttribute("aria-invalid");
    const body = this.#body(input);
    if (body) await this.#send(() => place(this.id, body, this.prompts), input);
  }

  /**
   * @param {() => Promise<BidAnswer | null>} sending
   * @param {HTMLInputElement} [input] What the bidder entered, when it was entered on this page.
   */
  async #send(sending, input) {
    this.#setBusy(true);
    this.#say(null);
    try {
      const answer = await sending();
      if (answer) this.#accepted(answer);
    } catch (error) {
      await this.#refused(error, input);
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {BidAnswer} answer */
  #accepted(answer) {
    this.amount.value = "";
    this.quantity.value = this.quantity.defaultValue; // the next click buys one unit again
    this.#isLowering = false;
    this.#say(null);
    this.onAnswer(answer);
  }

  /**
   * @param {unknown} error
   * @param {HTMLInputElement} [input]
   */
  async #refused(error, input) {
    if (error instanceof Withdrawn) {
      this.#say(note("", "Not placed", "You did not confirm the bid."));
      input?.focus();
      return;
    }
    if (error instanceof Unanswered) {
      this.#sayUnanswered(error);
      return;
    }
    if (error instanceof Problem && error.code === "card_missing") {
      await this.#loadCard();
      if (this.#cardNote) return;
    }
    if (input && error instanceof Problem && ["amount", "quantity", "currency"].includes(error.field)) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
    showProblem(this.problem, error, { currency: this.#lot.currency });
  }

  /** @param {Unanswered} unanswered */
  #sayUnanswered({ message, body }) {
    const what = body.quantity
      ? `your purchase of ${plural(body.quantity, "unit")}`
      : `your bid of ${money(body.amount, body.currency)}`;
    const again = h("button", { class: "button quiet small", type: "button" }, "Send it again");
    const drop = h("button", { class: "button quiet small", type: "button" }, "Do not send it again");
    again.addEventListener("click", () => this.#send(() => resume(this.id, this.prompts, { byBidder: true })));
    drop.addEventListener("click", () => {
      forget(this.id);
      this.#say(null);
    });
    this.#say(note("warn", `We don't know yet whether ${what} was recorded`, message, h("p", {}, again, " ", drop)));
  }

  /** Send again the bid that had no answer when the page was left. */
  async recover() {
    if (me.id) await this.#send(() => resume(this.id, this.prompts));
  }

  /** @param {HTMLElement | null} content */
  #say(content) {
    this.problem.replaceChildren(...(content ? [content] : []));
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.button.setAttribute("aria-disabled", String(isBusy));
    this.form.setAttribute("aria-busy", String(isBusy));
  }
}

/** Why the reader can't bid, if so. @param {boolean} isOwn @returns {[title: string, text: string] | null} */
function barrier(isOwn) {
  if (isOwn) return ["This is your lot", "You can't bid on your own lot."];
  return me.has("bidder") ? null : ["You can't bid yet", "Verify your e-mail address first."];
}
