// ssl_ciphers and ssl_tls13_ciphers: two lists for OpenSSL's two functions, through the one `ciphers` option that
// Node has for both.

/** Node sorts `ciphers` by itself: what stands between colons and begins with TLS_ is a TLS 1.3 suite. */
const NODE_TLS13_MARK = /^!?TLS_/;

/**
 * ssl_ciphers in the form that Node hands to SSL_CTX_set_cipher_list whole. OpenSSL takes commas where Node splits
 * at colons, so that a TLS 1.2 suite by its standard name (TLS_ECDHE_…) is not taken for one of TLS 1.3.
 */
export function tls12CipherList(ciphers: string): string {
  const list = ciphers.replaceAll(':', ',');
  return NODE_TLS13_MARK.test(list) ? `,${list}` : list;
}

/** The suites of ssl_tls13_ciphers; OpenSSL ignores names that it does not know, Node would file them elsewhere. */
export function tls13Suites(ciphers: string): string[] {
  return ciphers
    .split(':')
    .map((name) => name.trim())
    .filter((name) => name.startsWith('TLS_'));
}

/** Both as Node's `ciphers`; no TLS 1.3 suite named = the library's default ones. */
export function nodeCiphers(ciphers: string, tls13Ciphers: string): string {
  return [tls12CipherList(ciphers), ...tls13Suites(tls13Ciphers)].join(':');
}
