// The beginning of a connection: clear text or TLS, asked for or begun directly, up to the client's first packet. The
// part of connection.ts that composes these steps.

import { ByteReader } from '../base/byte-reader.ts';
import { GatehouseError } from '../base/errors.ts';
import { ACCEPT_SSL, REFUSE_ENCRYPTION } from '../protocol/encryption-request.ts';
import { offeredFields } from '../tls/handshake/client-hello.ts';
import type { Connection } from './connection.ts';
import { beginsWithTls, readOpening, refuseSurplus, type Opening } from './opening.ts';
import { logTls } from './report.ts';

/** What a session begins with. */
export type StartupPacket = Extract<Opening, { kind: 'startup' }>;

/** The other thing that a client may want. */
export type CancelPacket = Extract<Opening, { kind: 'cancel' }>;

/**
 * Answers SSLRequest, GSSENCRequest and direct TLS until the packet comes that says what the client wants.
 *
 * @throws GatehouseError what readOpening, refuseSurplus and the TLS handshake throw, or the life's reason
 */
export async function negotiate(connection: Connection): Promise<StartupPacket | CancelPacket> {
  const { gate, life, raw } = connection;
  const state = { sslDone: false, gssDone: false };
  let reader = new ByteReader(raw, life.signal);
  try {
    if (await beginsWithTls(reader)) {
      await startTls(connection, reader);
      if (connection.log.tls?.alpn === null) {
        throw new GatehouseError('direct-tls-without-alpn', {
          message: 'received direct SSL connection request without ALPN protocol negotiation extension',
          fields: offeredFields(connection.log.tls?.hello() ?? null),
        });
      }
      reader = new ByteReader(connection.client, life.signal);
    }
    for (;;) {
      const opening = await readOpening(reader, state);
      gate.strangers.progress(life);
      switch (opening.kind) {
        case 'ssl-request':
          if (gate.snapshot().acceptor === null || connection.log.tls !== null) {
            connection.client.write(REFUSE_ENCRYPTION);
            refuseSurplus(reader, opening.kind);
            break;
          }
          raw.write(ACCEPT_SSL);
          // What came after the request is the start of the handshake, or breaks it.
          await startTls(connection, reader);
          state.gssDone = true;
          reader = new ByteReader(connection.client, life.signal);
          break;
        case 'gss-request':
          connection.client.write(REFUSE_ENCRYPTION);
          refuseSurplus(reader, opening.kind);
          break;
        case 'cancel':
        case 'startup':
          return opening;
        default:
          return opening satisfies never;
      }
    }
  } finally {
    reader.release();
  }
}

/**
 * The TLS handshake. From then on the gate speaks to the client through the TLS socket.
 *
 * @param reader of the TCP connection; it is released
 */
async function startTls(connection: Connection, reader: ByteReader): Promise<void> {
  const { gate, raw, life, log } = connection;
  const { acceptor } = gate.snapshot();
  if (acceptor === null) throw new GatehouseError('direct-tls-disabled');
  const since = performance.now();
  const { session: tls, material } = await gate.strangers.handshake(life, connection.block, (ready) =>
    acceptor.accept(raw, { signal: life.signal, ready, reader }),
  );
  connection.material = material;
  connection.client = tls.socket;
  log.tls = tls;
  logTls(gate, log, tls);
  gate.metrics.tlsHandshake((performance.now() - since) / 1000, tls.version, tls.cipher);
}
