// pg_stat_ssl.bits: what OpenSSL's SSL_get_cipher_bits says of a cipher, which Node does not tell.

/** Secret bits of a cipher by its standard name (`TLS_AES_256_GCM_SHA384`). */
export function secretBits(standardName: string): number {
  // Its tag of 8 bytes is what OpenSSL rates, not the key.
  if (standardName.includes('CCM_8')) return 64;
  if (standardName.includes('3DES')) return 112;
  if (standardName.includes('NULL')) return 0;
  return /AES_256|CHACHA20|CAMELLIA_256|ARIA_256/.test(standardName) ? 256 : 128;
}
