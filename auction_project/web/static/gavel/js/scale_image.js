// Scales a picture down before it is sent: a phone's takes seconds instead of a minute, and its metadata stay on the phone.

const MAX_SIDE_PIXELS = 4000;
export const MAX_BYTES = 20 * 1024 * 1024;
const QUALITY = 0.9;
const TYPE = "image/jpeg";
const SENT_AS_IT_IS = new Set([TYPE, "image/png", "image/webp"]);

/**
 * @typedef {object} Tools What the browser does, or a test.
 * @property {(file: Blob) => Promise<ImageBitmap>} decode Upright, in sRGB.
 * @property {(bitmap: ImageBitmap, width: number, height: number) => Promise<Blob | null>} encode As JPEG, on white.
 */

/** @type {Tools} */
const browser = {
  decode: (file) => createImageBitmap(file, { imageOrientation: "from-image" }),
  encode: (bitmap, width, height) => {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) return Promise.resolve(null);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    return new Promise((resolve) => canvas.toBlob(resolve, TYPE, QUALITY));
  },
};

/**
 * Width and height with no side above MAX_SIDE_PIXELS, in the same proportion.
 * @param {number} width
 * @param {number} height
 * @returns {[number, number]}
 */
export function fitted(width, height) {
  const scale = Math.min(1, MAX_SIDE_PIXELS / Math.max(width, height));
  return [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
}

/**
 * The picture to send: `file` itself if it is small enough, or if this browser cannot read it; else a smaller JPEG. A picture of
 * a type that the server does not read becomes a JPEG, too, where the browser reads it.
 * @param {File} file
 * @param {Tools} [tools]
 * @returns {Promise<File>}
 */
export async function scaled(file, tools = browser) {
  try {
    const bitmap = await tools.decode(file);
    try {
      const [width, height] = fitted(bitmap.width, bitmap.height);
      const isSmall = width === bitmap.width && height === bitmap.height && file.size <= MAX_BYTES;
      if (isSmall && SENT_AS_IT_IS.has(file.type)) return file;
      const smaller = await tools.encode(bitmap, width, height);
      if (!smaller) return file;
      return new File([smaller], file.name.replace(/\.[^.]*$/, "").concat(".jpg"), { type: TYPE });
    } finally {
      bitmap.close();
    }
  } catch {
    return file; // the server says what is wrong with it
  }
}
