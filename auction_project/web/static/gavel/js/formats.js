// The formats of auctions in the pages. A new one is a module with the members of formats/english.js, and a line here.

import { buyNow } from "./formats/buy_now.js";
import { english } from "./formats/english.js";

const FORMATS = { english, buy_now: buyNow };

/** The format of `lot`, or of anything else that has the member `format`. */
export const formatOf = ({ format }) => FORMATS[format];
