// The options of a list of suggestions: which there are, and to which the keyboard goes. The last one is followed by the text itself,
// and that by the first. Pure.

export const TEXT = -1;

/**
 * The texts without those that differ from a later one in their case alone: a title is better than its words.
 * @param {string[]} texts
 */
export function distinct(texts) {
  /** @type {Map<string, string>} */
  const byFolded = new Map();
  for (const text of texts) byFolded.set(text.toLowerCase(), text);
  return [...byFolded.values()];
}

/**
 * The option that is active after a key; TEXT when it is the text that the reader typed. Null for a key that moves nothing.
 * @param {string} key
 * @param {number} active
 * @param {number} count
 * @returns {number | null}
 */
export function moved(key, active, count) {
  if (!count) return null;
  switch (key) {
    case "ArrowDown":
      return active + 1 < count ? active + 1 : TEXT;
    case "ArrowUp":
      return active === TEXT ? count - 1 : active - 1;
    default:
      return null;
  }
}
