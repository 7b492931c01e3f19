// Validity in its last third, 30 days at most, and the server certificate that channel binding cannot hash (semantics §2.14).

import { test } from 'tap';
import type { Problem } from '../../src/base/problems.ts';
import { SourceReader } from '../../src/base/sources.ts';
import { createExpiryCheck } from '../../src/server/expiry-check.ts';
import {
  revocationWarnings,
  timeWarnings,
  validityWarnings,
} from '../../src/tls/material/certificate-warnings.ts';
import type { CertificateInUse, CrlInUse, TlsMaterial } from '../../src/tls/types.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { loadMaterial, tlsSettings } from '../support/certificates/tls.ts';

const DAY_MS = 86_400_000;
const now = new Date('2030-01-31T12:00:00.000Z');
const day = (days: number): Date => new Date(now.getTime() + days * DAY_MS);

function certificate(notBefore: Date, notAfter: Date, role: 'server' | 'ca' = 'server'): CertificateInUse {
  return {
    subject: '/CN=x',
    issuer: '/CN=x',
    subjectDn: 'CN=x',
    issuerDn: 'CN=x',
    serial: '1',
    notBefore,
    notAfter,
    fingerprint: '00',
    role,
    file: '/x.crt',
  };
}

function crl(lastUpdate: Date, nextUpdate: Date | null): CrlInUse {
  return {
    file: '/x.crl',
    issuer: '/CN=x',
    issuerDn: 'CN=x',
    lastUpdate,
    nextUpdate,
    revokedSerials: new Set(),
  };
}

const warningsOf = (material: TlsMaterial): readonly Problem[] => [
  ...timeWarnings(material, new Date()),
  ...material.fileWarnings,
];

await test('what remains, in the last third of a life and 30 days at most', async (t) => {
  const table: readonly (readonly [CertificateInUse, string | null])[] = [
    [certificate(day(-1), day(365)), null],
    [certificate(day(-1), day(30)), null],
    [
      certificate(day(-335), day(29.9)),
      'server certificate "/CN=x" expires on 2030-03-02T09:36:00.000Z, in 29 days',
    ],
    [certificate(day(-1), day(0.5), 'ca'), null],
    [
      certificate(day(-1.01), day(0.5), 'ca'),
      'CA certificate "/CN=x" expires on 2030-02-01T00:00:00.000Z, in 12 hours',
    ],
    [certificate(day(-335), day(30.1)), null],
    [certificate(day(-61), day(30)), null],
    [certificate(day(-10), day(6)), null],
    [
      certificate(day(-15), day(6)),
      'server certificate "/CN=x" expires on 2030-02-06T12:00:00.000Z, in 6 days',
    ],
    [certificate(day(-2), day(-1)), 'server certificate "/CN=x" has expired on 2030-01-30T12:00:00.000Z'],
    [certificate(day(-2), day(-1), 'ca'), 'CA certificate "/CN=x" has expired on 2030-01-30T12:00:00.000Z'],
    [certificate(day(1), day(99)), 'server certificate "/CN=x" is not valid before 2030-02-01T12:00:00.000Z'],
  ];
  for (const [facts, message] of table) {
    // Only what keeps every client out already is an error.
    const level =
      message?.startsWith('server certificate') && message.includes('has expired') ? { level: 'error' } : {};
    const expected = message === null ? [] : [{ file: '/x.crt', line: null, message, ...level }];
    t.strictSame(validityWarnings([facts], now), expected, message ?? 'no warning');
  }
});

await test('the hours that remain of a revocation list', async (t) => {
  const table: readonly (readonly [CrlInUse, string | null])[] = [
    [crl(day(-99), null), null],
    [crl(day(-25), day(3.1)), null],
    [crl(day(-25), day(2.5)), 'expires on 2030-02-03T00:00:00.000Z, in 60 hours'],
    // One that lives for a day only is not a cause for alarm in its first hours.
    [crl(day(-0.5), day(0.5)), null],
    [crl(day(-0.75), day(0.25)), 'expires on 2030-01-31T18:00:00.000Z, in 6 hours'],
    [crl(day(-9), day(-1)), 'has expired on 2030-01-30T12:00:00.000Z'],
  ];
  for (const [list, state] of table) {
    const messages = revocationWarnings([list], now).map(({ message }) => message);
    const expected = state === null ? [] : [`certificate revocation list of "/CN=x" ${state}`];
    t.strictSame(messages, expected, state ?? 'no warning');
  }
});

