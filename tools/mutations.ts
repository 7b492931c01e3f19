// What tools/mutation-check.ts takes away: lines marked SECURITY: in src/, each with the tests that must notice.

export interface Mutation {
  /** Below src/. */
  readonly file: string;
  /** What the program no longer does. */
  readonly removes: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  /** Below test/; at least one of them must fail. */
  readonly tests: readonly string[];
}

export const mutations: readonly Mutation[] = [
  {
    file: 'session/admission.ts',
    removes: 'the refusal of a certificate that does not verify',
    from: "if (known.tls?.certificate.state === 'unverified')\n      throw",
    to: 'if (false)\n      throw',
    tests: ['opening/each-client-certificate-meets-each-kind-of-rule.test.ts'],
  },
  {
    file: 'session/admission.ts',
    removes: 'the refusal of a handshake made with TLS files that are no longer in force',
    from: 'known.tls !== null && tls !== material',
    to: 'false',
    tests: ['production/a-reload-reaches-the-connections-that-were-parked-before-it.test.ts'],
  },
  {
    file: 'session/admission.ts',
    removes: 'the second decision after a reload during the wait for a place',
    from: 'if (gate.snapshot() !== snapshot) {\n      if (exhausted',
    to: 'if (false) {\n      if (exhausted',
    tests: ['session/a-reload-during-a-decision-makes-it-be-made-again.test.ts'],
  },
  {
    file: 'session/opening.ts',
    removes: 'the refusal of plaintext behind a request that was answered N (CVE-2021-23214)',
    from: 'if (reader.surplus === 0) return;',
    to: 'if (reader.surplus >= 0) return;',
    tests: ['attacks/cve-2021-23214-plaintext-stuffed-behind-a-request-is-never-used.test.ts'],
  },
  {
    file: 'session/registry.ts',
    removes: 'the comparison of the key in a cancel request',
    from: 'cancelKey.pid === pid && isSameKey(cancelKey.key, key)',
    to: 'cancelKey.pid === pid',
    tests: [
      'session/cancel-requests-reach-the-query-they-are-meant-for-and-no-other.test.ts',
      'attacks/a-cancel-key-cannot-be-guessed-by-asking-often.test.ts',
    ],
  },
  {
    file: 'session/upstream.ts',
    removes: 'the demand that the upstream asks for what the deciding line says',
    from: 'if (STRENGTH[this.#asked] >= STRENGTH[this.#demand]) return;',
    to: 'return;',
    tests: [
      'clients/the-upstream-may-ask-for-its-own-password.test.ts',
      'fuzz/kept-inputs-keep-their-promises.test.ts',
    ],
  },
  {
    file: 'session/upstream.ts',
    removes: "the demand for the upstream's own proof at the end of SCRAM",
    from: "if (this.#asked === 'scram-sha-256' && !this.#saslFinished) this.#asked = 'none';",
    to: '',
    tests: [
      'fuzz/kept-inputs-keep-their-promises.test.ts',
      'session/a-password-line-holds-the-upstream-to-its-method.test.ts',
    ],
  },
  {
    file: 'protocol/login-messages.ts',
    removes: 'the end of every search in a message without its NUL',
    from: 'Buffer.concat([raw, Buffer.alloc(4)])',
    to: 'raw',
    tests: ['protocol/a-lying-upstream-cannot-stall-or-fool-the-login.test.ts'],
  },
  {
    file: 'rules/options.ts',
    removes: "method cert's implied clientcert=verify-full",
    from: "if (method === 'cert') options.clientCert = 'verify-full';",
    to: '',
    tests: ['rules/rule-tables-decide-as-they-say.test.ts'],
  },
  {
    file: 'rules/authenticate.ts',
    removes: 'the refusal of a client without a certificate where the line wants one',
    from: 'if (facts.certificate === null) {',
    to: 'if (false) {',
    tests: ['rules/rule-tables-decide-as-they-say.test.ts'],
  },
  {
    file: 'rules/address.ts',
    removes: 'the comparison of address families',
    from: 'if (client.family !== address.family) return false;',
    to: '',
    tests: [
      'rules/rule-tables-decide-as-they-say.test.ts',
      'rules/rules-keep-their-promises-for-any-input.test.ts',
    ],
  },
  {
    file: 'rules/address.ts',
    removes: 'the un-mapping of ::ffff: clients',
    from: 'if (!mapped) return { address, text };',
    to: 'if (mapped || !mapped) return { address, text };',
    tests: ['rules/rule-tables-decide-as-they-say.test.ts'],
  },
  {
    file: 'rules/match.ts',
    removes: "the keyword that a base backup needs in the line's database field",
    from: "if (replication === 'physical') return spec.kind === 'replication';",
    to: '',
    tests: ['rules/rule-tables-decide-as-they-say.test.ts'],
  },
  {
    file: 'rules/match.ts',
    removes: "the forward look-up of a client's reverse name",
    from: 'hostName.forward.addresses.some((a) => isSameAddress(a, address))',
    to: 'hostName.forward.addresses.length > 0',
    tests: ['rules/a-host-name-must-resolve-there-and-back.test.ts'],
  },
  {
    file: 'rules/usermap.ts',
    removes: 'the literal comparison of a mapped name',
    from: 'return expanded === subject.facts.user ?',
    to: "return expanded === subject.facts.user || expanded === 'all' ?",
    tests: ['rules/rule-tables-decide-as-they-say.test.ts'],
  },
  {
    file: 'rules/hba.ts',
    removes: 'the refusal of a file of which a line could not be read',
    from: 'if (problems.length > 0) throw new LoadError(problems, files);',
    to: '',
    tests: [
      'rules/every-line-is-judged-as-postgresql-18-judges-it.test.ts',
      'rules/files-name-further-files.test.ts',
    ],
  },
  {
    file: 'tls/terminator.ts',
    removes: 'the difference between a verified and a presented certificate',
    from: 'if (!socket.authorized) {',
    to: 'if (false) {',
    tests: ['tls/a-client-certificate-is-verified-as-postgresql-verifies-it.test.ts'],
  },
  {
    file: 'tls/context.ts',
    removes: 'the prohibition of renegotiation',
    from: ' | constants.SSL_OP_NO_RENEGOTIATION',
    to: '',
    tests: ['tls/a-client-cannot-renegotiate.test.ts'],
  },
  {
    file: 'tls/context.ts',
    removes: 'the empty list of CAs, in whose place Node would trust its public ones',
    from: 'ca: authorities.map((authority) => authority.pem),',
    to: 'ca: authorities.length === 0 ? undefined : authorities.map((authority) => authority.pem),',
    tests: ['tls/only-ssl-ca-file-says-who-issues-client-certificates.test.ts'],
  },
  {
    file: 'tls/revocation-lists.ts',
    removes: 'the list of nobody for an empty directory of revocation lists',
    from: 'pems: pems.length === 0 ? [listOfNobody] : pems,',
    to: 'pems,',
    tests: ['tls/an-empty-crl-directory-lets-no-client-certificate-in.test.ts'],
  },
  {
    file: 'tls/crl-directory.ts',
    removes: 'the end of the search where a list with a lower number is missing',
    from: 'if (number !== expected) end ??=',
    to: 'if (false) end ??=',
    tests: ['tls/revocation-lists-are-read-whole-and-refused-whole.test.ts'],
  },
  {
    file: 'tls/crl-directory.ts',
    removes: "the comparison of a list's issuer with its file's name",
    from: '.filter((list) => issuerHash(list.der) === hash)',
    to: '',
    tests: ['tls/a-client-certificate-is-verified-as-postgresql-verifies-it.test.ts'],
  },
  {
    file: 'tls/pem.ts',
    removes: 'the refusal of a file in which two blocks are glued together',
    from: 'if (line !== `${END}${label}${TAIL}`)',
    to: 'if (!line.startsWith(`${END}${label}${TAIL}`))',
    tests: ['tls/pem-files-are-read-as-openssl-reads-them.test.ts'],
  },
  {
    file: 'tls/pem.ts',
    removes: 'the refusal of what is no base64',
    from: 'if (data.length % 4 !== 0 || ',
    to: 'if (false && ',
    tests: ['tls/pem-files-are-read-as-openssl-reads-them.test.ts'],
  },
  {
    file: 'tls/identity.ts',
    removes: 'the refusal of a NUL in the common name (CVE-2009-4034)',
    from: "if (cn?.includes('\\0') === true) throw nulInCommonName();",
    to: '',
    tests: ['tls/hostile-der-is-refused-and-crashes-nothing.test.ts'],
  },
  {
    file: 'tls/key-file.ts',
    removes: 'the refusal of a key file that others can read',
    from: 'if ((status.mode & forbidden) !== 0) {',
    to: 'if (false) {',
    tests: ['tls/a-key-file-that-others-can-read-is-refused.test.ts'],
  },
  {
    file: 'tls/der.ts',
    removes: 'the bound of an element by the one that holds it',
    from: "if (length > this.#end - contentStart) throw new DerError('element is longer than what holds it');",
    to: '',
    tests: ['tls/an-element-of-der-ends-inside-the-one-that-holds-it.test.ts'],
  },
  {
    file: 'admin/guard.ts',
    removes: 'the check of the Host header (DNS rebinding)',
    from: 'if (listenHost !== null && !isOwnName(request.host, listenHost)) {',
    to: 'if (false) {',
    tests: ['admin/requests-of-foreign-pages-are-refused.test.ts'],
  },
  {
    file: 'admin/guard.ts',
    removes: 'the refusal of cross-site requests',
    from: 'if (changesState(request.method) && isCrossSite(request)) {',
    to: 'if (false) {',
    tests: ['admin/requests-of-foreign-pages-are-refused.test.ts'],
  },
  {
    file: 'admin/html.ts',
    removes: 'the escaping of names on the status page',
    from: ".replace(/[&<>\"']/g, (character) => entities[character] ?? '')",
    to: '',
    tests: ['admin/the-status-page-is-safe-and-usable-in-a-browser.test.ts'],
  },
  {
    file: 'config/load.ts',
    removes: 'the refusal of a plaintext upstream on another machine',
    from: 'if (!isLoopback(host) && !allowRemote) {',
    to: 'if (false) {',
    tests: ['config/each-setting-is-read-and-a-wrong-value-is-refused.test.ts'],
  },
  {
    file: 'rules/pattern/matcher.ts',
    removes: 'the limit on what a pattern may cost',
    from: 'if (tooComplex) throw new PatternError(regerror.tooComplex);',
    to: '',
    tests: ['rules/no-subject-makes-a-pattern-slow.test.ts'],
  },
  {
    file: 'rules/price.ts',
    removes: 'the limit on what one decision may cost',
    from: 'if (this.#spent > this.#limit) throw new TooExpensive();',
    to: '',
    tests: ['rules/no-certificate-makes-a-decision-slow.test.ts'],
  },
  {
    file: 'log.ts',
    removes: 'the escaping of control characters in log lines',
    from: 'return line.replace(CONTROLS,',
    to: 'return line.replace(/(?!)/,',
    tests: [
      'log/a-log-line-is-one-json-object-and-none-is-lost.test.ts',
      'attacks/hostile-names-cannot-forge-or-break-a-log-line.test.ts',
    ],
  },
  {
    file: 'tls/terminator.ts',
    removes: 'the limit on the plaintext of a TLS record towards a client',
    from: 'if (!socket.setMaxSendFragment(MAX_RECORD_BYTES))',
    to: 'if (false)',
    tests: ['tls/no-record-towards-a-client-holds-more-than-8192-bytes.test.ts'],
  },
  {
    file: 'log-sink.ts',
    removes: 'the limit of what waits for a log reader that has stopped',
    from: 'this.#queuedBytes + bytes.length <= MAX_QUEUED_BYTES',
    to: 'this.#queuedBytes >= 0',
    tests: ['log/a-log-reader-that-stops-or-is-gone-holds-nothing-up.test.ts'],
  },
  {
    file: 'regular-file.ts',
    removes: 'the refusal of what is no regular file',
    from: 'if (!stats.isFile() && !isNull) throw',
    to: 'if (false) throw',
    tests: ['config/only-regular-files-are-read-and-no-other-is-waited-for.test.ts'],
  },
];
