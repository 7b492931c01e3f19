// Certificates and revocation lists as bytes: facts and names, or a refusal, and never a name that another reader could
// see differently.

import { X509Certificate } from 'node:crypto';
import { GatehouseError } from '../../src/base/errors.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { readRevocationList } from '../../src/x509/crl.ts';
import { DerError } from '../../src/x509/der.ts';
import { readCertificateFacts, verifiedIdentity } from '../../src/x509/identity.ts';
import { readPem } from '../../src/x509/pem.ts';
import { invariant, type Target } from '../target.ts';

/** 71 bytes, each of which may be written \xNN, after three dots. */
const MAX_SUBJECT = 3 + 4 * 71;

export function derTarget(): Target {
  const authority = createAuthority({ subject: 'a root' });
  const certificates = [
    authority.issue({
      subject: [
        { type: 'O', value: 'Org, "x"' },
        [
          { type: 'CN', value: 'alice' },
          { type: 'UID', value: 'u1' },
        ],
      ],
      altNames: [
        { type: 'uri', value: 'spiffe://prod/ns/a' },
        { type: 'dns', value: 'a.example' },
        { type: 'ip', value: '192.0.2.1' },
      ],
      purposes: ['clientAuth'],
    }).der,
    authority.issue({ subject: 'bob', purposes: ['clientAuth'] }).der,
  ];
  const list = authority.crl({ revoked: [{ serial: 5n, date: new Date() }] });
  const lists = [...readPem(Buffer.from(list))].map(({ der }) => der);
  return {
    maxLength: 2_048,
    limitMs: 500,
    seeds: [...certificates, ...lists],
    dictionary: [
      Buffer.from([0x30, 0x80]),
      Buffer.from([0x0c, 1, 0x61]),
      Buffer.from([6, 3, 0x55, 4, 3]),
      Buffer.from([0x1e, 2, 0, 0x61]),
    ],
    run: (input) => {
      checkCertificate(input);
      checkList(input);
    },
  };
}

function checkCertificate(der: Buffer): void {
  const facts = unlessRefused(() => readCertificateFacts(der));
  const identity = unlessRefused(() => verifiedIdentity(der));
  invariant(identity === null || facts !== null, 'a certificate with names has facts');
  if (facts !== null) {
    invariant(
      /^[\x20-\x7e]*$/.test(facts.subject) && facts.subject.length <= MAX_SUBJECT,
      'the log gets a short printable subject',
    );
    invariant(/^(-?\d+|\(\d+ bytes\))$/.test(facts.serial), 'a serial is a number');
    invariant(facts.notAfter instanceof Date && !Number.isNaN(facts.notAfter.getTime()), 'a date is one');
  }
  if (identity === null) return;
  const { cn, uri, dns, email } = identity.names;
  invariant(
    [cn ?? '', ...uri, ...dns, ...email].every((name) => !name.includes('\0')),
    'no name holds a NUL',
  );
  checkAgainstOpenSsl(der, identity.names.dns);
}

/** Where OpenSSL reads alternative names in the same bytes, it reads these. Where it reads none, nothing verifies. */
function checkAgainstOpenSsl(der: Buffer, dns: readonly string[]): void {
  const text = alternativeNamesOf(der);
  if (text === undefined) return;
  const plain = dns.filter((name) => /^[a-z0-9.-]+$/.test(name));
  invariant(
    plain.every((name) => text.includes(`DNS:${name}`)),
    'OpenSSL sees the same alternative names',
  );
}

function alternativeNamesOf(der: Buffer): string | undefined {
  try {
    return new X509Certificate(der).subjectAltName;
  } catch {
    return undefined;
  }
}

function checkList(der: Buffer): void {
  const list = unlessRefused(() => readRevocationList(der));
  if (list === null) return;
  const entries = unlessRefused(() => [...list.revoked.entries()]) ?? [];
  invariant(
    entries.every(({ serial }) => list.revoked.has(serial.toString(16))),
    'a list knows the serials that it holds',
  );
  const dates = [list.lastUpdate, ...entries.map(({ date }) => date)];
  invariant(
    dates.every((date) => !Number.isNaN(date.getTime())),
    'a date is one',
  );
}

function unlessRefused<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof GatehouseError || error instanceof DerError) return null;
    throw error;
  }
}
