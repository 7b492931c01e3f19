// The host is chosen from the gate's own reading of the ClientHello (contract §11). However the network and the client
// cut it, into segments or into records, it is the same ClientHello and leads to the same certificate.

import { createServer, connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { X509Certificate } from 'node:crypto';
import { test } from 'tap';
import type { HostNames } from '../../src/rules/hosts.ts';
import { TlsHosts, labelOf } from '../../src/tls/hosts.ts';
import { TlsAcceptor } from '../../src/tls/tls-acceptor.ts';
import { testAuthority, type Credentials } from '../support/certificates/certificates.ts';
import { capturedClientHello, listen, loadMaterial, tlsSettings } from '../support/certificates/tls.ts';
import { record, recordType, splitIntoRecords } from '../support/peers/tls-bytes.ts';
import { atEnd, type Scope } from '../support/run/scope.ts';
import { within } from '../support/run/waiting.ts';

async function hostsOf(...lines: readonly (readonly [HostNames, Credentials])[]): Promise<TlsHosts> {
  const all = [];
  for (const [names, credentials] of lines) {
    const material = await loadMaterial(tlsSettings(credentials));
    all.push({ names, label: labelOf(names), certFile: credentials.certFile, caFile: '', material });
  }
  return new TlsHosts(true, all);
}

/** Sends the pieces one by one to an acceptor; what it answers until it has shown a certificate, or closes. */
async function answerTo(t: Scope, port: number, pieces: readonly Buffer[]): Promise<Buffer> {
  const client = connect({ port, host: '127.0.0.1', noDelay: true });
  atEnd(t, () => client.destroy());
  client.on('error', () => undefined);
  let answer = Buffer.alloc(0);
  const answered = new Promise<void>((resolve) => {
    client.once('close', resolve);
    client.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      // ServerHelloDone is the end of the flight: type 14, no body.
      if (answer.subarray(-4).equals(Buffer.from([14, 0, 0, 0]))) resolve();
    });
  });
  for (const piece of pieces) {
    await new Promise((resolve) => client.write(piece, resolve));
    await turn();
  }
  await within(answered, 'an answer to the ClientHello');
  client.destroy();
  return answer;
}

await test('cut at every byte', async (t) => {
  const authority = testAuthority(t);
  const [named, other] = [authority.server(), authority.server()];
  const hosts = await hostsOf(
    [{ kind: 'names', names: ['a.example'] }, named],
    [{ kind: 'default' }, other],
    [{ kind: 'no-sni' }, other],
  );
  const acceptor = new TlsAcceptor(hosts);
  const { signal } = new AbortController();
  const raws = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (raw) => {
    raws.add(raw);
    acceptor.accept(raw, { signal }).catch(() => undefined);
  });
  const port = await listen(t, server);
  atEnd(t, () => {
    for (const raw of raws) raw.destroy();
  });
  // In TLS 1.2 the certificate is shown in clear.
  const hello = await capturedClientHello(t, { servername: 'A.example', maxVersion: 'TLSv1.2' });
  const [right, wrong] = [new X509Certificate(named.cert).raw, new X509Certificate(other.cert).raw];
  const misled: string[] = [];
  const expectHost = async (name: string, pieces: readonly Buffer[]): Promise<void> => {
    const answer = await answerTo(t, port, pieces);
    if (!answer.includes(right) || answer.includes(wrong)) misled.push(name);
  };
  const [header, message] = [5, hello.subarray(5)];
  for (let at = 1; at < hello.length; at++) {
    await expectHost(`segments at ${at}`, [hello.subarray(0, at), hello.subarray(at)]);
    if (at <= header) continue;
    const parts = [message.subarray(0, at - header), message.subarray(at - header)];
    await expectHost(`records at ${at}`, [
      Buffer.concat(parts.map((part) => record(recordType.handshake, part))),
    ]);
  }
  await expectHost('a byte a record', [splitIntoRecords(hello, 1)]);
  await expectHost(
    'a byte a segment',
    Array.from(hello, (byte) => Buffer.from([byte])),
  );
  t.strictSame(misled, []);
});
