import assert from "node:assert/strict";
import { test } from "node:test";

import { fitted, scaled } from "../../static/gavel/js/scale_image.js";

const MIB = 1024 * 1024;

/**
 * Tools that decode any file as `width` x `height`, and note what they encode.
 * @param {number} width
 * @param {number} height
 */
function tools(width, height) {
  const seen = { encoded: /** @type {number[][]} */ ([]), closed: 0 };
  const close = () => {
    seen.closed += 1;
  };
  return {
    seen,
    decode: async () => /** @type {ImageBitmap} */ ({ width, height, close }),
    encode: async (/** @type {ImageBitmap} */ _, /** @type {number[]} */ ...size) => {
      seen.encoded.push(size);
      return new Blob(["small"]);
    },
  };
}

/**
 * @param {string} type
 * @param {number} [bytes]
 */
function photo(type, bytes = 100) {
  return new File([new Uint8Array(bytes)], "photo.at.home.png", { type });
}

test("no side is above 4000 pixels, and the proportion stays", () => {
  assert.deepEqual(fitted(8160, 6120), [4000, 3000]);
  assert.deepEqual(fitted(3000, 12_000), [1000, 4000]);
  assert.deepEqual(fitted(4000, 4000), [4000, 4000]);
  assert.deepEqual(fitted(40, 30), [40, 30]);
  assert.deepEqual(fitted(100_000, 2), [4000, 1]);
});

test("a large picture is sent as a smaller JPEG", async () => {
  const browser = tools(8160, 6120);

  const sent = await scaled(photo("image/png"), browser);

  assert.deepEqual([sent.name, sent.type, await sent.text()], ["photo.at.home.jpg", "image/jpeg", "small"]);
  assert.deepEqual(browser.seen, { encoded: [[4000, 3000]], closed: 1 });
});

for (const type of ["image/jpeg", "image/png", "image/webp"]) {
  test(`a small ${type} is sent as it is`, async () => {
    const browser = tools(4000, 3000);
    const file = photo(type);

    assert.equal(await scaled(file, browser), file);
    assert.deepEqual(browser.seen, { encoded: [], closed: 1 });
  });
}

test("a small picture of too many bytes is encoded anew", async () => {
  const browser = tools(3000, 3000);

  await scaled(photo("image/png", 20 * MIB + 1), browser);

  assert.deepEqual(browser.seen.encoded, [[3000, 3000]]);
});

test("a small picture that only the browser reads becomes a JPEG", async () => {
  const sent = await scaled(photo("image/heic"), tools(400, 300));

  assert.equal(sent.type, "image/jpeg");
});

test("a picture that the browser cannot read is sent as it is", async () => {
  const file = photo("image/heic");
  const decode = () => Promise.reject(new Error("The source image could not be decoded."));

  assert.equal(await scaled(file, { ...tools(1, 1), decode }), file);
});

test("a picture for which the browser has no memory is sent as it is", async () => {
  const file = photo("image/jpeg");
  const browser = tools(8160, 6120);

  assert.equal(await scaled(file, { ...browser, encode: async () => null }), file);
  assert.equal(browser.seen.closed, 1);
});
