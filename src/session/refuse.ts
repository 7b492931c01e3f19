// The end of a connection that is not relayed: one ErrorResponse where it is refused, flushed, then the close.

import type { Socket } from 'node:net';
import { fromText } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { offeredFields } from '../tls/handshake/client-hello.ts';
import { encodeFatal } from '../protocol/error-response.ts';
import type { HbaRecord } from '../rules/types.ts';
import type { ClientCertificate, ClientHelloFacts } from '../tls/types.ts';
import { certificateFields } from './certificate-fields.ts';

/** How long a client may take to read its answer and close, in milliseconds. */
const LINGER_MS = 3_000;

/** The ErrorResponse for an error; null where the client is told nothing. */
export function errorResponse(error: GatehouseError): Buffer | null {
  if (error.reply === null || error.sqlstate === null) return null;
  return encodeFatal({
    sqlstate: error.sqlstate,
    message: error.reply,
    detail: error.replyDetail === null ? null : fromText(error.replyDetail),
    hint: error.replyHint === null ? null : fromText(error.replyHint),
  });
}

/**
 * Sends `answer`, closes the sending side and waits until the client has closed too. What it still sends is read
 * and dropped: if bytes were left unread, the kernel would send a reset, which can swallow the answer.
 *
 * @param client raw or TLS socket that no other code reads; destroyed when this returns
 * @param signal ends the wait at once, unless it is why the connection ends
 */
export async function sendAndClose(
  client: Socket,
  answer: Buffer | null,
  signal: AbortSignal,
): Promise<void> {
  if (client.destroyed) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    client.once('close', done);
    client.once('error', done);
    client.once('end', () => {
      if (client.writableFinished) done();
      else client.once('finish', done);
    });
    client.resume();
    if (answer === null) client.end();
    else client.end(answer);
  });
  client.destroy();
}

/**
 * The refusal of a certificate that was presented and does not verify: told inside TLS, unless `silent`, and logged as
 * PostgreSQL does.
 *
 * @param options.inClear the line that would admit the same client without TLS. SECURITY: the client is not told then,
 *   for an error inside TLS makes libpq and pgJDBC come again in clear text (contract §7.38).
 */
export function unverifiedCertificate(
  certificate: Extract<ClientCertificate, { state: 'unverified' }>,
  hello: ClientHelloFacts | null,
  { silent = false, inClear = null }: { readonly silent?: boolean; readonly inClear?: HbaRecord | null } = {},
): GatehouseError {
  const { code, reason, facts, detail } = certificate;
  return new GatehouseError(code, {
    ...(silent || inClear !== null
      ? {}
      : { reply: fromText(`client certificate verification failed: ${reason}`) }),
    message:
      code === 'client-cert-nul-in-name'
        ? "SSL certificate's common name contains embedded null"
        : 'could not accept SSL connection: certificate verify failed',
    ...(inClear === null ? {} : { hint: untold(inClear) }),
    detail: fromText(detail),
    fields: {
      reason,
      ...(facts === null ? {} : { certificate: certificateFields(facts) }),
      ...offeredFields(hello),
    },
  });
}

function untold({ file, line }: HbaRecord): string {
  return `The client was not told: ${file}:${line} would admit it without TLS, and an error makes some clients come back in clear text.`;
}

/**
 * The refusal of a handshake made with certificates that are no longer in force (contract §7.32). A client that
 * connects again gets the new ones.
 */
export function staleHandshake(
  hello: ClientHelloFacts | null,
  { silent = false }: { readonly silent?: boolean } = {},
): GatehouseError {
  return new GatehouseError('stale-handshake', {
    isSilent: silent,
    fields: offeredFields(hello),
  });
}
