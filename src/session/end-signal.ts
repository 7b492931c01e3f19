// One connection's deadline and its other ways of being ended from outside, as one AbortSignal whose reason is the
// GatehouseError to end with.

import type { Socket } from 'node:net';
import { GatehouseError } from '../base/errors.ts';

/** Ends all waits of a connection: by time, by eviction, by an administrator. The first reason stands. */
export class EndSignal {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | null = null;

  /** Aborted with a GatehouseError as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the connection with `reason`, unless it has ended already. */
  end(reason: GatehouseError): void {
    this.clear();
    this.#controller.abort(reason);
  }

  /** Ends the connection with what `reason` returns in `afterMs` milliseconds, unless `clear` comes first. */
  endAfter(afterMs: number, reason: () => GatehouseError): void {
    this.clear();
    this.#timer = setTimeout(() => this.end(reason()), afterMs);
  }

  /** The deadline does not keep the process from ending. */
  unref(): void {
    this.#timer?.unref();
  }

  /** Stops the deadline; the signal stays. */
  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/**
 * Ends the connection when its client closes or is lost. Nothing is taken from the client: what it has sent stays in
 * the socket's buffer, which reads no more than its high-water mark.
 *
 * @param client no other code reads it until the watch is stopped
 * @returns stops watching
 */
export function endWhenGone(client: Socket, life: EndSignal): () => void {
  const onGone = (): void => life.end(new GatehouseError('client-gave-up'));
  // Makes a stream that has ended report it, and takes nothing.
  const onReadable = (): void => void client.read(0);
  client.on('readable', onReadable).on('end', onGone).on('close', onGone);
  if (client.destroyed || client.readableEnded) onGone();
  return () => void client.off('readable', onReadable).off('end', onGone).off('close', onGone);
}

/** Why an EndSignal's signal was aborted. */
export function reasonOf(signal: AbortSignal): GatehouseError {
  const reason: unknown = signal.reason;
  return reason instanceof GatehouseError ? reason : new GatehouseError('internal-error', { cause: reason });
}

/** Waits for `promise` or the signal, whichever is first. The other's outcome is ignored. */
export async function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Nothing waits for it where the signal has come before. Without this its failure would end the process.
  if (signal.aborted) promise.catch(() => {});
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(reasonOf(signal));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Destroys `socket` with the signal's reason, which its `error` listeners then get.
 *
 * @returns stops watching the signal
 */
export function destroyOnAbort(socket: Socket, signal: AbortSignal): () => void {
  const onAbort = (): void => void socket.destroy(reasonOf(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return () => signal.removeEventListener('abort', onAbort);
}
