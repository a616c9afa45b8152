// Types only: what the pages read of REST bodies, frames and problems. The OpenAPI and AsyncAPI documents are the contract;
// a test compares the unions here with the values that the server knows. Amounts are decimal strings unless a name says
// minor units; instants are milliseconds since the epoch.

export type Status = "NEW" | "REQUESTED" | "SCHEDULED" | "OPEN" | "SOLD_OUT" | "CLOSED" | "CANCELLED";
export type Outcome = "sold" | "sold_out" | "unsold" | "cancelled";
export type Standing =
  | "none"
  | "leading"
  | "outbid"
  | "won"
  | "bought"
  | "next_in_line"
  | "lost"
  | "not_sold"
  | "failed"
  | "cancelled";
export type FormatName = "english" | "buy_now";
export type EntryKind =
  | "requested"
  | "scheduled"
  | "opened"
  | "bid"
  | "maximum_changed"
  | "sold_out"
  | "cancelled"
  | "closed"
  | "settled"
  | "sale_failed";
export type NextStep = "runner_up" | "back_on_sale" | "relist" | "nothing";
export type Mood = "" | "good" | "warn" | "bad" | "good live";
/** What is shown of a state: its word, and the mood that colours it. */
export type Label = [word: string, mood: Mood];

export interface SoftClose {
  window_ms: number;
  extension_ms: number;
  cap_total_ms: number | null;
  hard_stop_at?: number | null;
}

/** The terms of an auction as its rules are put into words: those of a lot, or those of the form of a new auction. */
export interface Terms {
  format: FormatName;
  currency: string;
  start_price: string;
  starts_at: number;
  ends_at: number;
  has_reserve: boolean;
  quantity?: number;
  card_required?: boolean;
  relistings_left?: number;
  soft_close?: SoftClose | null;
}

/** The figures of the rules that a page carries as JSON. Steps and bounds are minor units. */
export interface RuleFigures {
  increments: { below: number[]; steps: number[] };
}

/** One auction. What a list leaves out is optional. */
export interface Lot {
  id: string;
  seq: number;
  status: Status;
  outcome: Outcome | null;
  ended: boolean;
  format: FormatName;
  title: string;
  thumbnail: string;
  currency: string;
  price: string | null;
  minimum: string;
  starts_at: number;
  ends_at: number;
  bids: number;
  quantity_left: number;
  seller_id: string;
  product_id: string;
  hash?: string;
  text?: string;
  leader?: string | null;
  has_reserve?: boolean;
  reserve_met?: boolean;
  quantity?: number;
  sold?: number;
  undecided_sales?: number;
  reason?: string;
  terms?: Omit<Terms, "format" | "currency" | "starts_at" | "ends_at" | "has_reserve" | "quantity">;
}

/** The reader's own place in an auction. */
export interface OwnStanding {
  standing: Standing;
  alias: string | null;
  maximum: string | null;
  seq?: number;
}

export interface OwnBid extends OwnStanding {
  seq: number;
  auction: Lot;
}

export interface BidBody {
  amount: string;
  currency: string;
  quantity?: number;
  confirmation?: string;
}

export interface BidAnswer {
  seq: number;
  hash: string;
  standing: "leading" | "outbid" | "bought";
  bidder: string;
  price: string;
  minimum: string;
  ends_at: number;
  reserve_met: boolean;
  quantity_left: number;
  /** Of a purchase. */
  sale_id: string | null;
  receipt: { opening: { maximum?: number } };
}

/** The facts of an entry, in minor units. */
export interface Facts {
  kind: EntryKind;
  [name: string]: unknown;
}

export interface HistoryEntry {
  seq: number;
  at: number;
  hash: string;
  facts: Facts;
}

export interface History {
  entries: HistoryEntry[];
  next: number | null;
}

/** What an event of the public feed carries. Each event has some of these. */
export interface FrameData {
  at: number;
  hash: string;
  bidder?: string;
  leader?: string;
  winner?: string;
  price?: string;
  minimum?: string;
  currency?: string;
  bids?: number;
  ends_at?: number;
  reserve_met?: boolean;
  quantity?: number;
  quantity_left?: number;
  ended?: boolean;
  reason?: string;
  next?: NextStep;
}

export type FrameEvent =
  | "AuctionRequested"
  | "AuctionScheduled"
  | "AuctionOpened"
  | "BidPlaced"
  | "MaximumChanged"
  | "AuctionSoldOut"
  | "AuctionClosed"
  | "AuctionWithdrawn"
  | "LotSettled"
  | "LotSaleFailed";

export interface Frame {
  auction_id: string;
  seq: number;
  event: FrameEvent;
  data: FrameData;
}

/** One entry of an auction's record, from REST or from the stream. */
export interface Entry extends FrameData {
  seq: number;
  kind: EntryKind;
  currency: string;
}

export interface Notification {
  cursor: string;
  kind: string;
  text: string;
  badge: string;
  mood: Mood;
  link: string | null;
  at: number;
  withdrawn: boolean;
  read?: boolean;
  data: NotificationData;
}

export interface NotificationData {
  auction_id?: string;
  order_number?: string;
  product_id?: string;
  title?: string;
  quantity?: number;
  price?: string;
  amount?: string;
  currency?: string;
  reason?: string;
}

export interface Feed {
  items: Notification[];
  cursor: string;
  unread: number;
}

/** What the server sends over the WebSocket. */
export type Message =
  | { type: "ready" | "pong" }
  | { type: "watching"; auction_id: string; seq: number }
  | ({ type: "notification" } & Notification)
  | { type: "resumed"; cursor: string }
  | ({ type: "auction" } & Frame)
  | { type: "snapshot_required"; scope: "auction"; auction_id: string; seq: number | null }
  | { type: "snapshot_required"; scope: "notifications"; auction_id: null; cursor: string }
  | { type: "error"; code: string; detail: string; auction_id: string | null };

export type OrderStatus = "SETTLING" | "PLACED" | "CONFIRMED" | "CANCELLED";

export interface OrderFact {
  at: number;
  about: string;
  kind: string;
  detail: string;
}

/** An order, or a sale that has not become one: that has the status SETTLING, and no `sale_id`. */
export interface Order {
  number: string;
  status: OrderStatus;
  title: string;
  quantity: number;
  amount: string | null;
  currency: string;
  placed_at: number;
  auction_id?: string;
  sale_id?: string;
  payment: string | null;
  reason?: string;
  timeline: OrderFact[];
}

export interface Card {
  brand: string;
  last4: string;
  behaviour: string;
  usable: boolean;
}

export interface Product {
  id: string;
  sku: string;
  title: string;
  thumbnail: string;
  available: number;
  reserved: number;
}

export interface Page<T> {
  items: T[];
  page: number;
  pages: number;
  total: number;
}

/** The body of a refusal: the rule, and its figures. */
export interface ProblemBody {
  code?: string;
  title?: string;
  detail?: string;
  field?: string;
  currency?: string;
  amount?: string;
  minimum?: string;
  maximum?: string;
  decimals?: number;
  price?: string;
  quantity_left?: number;
  starts_at?: number;
  ends_at?: number;
  reason?: string;
  because?: string;
  confirmation?: string;
}
