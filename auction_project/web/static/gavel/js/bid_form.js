// The form of a bid: what may be entered, the question before an unusual bid, and what the page says while no answer comes.
// How the bidder stands afterwards is standing.js's to say; this file says what went wrong, and nothing that can go stale.

import { forReader, readAmount } from "./amount.js";
import { me, Problem } from "./api.js";
import { forget, place, REPEATS, resume, Unanswered, Withdrawn } from "./bidding.js";
import { cardState } from "./card.js";
import { confirmBid } from "./confirm.js";
import { byId, h, note, setText } from "./dom.js";
import { fromMinor, money, plural, toMinor } from "./format.js";
import { formatOf } from "./formats.js";
import { ruleLine, showProblem } from "./lists.js";

const QUICK_STEPS = [0, 1, 3];
const CARD_NOTES = {
  missing: ["Add a card before you bid", "Lots you win are charged to your card, so bidding needs one on file."],
  declined: ["Your card was declined", "A payment with this card was declined. Put another card on file to bid again."],
};

export class BidForm {
  #lot = null;
  #own = { standing: "none", maximum: null };
  #busy = false;
  #isLowering = false;
  #card = null;
  #quick = "";

  constructor(auctionId, { onAnswer }) {
    this.id = auctionId;
    this.onAnswer = onAnswer;
    this.form = byId("bid-form");
    this.amount = byId("amount");
    this.quantity = byId("quantity");
    this.button = byId("bid-button");
    this.problem = byId("bid-error");
    this.asks = {
      onRetry: (attempt) => this.#say(note("warn", "No answer yet", `Sending the same bid again (${attempt} of ${REPEATS}). It counts once.`)),
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

  /** Show what can be done with `lot` now by a bidder who stands as `own` says. */
  show(lot, own, { isOwn }) {
    this.#lot = lot;
    this.#own = own;
    if (!this.#isLeader) this.#isLowering = false;
    const { canBid: isOpen, isContest } = formatOf(lot);
    const canSell = isOpen(lot);
    const canBid = canSell && me.id !== "" && me.has("bidder") && !isOwn;
    byId("sign-in").hidden = !(canSell && !me.id);
    if (canBid) this.#checkCard();
    const isCardNeeded = canBid && lot.terms?.card_required !== false && Boolean(CARD_NOTES[this.#card]);
    this.#showCardNeeded(isCardNeeded);
    this.form.hidden = !canBid || isCardNeeded;
    this.#showBarrier(canSell && me.id && (isOwn ? ["This is your lot", "You can't bid on your own lot."] : !me.has("bidder") && ["You can't bid yet", "Verify your e-mail address first."]));
    if (this.form.hidden) return;
    byId("amount-field").hidden = !isContest;
    byId("quick-bids").hidden = !isContest || this.#isLowering;
    byId("quantity-field").hidden = isContest;
    byId("lower").hidden = !this.#isLeader;
    if (isContest) this.#showAmount();
    else this.#showTotal();
  }

  get #isLeader() {
    return formatOf(this.#lot).isContest && this.#own.standing === "leading" && Boolean(this.#own.maximum);
  }

  // --- who may bid ---

  async #checkCard() {
    if (this.#card !== null) return;
    this.#card = "asked";
    await this.#loadCard();
  }

  async #loadCard() {
    this.#card = await cardState();
    if (CARD_NOTES[this.#card]) this.show(this.#lot, this.#own, { isOwn: false });
  }

  #showCardNeeded(isNeeded) {
    const place = byId("card-needed");
    place.hidden = !isNeeded;
    if (!isNeeded) return;
    const [title, text] = CARD_NOTES[this.#card];
    const link = `/account?next=${encodeURIComponent(location.pathname)}`;
    if (place.dataset.state !== this.#card) place.replaceChildren(note("warn", title, text), h("p", {}, h("a", { class: "button wide", href: link }, this.#card === "missing" ? "Add a card" : "Change the card")));
    place.dataset.state = this.#card;
  }

  #showBarrier(words) {
    const place = byId("barrier");
    place.hidden = !words;
    if (words && place.textContent === "") place.replaceChildren(note("", words[0], words[1]));
  }

  // --- the fields ---

  #showAmount() {
    const { minimum, currency, price } = this.#lot;
    const maximum = this.#own.maximum;
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
    const raising = this.#lot.has_reserve && !this.#lot.reserve_met ? "Raising it changes the price only if it meets the reserve." : "Raising it does not change the price.";
    setText(byId("amount-hint"), this.#isLeader ? `Your maximum is ${money(maximum, currency)}. ${raising}` : `${money(minimum, currency)} or more. It stays hidden; you pay only as much as needed to lead.`);
    setText(this.button, this.#isLeader ? "Raise maximum" : "Place bid");
    const least = toMinor(minimum, currency);
    const step = price ? Math.max(1, least - toMinor(price, currency)) : Math.max(1, Math.round(least / 20));
    this.#showQuick(this.#isLeader ? Math.max(least, toMinor(maximum, currency) + step) : least, step);
  }

  #showQuick(least, step) {
    const { currency } = this.#lot;
    const amounts = QUICK_STEPS.map((count) => fromMinor(least + count * step, currency));
    if (this.#quick === amounts.join()) return;
    this.#quick = amounts.join();
    const button = (value) => h("button", { class: "button quiet small", type: "button", onclick: () => this.#fill(value) }, money(value, currency));
    byId("quick-bids").replaceChildren(...amounts.map(button));
  }

  #fill(value) {
    this.amount.value = forReader(value);
    this.amount.focus();
  }

  #lower(isLowering) {
    this.#isLowering = isLowering;
    this.amount.value = "";
    this.#say(null);
    this.show(this.#lot, this.#own, { isOwn: false });
    this.amount.focus();
  }

  #showTotal() {
    const { quantity_left: left, currency } = this.#lot;
    this.quantity.max = left;
    setText(byId("quantity-hint"), `${plural(left, "unit")} left. Your card is charged immediately.`);
    const total = this.#total();
    setText(this.button, total ? `Buy now for ${money(total, currency)}` : "Buy now");
  }

  #total() {
    const { currency, price, minimum } = this.#lot;
    const count = Number(this.quantity.value);
    return Number.isInteger(count) && count > 0 ? fromMinor(toMinor(price ?? minimum, currency) * count, currency) : null;
  }

  // --- sending ---

  /** The body of the bid; null, and the reason on the page, when what was entered cannot be one. */
  #body(input) {
    const { currency } = this.#lot;
    if (!formatOf(this.#lot).isContest) {
      const total = this.#total();
      if (total) return { amount: total, currency, quantity: Number(this.quantity.value) };
      return this.#wrong(input, "That is not a valid number", "Enter a whole number of units.");
    }
    const amount = readAmount(this.amount.value, currency);
    if (!amount) return this.#wrong(input, "That is not a valid amount", `Enter one amount, such as ${forReader("1250.50")}.`, ruleLine("amount_invalid"));
    if (this.#isLeader && !this.#isLowering && toMinor(amount, currency) < toMinor(this.#own.maximum, currency)) {
      return this.#wrong(input, "That is below your maximum", `Your maximum is ${money(this.#own.maximum, currency)}. To lower it, use “Lower my maximum”.`);
    }
    return { amount, currency };
  }

  #wrong(input, title, text, ...more) {
    input.setAttribute("aria-invalid", "true");
    this.#say(note("bad", title, text, ...more));
    input.focus();
    return null;
  }

  async #submit() {
    if (this.#busy) return;
    const input = formatOf(this.#lot).isContest ? this.amount : this.quantity;
    input.removeAttribute("aria-invalid");
    const body = this.#body(input);
    if (body) await this.#send(() => place(this.id, body, this.asks), input);
  }

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

  #accepted(answer) {
    this.amount.value = "";
    this.#isLowering = false;
    this.#say(null);
    this.onAnswer(answer);
  }

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
      if (CARD_NOTES[this.#card]) return;
    }
    if (input && error instanceof Problem && ["amount", "quantity", "currency"].includes(error.field)) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    }
    showProblem(this.problem, error, { currency: this.#lot.currency });
  }

  #sayUnanswered({ message, body }) {
    const what = body.quantity ? `your purchase of ${plural(body.quantity, "unit")}` : `your bid of ${money(body.amount, body.currency)}`;
    const again = h("button", { class: "button quiet small", type: "button" }, "Send it again");
    const drop = h("button", { class: "button quiet small", type: "button" }, "Do not send it again");
    again.addEventListener("click", () => this.#send(() => resume(this.id, this.asks, { byBidder: true })));
    drop.addEventListener("click", () => {
      forget(this.id);
      this.#say(null);
    });
    this.#say(note("warn", `We don't know yet whether ${what} was recorded`, message, h("p", {}, again, " ", drop)));
  }

  /** Send again the bid that was under way when the page was left. */
  async recover() {
    if (me.id) await this.#send(() => resume(this.id, this.asks));
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
