// Recorded from PostgreSQL: what it reads from certificates with awkward names (semantics §2.9, §2.11, §2.12).

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { toBytes } from '../../src/base/bytestring.ts';
import { GatehouseError } from '../../src/base/errors.ts';
import { readCertificateFacts, verifiedIdentity } from '../../src/x509/identity.ts';

interface Vector {
  readonly id: string;
  readonly cert: string;
  readonly cn_hex: string | null;
  readonly cn_embedded_nul: boolean;
  readonly dn: string;
  /** Null where PostgreSQL itself fails. */
  readonly log_subject: string | null;
}

const fixture = new URL('../fixtures/dn-sample.json', import.meta.url);
const { vectors }: { readonly vectors: readonly Vector[] } = JSON.parse(readFileSync(fixture, 'utf8'));

for (const vector of vectors) {
  void t.test(vector.id, (test) => {
    const der = new X509Certificate(vector.cert).raw;
    const facts = readCertificateFacts(der);
    test.equal(facts.subjectDn, vector.dn, 'RFC 2253');
    if (vector.log_subject !== null) test.equal(facts.subject, vector.log_subject, 'log form');
    test.equal(facts.issuerDn, 'CN=dn-vectors CA');
    test.equal(facts.issuer, '/CN=dn-vectors CA');

    if (vector.cn_embedded_nul) {
      const error = thrownBy(() => verifiedIdentity(der));
      test.equal(error.code, 'client-cert-nul-in-name');
      test.equal(error.reply, 'client certificate verification failed: common name contains embedded null');
      test.equal(error.message, "SSL certificate's common name contains embedded null");
    } else {
      const { names } = verifiedIdentity(der);
      test.equal(names.cn === null ? null : toBytes(names.cn).toString('hex'), vector.cn_hex, 'common name');
      test.equal(names.dn, vector.dn);
    }
    test.end();
  });
}

function thrownBy(action: () => unknown): GatehouseError {
  try {
    action();
  } catch (error) {
    if (error instanceof GatehouseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
