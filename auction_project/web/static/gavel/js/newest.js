// Which of several requests for one list was sent last: an answer to an earlier one is out of date. Pure.

/**
 * A counter of requests. Each call stands for a request that begins, and returns whether it is the last one so far. A refresh
 * asks the same as the request before it, so that it makes no other out of date.
 * @returns {(options?: {isRefresh?: boolean}) => () => boolean}
 */
export function newest() {
  let last = 0;
  return ({ isRefresh = false } = {}) => {
    if (!isRefresh) last += 1;
    const number = last;
    return () => number === last;
  };
}
