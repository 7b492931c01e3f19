// The reader of ClientHellos: any bytes, in any pieces, are one, part of one or none, and it never throws. It must give
// up no sooner than it knows, and keep no more than it needs.

import { ClientHelloCollector, decodeClientHello } from '../../src/tls/handshake/client-hello.ts';
import { toPrintableAscii } from '../../src/base/bytestring.ts';
import { readServerName } from '../../src/tls/handshake/server-name.ts';
import { clientHello, splitIntoRecords } from '../../test/support/peers/tls-bytes.ts';
import { Draws, pieces } from '../draws.ts';
import { invariant, type Target } from '../target.ts';

const MAX_SHOWN = 128;

export async function clientHelloTarget(): Promise<Target> {
  const whole = Buffer.from([0, 0, 0]);
  const modern = await clientHello({ servername: 'db.example', ALPNProtocols: ['postgresql', 'h2'] });
  const old = await clientHello({ maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA', ecdhCurve: 'secp521r1' });
  return {
    maxLength: 2_048,
    limitMs: 200,
    seeds: [modern, old, splitIntoRecords(modern, 20)].map((hello) => Buffer.concat([whole, hello])),
    dictionary: [
      Buffer.from([0x16, 3, 1]),
      Buffer.from([1, 0, 0]),
      Buffer.from([0, 43]),
      Buffer.from([0, 16]),
    ],
    run: (input) => {
      const draws = new Draws(input);
      const pattern = draws.take(3);
      const bytes = draws.rest();
      const collector = new ClientHelloCollector();
      let taken = 0;
      for (const piece of pieces(bytes, pattern)) {
        const state = collector.push(piece);
        taken += piece.length;
        const atOnce = new ClientHelloCollector();
        invariant(atOnce.push(bytes.subarray(0, taken)) === state, 'the pieces make no difference');
        invariant((collector.message !== null) === (state === 'whole'), 'a whole ClientHello has a message');
        if (state !== 'partial') break;
      }
      invariant(bytes.subarray(0, taken).equals(collector.received), 'all that was pushed can be put back');
      const facts = decodeClientHello(bytes);
      const wanted = readServerName(bytes);
      invariant(
        collector.message !== null || wanted.kind === 'unreadable' || collector.isTooLong,
        'no host is read from a ClientHello that is not whole',
      );
      if (facts === null) return;
      if (wanted.kind === 'named')
        invariant(
          toPrintableAscii(wanted.name.slice(0, 255)) === facts.sni,
          'the host that decides is the host that the log shows',
        );
      if (wanted.kind === 'none')
        invariant(facts.sni === null, 'a client that names a host is not one that names none');
      const shown = [facts.sni ?? '', ...facts.alpn, ...facts.versions, ...facts.groups];
      invariant(
        shown.every((text) => /^[\x20-\x7e]*$/.test(text)),
        'a log line gets printable ASCII only',
      );
      invariant(shown.length <= 4 * MAX_SHOWN + 1, 'lists in a log line are bounded');
    },
  };
}