await test('a gate that runs on says it again, until it is stopped', async (t) => {
  const certificates = [certificate(day(-80), day(10))];
  const warned: string[] = [];
  await new Promise<void>((resolve) => {
    const stop = createExpiryCheck(
      () => ({ certificates, crls: [] }),
      ({ message }) => {
        warned.push(message);
        if (warned.length < 2) return;
        stop();
        resolve();
      },
      { everyMs: 1, now: () => now },
    );
    t.teardown(stop);
    // The look's own timer keeps no process alive.
    const keepAlive = setInterval(() => undefined, 1000);
    t.teardown(() => clearInterval(keepAlive));
  });
  const message = 'server certificate "/CN=x" expires on 2030-02-10T12:00:00.000Z, in 10 days';
  t.strictSame(warned, [message, message]);
});

await test('an expired server certificate loads, and is warned of', async (t) => {
  const server = testAuthority(t).server({ expired: true });
  const warnings = warningsOf(await loadMaterial(tlsSettings(server)));
  t.match(warnings, [{ file: server.certFile, line: null, message: /"\/CN=localhost" has expired on / }]);
  t.equal(warnings.length, 1);
});

await test('every certificate of the chain and of the bundle is looked at', async (t) => {
  const soon = new Date(Date.now() + 9.5 * DAY_MS);
  const authority = testAuthority(t);
  const intermediate = authority.intermediate('Ending CA', {
    notBefore: new Date(Date.now() - 80 * DAY_MS),
    notAfter: soon,
  });
  const server = intermediate.server();
  const caFile = authority.write('bundle.crt', authority.cert + intermediate.cert);
  const material = await loadMaterial(tlsSettings(server, { ssl_ca_file: caFile }));
  t.match(warningsOf(material), [
    { file: server.certFile, message: /^server certificate "\/CN=Ending CA" expires on .*, in 9 days$/ },
    { file: caFile, message: /^CA certificate "\/CN=Ending CA" expires on .*, in 9 days$/ },
  ]);
  t.strictSame(
    material.certificates.map(({ role, subjectDn, issuerDn, file }) => [role, subjectDn, issuerDn, file]),
    [
      ['server', 'CN=localhost', 'CN=Ending CA', server.certFile],
      ['server', 'CN=Ending CA', 'CN=Test CA', server.certFile],
      ['ca', 'CN=Test CA', 'CN=Test CA', caFile],
      ['ca', 'CN=Ending CA', 'CN=Test CA', caFile],
    ],
  );
  t.equal(material.certificates[0]?.serial, String(server.serial));
});

await test('a server certificate signed with Ed25519 or ML-DSA has no channel-binding hash', async (t) => {
  for (const keyType of ['ed25519', 'ml-dsa-65'] as const) {
    const server = testAuthority(t, { keyType }).server();
    const { fileWarnings } = await loadMaterial(tlsSettings(server));
    t.match(fileWarnings, [
      {
        file: server.certFile,
        message: `server certificate is signed with ${keyType.toUpperCase()}, for which channel binding has no hash`,
      },
    ]);
  }
  for (const keyType of ['ec', 'rsa'] as const) {
    t.strictSame(warningsOf(await loadMaterial(tlsSettings(testAuthority(t, { keyType }).server()))), []);
  }
});

await test('the files that were read are told, for the watcher', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const crlFile = authority.write('ca.crl', authority.crl());
  const reader = new SourceReader();
  const { crls } = await loadMaterial(
    tlsSettings(server, { ssl_ca_file: authority.caFile, ssl_crl_file: crlFile }),
    { reader },
  );
  t.strictSame(
    new Set(reader.sources.keys()),
    new Set([server.certFile, server.keyFile, authority.caFile, crlFile]),
  );
  t.match(crls, [{ file: crlFile, issuerDn: 'CN=Test CA' }]);
});
