// The path of this site that an address names in its query: where the reader came from. Pure.

/**
 * The path, if it leads to this site; else "". A browser drops tabs and line breaks, and takes a backslash for "/", so that "/\t/x"
 * leads to the host x: only its own parser says where a path leads.
 * @param {string | null} path
 * @param {string} origin That of the page.
 */
export function ownPath(path, origin) {
  if (!path?.startsWith("/") || !URL.canParse(path, origin)) return "";
  const target = new URL(path, origin);
  return target.origin === origin ? target.pathname + target.search + target.hash : "";
}
