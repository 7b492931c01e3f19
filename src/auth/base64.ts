// Base64 as PostgreSQL reads it in SCRAM (pg_b64_decode), but without its tolerance for white space: Node's own decoder
// skips whatever it does not know, so that two different texts would be one key.

/**
 * Decodes padded base64.
 *
 * @returns the bytes, or null when `text` is not base64 to the letter
 */
export function decodeBase64(text: string): Buffer | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  return Buffer.from(text, 'base64');
}
