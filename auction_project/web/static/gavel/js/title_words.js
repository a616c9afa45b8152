// The words of a title by which lots like it are searched. Pure.

const WORDS = 2; // each is a search
const WORD_CHARACTERS = 4; // shorter ones are "the" and "with"

/** The longest words, each once, without what is around them. @param {string} title */
export function wordsOf(title) {
  const words = title.match(/[\p{L}\p{N}-]+/gu) ?? [];
  const long = words.filter((word) => word.length >= WORD_CHARACTERS);
  return [...new Set(long)].sort((one, other) => other.length - one.length).slice(0, WORDS);
}
