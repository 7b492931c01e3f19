// One TLS handshake, from the raw socket to a session that knows its client: whether a certificate came, whether it
// verified and if not, why. The host is chosen first, from the gate's own reading of the ClientHello. A certificate that
// does not verify fails no handshake here; its owner refuses it, inside TLS and in words.

import type { Socket } from 'node:net';
import { ByteReader } from '../base/byte-reader.ts';
import { GatehouseError } from '../base/errors.ts';
import { decodeClientHello, offeredFields } from './handshake/client-hello.ts';
import { handshakeFailure } from './handshake/handshake-failure.ts';
import { HandshakeServer, serverOf, type Opening } from './handshake/handshake-server.ts';
import { peekOpeningBytes } from './handshake/opening-bytes.ts';
import { readServerName } from './handshake/server-name.ts';
import { alerts, TlsAlertError } from './handshake/tls-alert.ts';
import type { HostChoice, TlsHosts } from './hosts.ts';
import type { TlsMaterial, TlsSession } from './types.ts';

export interface AcceptOptions {
  readonly signal: AbortSignal;
  readonly ready?: () => Promise<void>;
  /** Has read the connection up to here, and may hold the handshake's first bytes; by default a new one. */
  readonly reader?: ByteReader;
}

/** A session, and what its handshake was made with. */
export interface Accepted {
  readonly session: TlsSession;
  readonly material: TlsMaterial;
}

/** Accepts TLS on connections that somebody else has accepted, with one state of the TLS files. */
export class TlsAcceptor {
  readonly #hosts: TlsHosts;
  /** Of the first host, for the versions that a refusal names. */
  readonly #material: TlsMaterial;
  /** For clients whose ClientHello cannot be read; made for the first of them. */
  #nobody: HandshakeServer | null = null;

  /** @param hosts the servers of their materials are made here, where nothing has made them before */
  constructor(hosts: TlsHosts) {
    const [first] = hosts.materials;
    if (first === undefined) throw new Error('no host');
    this.#hosts = hosts;
    this.#material = first;
    for (const material of hosts.materials) serverOf(material);
  }

  /**
   * Runs the server's side of a handshake.
   *
   * @param raw a TCP connection, paused. It is destroyed when the handshake fails, and belongs to the session's socket
   *   when it succeeds.
   * @param options.signal ends the handshake; its reason is what is then thrown
   * @param options.reader is released
   * @param options.ready called when the ClientHello is there and has a host; the handshake goes on when it has resolved
   * @throws TlsAlertError where no host is for this client: `raw` is then open, and its alert is yet to be sent
   * @throws GatehouseError `tls-…`, with what the client offered in its fields (semantics §2.10)
   */
  async accept(raw: Socket, { signal, ready, reader }: AcceptOptions): Promise<Accepted> {
    raw.on('error', ignore);
    try {
      const { bytes, ended } = await peekOpeningBytes(reader ?? new ByteReader(raw, signal));
      if (ended) throw handshakeFailure(null, bytes, this.#material);
      const opening = { bytes, serverName: readServerName(bytes) };
      const choice = this.#hosts.choose(opening.serverName);
      const refusal = refusalOf(choice, bytes);
      if (refusal !== null) throw refusal;
      await ready?.();
      if (choice.kind !== 'host') return await this.#fail(raw, opening, signal);
      const { material } = choice.host;
      const session = await serverOf(material).handshake(raw, opening, signal);
      if (this.#hosts.choosesByName) assertSameName(session);
      return { session, material };
    } catch (error) {
      if (!(error instanceof TlsAlertError)) raw.destroy();
      throw error;
    }
  }

  /**
   * Lets OpenSSL say what is wrong with bytes that the gate cannot read. SECURITY: where it reads them all the same, as
   * it does with some odd records, it has no certificate to show, and no handshake counts.
   */
  async #fail(raw: Socket, opening: Opening, signal: AbortSignal): Promise<never> {
    this.#nobody ??= new HandshakeServer(withoutCertificate(this.#material));
    const { socket } = await this.#nobody.handshake(raw, opening, signal);
    socket.destroy();
    throw callbackFailed('the gate cannot read the ClientHello', opening.bytes);
  }
}

/** The settings of a handshake, with nothing to show and nobody to trust. */
function withoutCertificate(material: TlsMaterial): TlsMaterial {
  const { cert: _cert, key: _key, passphrase: _passphrase, crl: _crl, ...options } = material.options;
  return {
    ...material,
    options: { ...options, ca: [], requestCert: false },
    requestsClientCertificate: false,
  };
}

/** PostgreSQL's answer to a client for whom there is no host (sni.md §2.3); null where OpenSSL answers. */
function refusalOf(choice: HostChoice, bytes: Uint8Array): TlsAlertError | null {
  switch (choice.kind) {
    case 'host':
    case 'unreadable':
      return null;
    case 'unknown-name':
      return alertError('tls-unrecognized-name', alerts.unrecognizedName, {
        detail:
          'no line of pg_hosts.conf has the host name that the client asks for, and there is no default',
        hint: 'A name counts letter by letter, without wildcards. A line "*" serves every other name.',
        bytes,
      });
    case 'no-name':
      return alertError('tls-unrecognized-name', alerts.handshakeFailure, {
        detail: 'no hostname provided in callback, and no fallback configured',
        hint: 'A client names none where it connects to an address. A line "/no_sni/" or "*" serves it.',
        bytes,
      });
    case 'malformed':
      return alertError('tls-handshake-failed', alerts.decodeError, {
        detail: 'the host name in the ClientHello cannot be read',
        bytes,
      });
    default:
      return choice satisfies never;
  }
}

const CALLBACK_FAILED = 'could not accept SSL connection: callback failed';

function alertError(
  code: 'tls-unrecognized-name' | 'tls-handshake-failed',
  alert: (typeof alerts)[keyof typeof alerts],
  { bytes, ...words }: { readonly detail: string; readonly hint?: string; readonly bytes: Uint8Array },
): TlsAlertError {
  const fields = offeredFields(decodeClientHello(bytes));
  return new TlsAlertError(code, alert, { message: CALLBACK_FAILED, ...words, fields });
}

function callbackFailed(detail: string, bytes: Uint8Array): GatehouseError {
  const fields = offeredFields(decodeClientHello(bytes));
  return new GatehouseError('tls-handshake-failed', { message: CALLBACK_FAILED, detail, fields });
}

/**
 * SECURITY: two readers have read the name, and the certificates are those of the gate's. Where OpenSSL has read another
 * one, as from a second ClientHello, nobody knows which host the client believes to speak to.
 */
function assertSameName({ socket, serverName, hello }: TlsSession): void {
  const read: unknown = Reflect.get(socket, 'servername');
  // Node gives the name byte for byte, and `false` where there is none.
  if (read === (serverName.kind === 'named' && serverName.name)) return;
  socket.destroy();
  throw new GatehouseError('tls-handshake-failed', {
    message: CALLBACK_FAILED,
    detail: "the client's messages name different hosts",
    fields: offeredFields(hello()),
  });
}

/** Errors of sockets are also their 'close', and those are what is waited for. */
function ignore(): void {}
