// Types only: what each format of auction answers to the pages. A format is one object with these members.

import type { Entry, Frame, Lot, OwnStanding, RuleFigures, Standing, Terms } from "../bodies.d.ts";

/** How names appear in a line of the record: `who` gives "You" for the reader's own alias. */
export interface Names {
  who(alias: string | undefined): string;
  isOwn(alias: string | undefined): boolean;
}

export interface Format {
  label: string;
  startLabel: string;

  /** Whether bids compete. If so, frames hold all that the pages show of a bid, there is a leader, and prices can be plotted. */
  isContest: boolean;

  canBid(lot: Lot): boolean;

  /** The standing of the bidder of that alias while the lot is open. */
  standing(lot: Lot, alias: string | null): Standing;

  /** The price in lists; its label on the page of the lot. */
  price(lot: Lot): { label: string; amount: string };
  priceLabel(lot: Lot): string;

  /** How much interest there is: bids, purchases, units left. */
  interest(lot: Lot): string;

  /** The lot after its close; after a failed sale (null: the frame does not say enough, load the lot). */
  afterClose(lot: Lot, data: Frame["data"]): Lot;
  afterFailedSale(lot: Lot, data: Frame["data"]): Lot | null;

  /** Lines of the record, and the amount beside a bid. */
  bidLine(entry: Entry, names: Names): string;
  closeLine(entry: Entry, names: Names): string;
  bidAmount(entry: Entry): string;

  /** Sentences of standing.js: the price of the reader's purchase, why nothing was sold, who bought ([title, text]). */
  boughtAt(lot: Lot, alias: OwnStanding["alias"]): string;
  whyUnsold(lot: Lot): string;
  soldTo(lot: Lot): [title: string, text: string];

  /** The rules as sentences. */
  rules(terms: Terms, figures: RuleFigures): string[];
}
