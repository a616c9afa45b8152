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
  /** How long a buyer may take to pay in the shop; 0: the card is charged at once. */
  pay_within_minutes?: number;
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
  detail?: string;
  /** Of a lot that is paid in the shop, and of a checkout. */
  pay_by_at?: number;
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
  | { type: "desk"; live: boolean }
  | { type: "error"; code: string; detail: string; auction_id: string | null };

export type OrderStatus =
  | "SETTLING"
  | "PLACED"
  | "CONFIRMED"
  | "SHIPPED"
  | "DELIVERED"
  | "RETURNED"
  | "REFUNDED"
  | "CANCELLED";
/** What a reader may do with an order. */
export type OrderAct =
  | "ship"
  | "deliver"
  | "cancel"
  | "refund"
  | "return"
  | "ask_return"
  | "decide_return"
  | "withdraw_return";

export interface OrderFact {
  at: number;
  about: string;
  kind: string;
  detail: string;
}

export interface OrderLine {
  product_id: string;
  title: string;
  quantity: number;
  amount: string;
  /** The lot that the order of a checkout paid. */
  auction_id?: string | null;
}

/** An order, or a sale that has not become one: that has the status SETTLING, and no `sale_id`. */
export interface Order {
  number: string;
  status: OrderStatus;
  title: string;
  quantity: number;
  lines?: OrderLine[];
  shipping?: string;
  amount: string | null;
  currency: string;
  placed_at: number;
  auction_id?: string;
  sale_id?: string;
  payment: string | null;
  reason?: string;
  timeline: OrderFact[];
  role?: "buyer" | "seller" | "operator";
  address?: Omit<Address, "id" | "is_default"> | null;
  shipments?: Shipment[];
  refunds?: Refund[];
  refunded?: string;
  returns?: { id: string; reason: string; at: number; lines: ReturnedLine[] }[];
  return_requests?: ReturnRequest[];
  returnable?: ReturnableLine[];
  possible?: OrderAct[];
}

export type ReturnState = "ASKED" | "ACCEPTED" | "DECLINED" | "RETURNED" | "WITHDRAWN";

/** What the buyer asks to return. `possible`: what the reader may make of it now. */
export interface ReturnRequest {
  id: string;
  seller_id: string;
  status: ReturnState;
  reason: string;
  at: number;
  lines: { product_id: string; quantity: number }[];
  answer: string;
  decided_at: number | null;
  possible: ("accept" | "decline" | "withdraw")[];
}

/** So many units may be asked for until that instant. */
export interface ReturnableLine {
  product_id: string;
  quantity: number;
  until: number;
}

export interface Shipment {
  seller_id: string;
  carrier: string;
  tracking_number: string;
  shipped_at: number;
  delivered_at: number | null;
}

export interface Refund {
  id: string;
  amount: string;
  reason: string;
  status: "PENDING" | "DONE";
  at: number;
  done_at: number | null;
}

export interface ReturnedLine {
  product_id: string;
  quantity: number;
  damaged: boolean;
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
  offer: ProductOffer | null;
}

/** What a product costs in the shop, and whether it is sold there. */
export interface ProductOffer {
  slug: string;
  price: string;
  currency: string;
  max_per_order: number;
  published: boolean;
}

/** A product as its owner edits it. */
export interface OwnProduct extends Product {
  description: string;
  condition: Condition;
  category: string | null;
  attributes: Attribute[];
  pictures: ProductPicture[];
}

export interface Attribute {
  name: string;
  value: string;
}

export interface ProductPicture extends Picture {
  id: string;
}

/** An offer as its owner sees it, with all prices that it had, the present one first. */
export interface OwnOffer extends ProductOffer {
  prices: { price: string; currency: string; at: number }[];
}

// --- the shop ---

export type Condition = "NEW" | "LIKE_NEW" | "GOOD" | "FAIR" | "FOR_PARTS";

export interface Category {
  slug: string;
  name: string;
  parent: string | null;
  offers: number;
}

