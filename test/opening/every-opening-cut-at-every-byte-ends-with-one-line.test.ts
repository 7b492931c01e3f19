// Each opening, cut after each of its bytes: by FIN, by a reset, or with nothing more to come. Whatever the cut, the
// gate says once what it saw and lets go of everything (semantics §1.2, §1.3, §1.19).

import { test } from 'tap';
import { startGate, type Gate, type LogLine } from '../support/run/gate.ts';
import { cancelRequest, gssencRequest, sslRequest, startupMessage } from '../support/peers/raw-client.ts';
import type { Scope } from '../support/run/scope.ts';
import { clientHello } from '../support/peers/tls-bytes.ts';
import {
  assertNothingOpen,
  assertOneEndingEach,
  idleFdCount,
  isEnding,
  visit,
  type Visitor,
} from '../support/peers/visitor.ts';

const hello = await clientHello({
  minVersion: 'TLSv1.3',
  ecdhCurve: 'X25519',
  ALPNProtocols: ['postgresql'],
});

/** What the first `cut` bytes of an opening come to when nothing follows. */
interface Opening {
  readonly name: string;
  readonly bytes: Buffer;
  readonly code: (cut: number) => string;
  /** The byte that answers its request. */
  readonly answer?: 'S' | 'N';
}

const incomplete = 'incomplete-startup-packet';

const openings: readonly Opening[] = [
  { name: 'SSLRequest', bytes: sslRequest(), answer: 'S', code: (cut) => (cut < 8 ? incomplete : 'tls-eof') },
  // Answered N, and then nothing came: nothing to complain about.
  {
    name: 'GSSENCRequest',
    bytes: gssencRequest(),
    answer: 'N',
    code: (cut) => (cut < 8 ? incomplete : 'no-startup-packet'),
  },
  {
    name: 'CancelRequest',
    bytes: cancelRequest(4711, Buffer.from('cafe0bad', 'hex')),
    code: (cut) => (cut < 16 ? incomplete : 'cancel-request'),
  },
  {
    name: 'StartupMessage',
    bytes: startupMessage({ user: 'alice', database: 'app' }),
    code: (cut) => (cut < 33 ? incomplete : 'hba-reject'),
  },
  {
    name: 'SSLRequest and TLS',
    bytes: Buffer.concat([sslRequest(), hello]),
    answer: 'S',
    code: (cut) => (cut < 8 ? incomplete : 'tls-eof'),
  },
  { name: 'direct TLS', bytes: hello, code: () => 'tls-eof' },
];

const LEVELS: Readonly<Record<string, string>> = {
  'no-startup-packet': 'debug',
  'cancel-request': 'debug',
};

async function startTestGate(t: Scope, config: Record<string, unknown> = {}): Promise<Gate> {
  return startGate(t, {
    hba: 'host all all all reject',
    // Nothing here may reach an upstream.
    upstream: { host: '127.0.0.1', port: 1 },
    config: { log_level: 'debug', max_handshakes: 0, ...config },
  });
}

/** Does something with every prefix of an opening, a few at a time. */
async function cuts(
  { name, bytes, code }: Opening,
  act: (cut: number, part: Buffer, expected: string) => Promise<unknown>,
): Promise<void> {
  if (name === 'StartupMessage' && bytes.length !== 33) throw new Error(`${name}: ${bytes.length} bytes`);
  const all = Array.from({ length: bytes.length + 1 }, (_, cut) => cut);
  for (let at = 0; at < all.length; at += 64) {
    await Promise.all(
      all
        .slice(at, at + 64)
        .map((cut) => act(cut, bytes.subarray(0, cut), cut === 0 ? 'no-startup-packet' : code(cut))),
    );
  }
}

function level(line: LogLine): string {
  return LEVELS[String(line.code)] ?? 'info';
}

await test('by FIN', async (t) => {
  const gate = await startTestGate(t);
  const before = await idleFdCount(gate);
  for (const opening of openings) {
    const wrong: unknown[] = [];
    await cuts(opening, async (cut, part, expected) => {
      const client = await visit(t, gate);
      if (cut > 0) await client.send(part);
      client.halfClose();
      const line = await client.ending();
      if (line.code !== expected || line.level !== level(line)) wrong.push({ cut, expected, line });
      await client.readUntilClose();
    });
    t.strictSame(wrong, [], opening.name);
  }
  await assertNothingOpen(t, gate, before);
  await assertOneEndingEach(t, gate);
});

await test('by a reset', async (t) => {
  const gate = await startTestGate(t);
  const before = await idleFdCount(gate);
  for (const opening of openings) {
    // A reset may overtake the bytes before it, so how much of them the gate saw is not known: any prefix of it.
    const seen = ['no-startup-packet', ...Array.from(opening.bytes, (_, at) => opening.code(at + 1))];
    const from = gate.logLength();
    await cuts(opening, async (cut, part) => {
      const client = await visit(t, gate);
      if (cut > 0) await client.send(part);
      client.reset();
    });
    // Each has a line of its own, the last of which may come after the descriptors are closed.
    let left = opening.bytes.length + 1;
    await gate.waitForLog((line) => isEnding(line) && --left === 0, { from });
    await assertNothingOpen(t, gate, before);
    const codes = gate.log.slice(from).flatMap((line) => line.code ?? []);
    t.strictSame(
      codes.filter((code) => !seen.includes(code)),
      [],
      opening.name,
    );
  }
  await assertOneEndingEach(t, gate);
});

await test('with nothing more to come', async (t) => {
  // Long enough for a busy machine to answer some hundred clients within it: S, N or a ServerHello comes before the end.
  const gate = await startTestGate(t, { authentication_timeout: '15s' });
  const before = await idleFdCount(gate);
  const waiting: { client: Visitor; name: string; whole: boolean; answer: string }[] = [];
  for (const opening of openings) {
    await cuts(opening, async (cut, part, expected) => {
      // What is whole is answered; the rest waits.
      if (['hba-reject', 'cancel-request'].includes(expected)) return;
      const client = await visit(t, gate);
      if (cut > 0) await client.send(part);
      const answer = cut < 8 ? '' : (opening.answer ?? '');
      waiting.push({ client, name: opening.name, whole: cut === opening.bytes.length, answer });
    });
  }
  const wrong: unknown[] = [];
  for (const { client, name, whole, answer } of waiting) {
    const line = await client.ending();
    const said = (await client.readUntilClose()).toString('latin1');
    // Only a whole ClientHello has a ServerHello for its answer; and nobody is told that the time is up.
    const asExpected = whole && name.endsWith('TLS') ? said.startsWith(`${answer}\x16`) : said === answer;
    if (line.code !== 'authentication-timeout' || line.level !== 'info' || !asExpected)
      wrong.push({ name, line, said });
  }
  t.strictSame(wrong, []);
  await assertNothingOpen(t, gate, before);
  await assertOneEndingEach(t, gate);
});
