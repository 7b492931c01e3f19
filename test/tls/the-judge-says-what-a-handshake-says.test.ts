// Odd chains and lists, each shown to the acceptor in a real handshake and to the judge that has no key. What the
// handshake says is right.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { test } from 'tap';
import { CertificateJudge, type Judgement } from '../../src/tls/judge/certificate-judge.ts';
import { chainOf } from '../../src/tls/judge/presented-chain.ts';
import { TlsAcceptor } from '../../src/tls/tls-acceptor.ts';
import type { TlsMaterial, TlsSession } from '../../src/tls/types.ts';
import { testAuthority } from '../support/certificates/certificates.ts';
import { makeOddChain, type OddChain } from '../support/certificates/odd-chains.ts';
import { eachOddPart, randomParts } from '../support/certificates/odd-parts.ts';
import type { Scope } from '../support/run/scope.ts';
import { forEveryone, listen, loadMaterial, tlsSettings } from '../support/certificates/tls.ts';
import { Arrivals } from '../support/run/waiting.ts';
import { pem } from '../support/certificates/x509.ts';

const SEED = 20_260;
const RANDOM = 330;

await test('odd chains and lists', async (t) => {
  const authority = testAuthority(t);
  const server = authority.server();
  const door = await openDoor(t);
  const counts = { cases: 0, verified: 0, refused: 0, unjudged: 0, late: { refused: 0, unjudged: 0 } };
  const reasons = new Set<string>();
  for (const parts of [...eachOddPart(), ...randomParts(RANDOM, SEED)]) {
    const odd = makeOddChain(parts);
    const material = await loadMaterial(
      tlsSettings(server, {
        ssl_ca_file: authority.write('odd-ca.crt', odd.file.map((der) => pem('CERTIFICATE', der)).join('')),
        ssl_ciphers: parts.ciphers,
        ...(odd.lists === null
          ? {}
          : {
              ssl_crl_file: authority.write('odd.crl', odd.lists.map((der) => pem('X509 CRL', der)).join('')),
            }),
      }),
    );
    const session = await door.shake(material, odd);
    const handshake = verdictOf(session);
    const judge = new CertificateJudge(material);
    const judged = await judge.judge(chainOf(odd.sent));
    const label = JSON.stringify(parts);
    counts.cases += 1;
    if (judged.kind === 'not-judged') counts.unjudged += 1;
    else if (inWords(judged) !== handshake) t.equal(inWords(judged), handshake, label);
    if (handshake === 'verified') {
      counts.verified += 1;
      if (JSON.stringify(session.chain?.certificates) !== JSON.stringify(odd.sent))
        t.fail(`kept as sent: ${label}`);
    } else {
      counts.refused += 1;
      reasons.add(handshake);
    }
    // Who was admitted and has expired since is ended only for what a handshake before would have refused as well.
    const late = await judge.judgeAdmitted(chainOf(odd.expired));
    if (late.kind === 'verified') t.fail(`expired and verified: ${label}`);
    else if (late.kind === 'not-judged') counts.late.unjudged += 1;
    else {
      counts.late.refused += 1;
      if (handshake === 'verified') t.fail(`ended for ${late.error.reason}: ${label}`);
    }
    session.socket.destroy();
  }
  t.comment(JSON.stringify(counts));
  t.comment([...reasons].toSorted().join('; '));
  t.ok(counts.cases >= 400, `${counts.cases} cases`);
  t.equal(counts.unjudged, 0, 'none of them is beyond the judge');
  t.ok(counts.verified > counts.cases / 6 && counts.refused > counts.cases / 6, 'of both kinds');
  t.ok(reasons.size >= 15, `${reasons.size} reasons`);
  t.ok(counts.late.refused > 0 && counts.late.unjudged > 0);
});

function inWords(judgement: Exclude<Judgement, { kind: 'not-judged' }>): string {
  return judgement.kind === 'verified' ? 'verified' : `${judgement.error.code}: ${judgement.error.reason}`;
}

function verdictOf({ certificate }: TlsSession): string {
  switch (certificate.state) {
    case 'verified':
      return 'verified';
    case 'unverified':
      return `${certificate.code}: ${certificate.reason}`;
    case 'absent':
      throw new Error('the client has sent no certificate');
    default:
      return certificate satisfies never;
  }
}

/** A port at which each handshake is made with the material of the moment. */
async function openDoor(t: Scope) {
  const sessions = new Arrivals<TlsSession | Error>();
  let acceptor: TlsAcceptor | null = null;
  const signal = new AbortController().signal;
  const onConnection = async (raw: Socket): Promise<void> => {
    try {
      if (acceptor === null) throw new Error('no material yet');
      sessions.push((await acceptor.accept(raw, { signal })).session);
    } catch (error) {
      sessions.push(error instanceof Error ? error : new Error(String(error)));
    }
  };
  const port = await listen(
    t,
    createServer({ pauseOnConnect: true, allowHalfOpen: true }, (raw) => void onConnection(raw)),
  );
  let seen = 0;
  return {
    shake: async (material: TlsMaterial, { sent, keys }: OddChain): Promise<TlsSession> => {
      acceptor = new TlsAcceptor(forEveryone(material));
      const client = connect({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        // Without one of its own OpenSSL would complete the chain that is sent, and refuse to send a weak key.
        ca: [],
        ciphers: 'ALL:@SECLEVEL=0',
        cert: sent.map((der) => pem('CERTIFICATE', der)).join(''),
        key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      });
      client.on('error', () => {});
      const session = await sessions.next(() => true, 'the end of a handshake', { from: seen++ });
      client.destroy();
      if (!client.closed) await once(client, 'close');
      if (session instanceof Error) throw session;
      return session;
    },
  };
}