/** A product at a fixed price, as lists have it. */
export interface Offer {
  product_id: string;
  slug: string;
  title: string;
  thumbnail: string;
  price: string;
  currency: string;
  condition: Condition;
  category: string | null;
  available: number;
  max_per_order: number;
  seller: string;
}

export interface Picture {
  url: string;
  thumbnail: string;
  alt: string;
}

export interface OfferDetail extends Offer {
  description: string;
  pictures: Picture[];
  attributes: Attribute[];
  updated_at: number;
}

export interface Facets {
  categories: { slug: string; name: string; count: number }[];
  conditions: { value: Condition; count: number }[];
  prices: { min: string; max: string; currency: string } | null;
}

export interface OfferPage {
  items: Offer[];
  next: string | null;
  total: number;
  total_is_capped: boolean;
  facets: Facets;
}

interface SearchQuery {
  q: string;
  currency: string;
  min_price: string;
  max_price: string;
}

/** What a search asks for, among offers or among lots. */
export type Search =
  | { among: "offers"; query: SearchQuery & { category: string; condition: Condition | ""; in_stock: boolean } }
  | { among: "lots"; query: SearchQuery & { format: FormatName | "" } };

/** A search whose new offers or lots the reader is told of. */
export type SavedSearch = Search & { id: string; created_at: number; matched_at: number | null };

export type LineProblem = "price_changed" | "not_for_sale" | "too_many";

/** `seen_price` is the price of one unit that the buyer has accepted, `price` the one of today. */
export interface CartLine {
  product_id: string;
  slug: string;
  title: string;
  thumbnail: string;
  quantity: number;
  seen_price: string;
  price: string;
  currency: string;
  total: string;
  max_per_order: number;
  problem: LineProblem | null;
}

export type AwardState = "DUE" | "PAYING" | "PAID" | "LAPSED";

/** A lot that the reader has won on terms to pay later. `price` is that of all units. */
export interface Award {
  id: string;
  auction_id: string;
  product_id: string;
  title: string;
  quantity: number;
  price: string;
  currency: string;
  state: AwardState;
  pay_by: number;
  order_number: string | null;
}

/** Shipping and total are null while they are not known: before the reader signs in. No sum counts the awards. */
export interface Cart {
  lines: CartLine[];
  awards: Award[];
  subtotal: string | null;
  shipping: string | null;
  total: string | null;
  currency: string | null;
}

export type CheckoutStatus = "RESERVING" | "RESERVED" | "PAYING" | "PAID" | "REFUSED" | "ABANDONED" | "EXPIRED";

export interface Shortage {
  product_id: string;
  asked: number;
  available: number;
}

export interface CheckoutLine {
  product_id: string;
  title: string;
  quantity: number;
  unit_price: string;
  price: string;
  /** The lot that the reader has won, and its award; null for a line of the cart. */
  auction_id: string | null;
  award_id: string | null;
}

export interface Checkout {
  id: string;
  status: CheckoutStatus;
  lines: CheckoutLine[];
  shipping: string;
  total: string;
  currency: string;
  address: Address | null;
  started_at: number;
  pay_by: number;
  expires_at: number;
  shortages: Shortage[];
  failure: string;
  order_number: string | null;
  server_time: number;
}

export interface Address {
  id: string;
  name: string;
  line1: string;
  line2: string;
  postal_code: string;
  city: string;
  country: string;
  phone: string;
  is_default: boolean;
}

export interface Page<T> {
  items: T[];
  page: number;
  pages: number;
  total: number;
}

export interface LotFacets {
  formats: { value: FormatName; count: number }[];
  ending_soon: number;
  prices: { min: string; max: string; currency: string } | null;
}

/** `facets` if the request asks for them; null while lots cannot be counted. */
export interface LotPage extends Page<Lot> {
  facets?: LotFacets | null;
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
  maximum?: string | number;
  total?: string;
  lines?: { product_id: string; seen: string; price: string }[];
  decimals?: number;
  price?: string;
  quantity_left?: number;
  starts_at?: number;
  ends_at?: number;
  until?: number;
  days?: number;
  possible?: number;
  reason?: string;
  because?: string;
  product_id?: string;
  sale_id?: string;
  confirmation?: string;
}
