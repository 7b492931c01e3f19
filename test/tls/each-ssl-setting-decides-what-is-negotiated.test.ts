// Versions, ciphers, their order, groups and Diffie-Hellman parameters: what a client then gets, or does not get
// (semantics §2.1 to §2.6).

import type { TlsSettings } from '../../src/tls/settings.ts';
import { getDiffieHellman } from 'node:crypto';
import type { ConnectionOptions } from 'node:tls';
import { test } from 'tap';
import { GatehouseError } from '../../src/base/errors.ts';
import { integer, pem, sequence } from '../../src/x509/encode.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { loadMaterial, startTlsGate, TlsClient, tlsSettings } from '../support/certificates/tls.ts';

interface Case {
  readonly settings: Partial<TlsSettings>;
  readonly client: ConnectionOptions;
  /** `version cipher bits group`, or the code of the failure. */
  readonly expected: string;
}

const AES128 = 'ECDHE-RSA-AES128-GCM-SHA256';
const AES256 = 'ECDHE-RSA-AES256-GCM-SHA384';
const CHACHA = 'ECDHE-RSA-CHACHA20-POLY1305';
const tls12 = { maxVersion: 'TLSv1.2' } as const;
const tls13 = { minVersion: 'TLSv1.3' } as const;
/** A client that speaks what OpenSSL 3 has put aside. */
const old = { minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;
/** What PostgreSQL, too, needs on OpenSSL 3 for TLS 1.0 and 1.1. */
const OLD_CIPHERS = 'HIGH:MEDIUM:+3DES:!aNULL:@SECLEVEL=0';

const cases: readonly Case[] = [
  // The defaults
  { settings: {}, client: {}, expected: 'TLSv1.3 TLS_AES_256_GCM_SHA384 256 X25519' },
  { settings: {}, client: tls12, expected: `TLSv1.2 ${AES256} 256 X25519` },
  { settings: {}, client: { ...old, maxVersion: 'TLSv1.1' }, expected: 'tls-version-mismatch' },

  // ssl_min_protocol_version, ssl_max_protocol_version
  { settings: { ssl_min_protocol_version: 'TLSv1.3' }, client: tls12, expected: 'tls-version-mismatch' },
  { settings: { ssl_max_protocol_version: 'TLSv1.2' }, client: tls13, expected: 'tls-version-mismatch' },
  { settings: { ssl_max_protocol_version: 'TLSv1.2' }, client: {}, expected: `TLSv1.2 ${AES256} 256 X25519` },
  {
    settings: { ssl_min_protocol_version: 'TLSv1', ssl_ciphers: OLD_CIPHERS },
    client: { ...old, maxVersion: 'TLSv1' },
    expected: 'TLSv1 ECDHE-RSA-AES256-SHA 256 X25519',
  },
  {
    settings: { ssl_min_protocol_version: 'TLSv1.1', ssl_ciphers: OLD_CIPHERS },
    client: { ...old, maxVersion: 'TLSv1.1' },
    expected: 'TLSv1.1 ECDHE-RSA-AES256-SHA 256 X25519',
  },
  {
    settings: { ssl_min_protocol_version: 'TLSv1.1', ssl_ciphers: OLD_CIPHERS },
    client: { ...old, maxVersion: 'TLSv1' },
    expected: 'tls-version-mismatch',
  },
  // As with PostgreSQL on OpenSSL 3, whose security level 1 and above leave these versions out.
  {
    settings: { ssl_min_protocol_version: 'TLSv1' },
    client: { ...old, maxVersion: 'TLSv1.1' },
    expected: 'tls-version-mismatch',
  },

  // ssl_ciphers: TLS 1.2 and below only
  { settings: { ssl_ciphers: AES128 }, client: tls12, expected: `TLSv1.2 ${AES128} 128 X25519` },
  { settings: { ssl_ciphers: AES128 }, client: {}, expected: 'TLSv1.3 TLS_AES_256_GCM_SHA384 256 X25519' },
  {
    settings: { ssl_ciphers: AES128 },
    client: { ...tls12, ciphers: CHACHA },
    expected: 'tls-no-shared-cipher',
  },
  {
    settings: { ssl_ciphers: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256' },
    client: tls12,
    expected: `TLSv1.2 ${AES128} 128 X25519`,
  },
  {
    settings: { ssl_ciphers: 'ECDHE-RSA-AES256-SHA:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256' },
    client: { ...tls12, ciphers: AES128 },
    expected: `TLSv1.2 ${AES128} 128 X25519`,
  },
  { settings: { ssl_ciphers: 'DEFAULT:!AES256' }, client: tls12, expected: `TLSv1.2 ${CHACHA} 256 X25519` },
  {
    settings: { ssl_ciphers: 'AES128-CCM8:@SECLEVEL=0' },
    client: { ...tls12, ciphers: 'AES128-CCM8:@SECLEVEL=0' },
    expected: 'TLSv1.2 AES128-CCM8 64 none',
  },

  // ssl_tls13_ciphers: TLS 1.3 only
  {
    settings: { ssl_tls13_ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
    client: {},
    expected: 'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 256 X25519',
  },
  {
    settings: { ssl_tls13_ciphers: 'TLS_AES_128_GCM_SHA256:TLS_UNHEARD_OF' },
    client: {},
    expected: 'TLSv1.3 TLS_AES_128_GCM_SHA256 128 X25519',
  },
  {
    settings: { ssl_tls13_ciphers: 'TLS_AES_128_GCM_SHA256' },
    client: { ...tls13, ciphers: 'TLS_CHACHA20_POLY1305_SHA256' },
    expected: 'tls-no-shared-cipher',
  },
  {
    settings: { ssl_tls13_ciphers: 'TLS_AES_128_GCM_SHA256' },
    client: tls12,
    expected: `TLSv1.2 ${AES256} 256 X25519`,
  },

  // ssl_prefer_server_ciphers
  {
    settings: { ssl_ciphers: `${AES128}:${AES256}` },
    client: { ...tls12, ciphers: `${AES256}:${AES128}` },
    expected: `TLSv1.2 ${AES128} 128 X25519`,
  },
  {
    settings: { ssl_ciphers: `${AES128}:${AES256}`, ssl_prefer_server_ciphers: false },
    client: { ...tls12, ciphers: `${AES256}:${AES128}` },
    expected: `TLSv1.2 ${AES256} 256 X25519`,
  },

  // ssl_groups
  {
    settings: {},
    client: { ecdhCurve: 'prime256v1' },
    expected: 'TLSv1.3 TLS_AES_256_GCM_SHA384 256 prime256v1',
  },
  { settings: {}, client: { ...tls13, ecdhCurve: 'secp521r1' }, expected: 'tls-no-shared-group' },
  {
    settings: { ssl_groups: 'secp521r1' },
    client: { ecdhCurve: 'X25519:secp521r1' },
    expected: 'TLSv1.3 TLS_AES_256_GCM_SHA384 256 secp521r1',
  },
  {
    settings: { ssl_groups: 'prime256v1' },
    client: { ...tls12, ecdhCurve: 'X25519:prime256v1' },
    expected: `TLSv1.2 ${AES256} 256 prime256v1`,
  },

  // DHE without ssl_dh_params_file
  {
    settings: {},
    client: { ...tls12, ciphers: 'DHE-RSA-AES128-GCM-SHA256' },
    expected: 'TLSv1.2 DHE-RSA-AES128-GCM-SHA256 128 DH 2048',
  },
];

await test('what is negotiated', async (t) => {
  const authority = testAuthority(t, { keyType: 'rsa' });
  const server = authority.server({ keyType: 'rsa' });
  for (const { settings, client, expected } of cases) {
    const gate = await startTlsGate(t, await loadMaterial(tlsSettings(server, settings)));
    const peer = new TlsClient(t, gate, client);
    const outcome = await gate.outcome();
    const got =
      outcome.session === null
        ? outcome.error instanceof GatehouseError && outcome.error.code
        : await peer.secured().then(() => {
            const { version, cipher, bits } = outcome.session;
            return `${version} ${cipher} ${bits} ${exchange(peer)}`;
          });
    t.equal(got, expected, `${JSON.stringify(settings)} for a client with ${JSON.stringify(client)}`);
  }
});

function exchange({ socket }: TlsClient): string {
  const info = socket.getEphemeralKeyInfo();
  if (info === null || !('type' in info) || info.type === undefined) return 'none';
  return info.type === 'DH' ? `DH ${info.size}` : String(info.name);
}

await test('ssl_dh_params_file decides on the size of DHE', async (t) => {
  const authority = testAuthority(t, { keyType: 'rsa' });
  // RFC 3526, group 15: 3072 bits.
  const prime = BigInt(`0x${getDiffieHellman('modp15').getPrime('hex')}`);
  const file = authority.write('dh.pem', pem('DH PARAMETERS', sequence(integer(prime), integer(2n))));
  const settings = tlsSettings(authority.server({ keyType: 'rsa' }), { ssl_dh_params_file: file });
  const gate = await startTlsGate(t, await loadMaterial(settings));
  const peer = new TlsClient(t, gate, { ...tls12, ciphers: 'DHE-RSA-AES128-GCM-SHA256' });
  await gate.session();
  t.equal(exchange(await peer.secured()), 'DH 3072');
});
