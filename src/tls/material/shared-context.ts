// One SecureContext for one state of the ssl_* files. Each that Node makes reads the revocation lists anew: a list of
// 100,000 entries costs it 50 ms of the thread and 20 MB that V8 does not see.

import { createSecureContext, type SecureContext, type Server, type TlsOptions } from 'node:tls';

const contexts = new WeakMap<TlsOptions, SecureContext>();

/**
 * Remembers the context that a server has made of these options.
 *
 * Node keeps it in a property that it does not document. Where that is gone, a second context is made when one is asked
 * for: the same answers, at twice the memory. The server's own handshakes do not depend on it.
 */
export function shareContextOf(server: Server, options: TlsOptions): void {
  const context: unknown = Reflect.get(server, '_sharedCreds');
  if (isSecureContext(context)) contexts.set(options, context);
}

/** The context of these very options, made now if nothing has made it before. Throws what OpenSSL says against them. */
export function contextFor(options: TlsOptions): SecureContext {
  let context = contexts.get(options);
  if (context === undefined) {
    context = createSecureContext(options);
    contexts.set(options, context);
  }
  return context;
}

function isSecureContext(value: unknown): value is SecureContext {
  return typeof value === 'object' && value !== null && 'context' in value;
}
