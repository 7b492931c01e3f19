// Where the upstream listens: a Unix socket, or the addresses of its host. A name is resolved when the settings are
// loaded and again when a dial has failed. It is not resolved for each session: strangers may hold the resolver's
// threads.

import { lookup } from 'node:dns/promises';
import type { Settings } from '../config/schema.ts';
import { knownAddresses } from '../base/local-addresses.ts';

/** After an answer or a failure the resolver is not asked again for this long, in milliseconds. */
const ASK_AGAIN_MS = 1_000;

/** The path of the upstream's Unix socket; null = TCP. A host that begins with `/` is a directory, as in libpq. */
export function socketPath({ host, port }: Settings['upstream']): string | null {
  return host.startsWith('/') ? `${host}/.s.PGSQL.${port}` : null;
}

interface Entry {
  readonly host: string;
  /** The last answer; null = there has been none. */
  addresses: readonly string[] | null;
  failure: unknown;
  /** performance.now() at the last answer or failure. */
  answeredAt: number;
  asking: Promise<void> | null;
}

/** Names that are being asked for in this process. Who asks meanwhile, for another dialer, shares the question. */
const questions = new Map<string, Promise<readonly string[]>>();

/**
 * The addresses that a host has now; null = it needs no resolver. A dialer that was loaded before this call has the same
 * answer by the time that it comes.
 *
 * @throws the resolver's error
 */
export async function addressesNow(host: string): Promise<readonly string[] | null> {
  if (host.startsWith('/') || knownAddresses(host) !== null) return null;
  return await lookUp(host);
}

/** The addresses of the upstream's host; one name at a time. */
export class UpstreamNames {
  #entry: Entry = newEntry('');

  /** Asks for the host's addresses where that needs a resolver. The last answer stands until the new one has come. */
  load(host: string): void {
    if (host.startsWith('/') || knownAddresses(host) !== null) return;
    const entry = this.#entryOf(host);
    entry.answeredAt = -Infinity;
    // The first dial that fails asks at once, even when this answer is fresh.
    void ask(entry).then(() => (entry.answeredAt = -Infinity));
  }

  /** @throws the resolver's error, when there has never been an answer */
  async addresses(host: string): Promise<readonly string[]> {
    const known = knownAddresses(host);
    if (known !== null) return known;
    const entry = this.#entryOf(host);
    if (entry.addresses === null) await ask(entry);
    if (entry.addresses === null) throw entry.failure;
    return entry.addresses;
  }

  /**
   * Asks again after a dial has failed, and returns the addresses where they differ from those tried.
   *
   * @returns null = nothing new
   */
  async changedSince(host: string, tried: readonly string[]): Promise<readonly string[] | null> {
    if (knownAddresses(host) !== null) return null;
    const entry = this.#entryOf(host);
    await ask(entry);
    const { addresses } = entry;
    return addresses === null || addresses.join() === tried.join() ? null : addresses;
  }

  #entryOf(host: string): Entry {
    if (this.#entry.host !== host) this.#entry = newEntry(host);
    return this.#entry;
  }
}

function newEntry(host: string): Entry {
  return { host, addresses: null, failure: null, answeredAt: -Infinity, asking: null };
}

/** Asks one question at a time, and none where the last answer is fresh. Never rejects. */
async function ask(entry: Entry): Promise<void> {
  if (performance.now() - entry.answeredAt < ASK_AGAIN_MS) return;
  entry.asking ??= resolve(entry);
  await entry.asking;
}

async function resolve(entry: Entry): Promise<void> {
  try {
    entry.addresses = await lookUp(entry.host);
  } catch (error) {
    entry.failure = error;
  }
  entry.answeredAt = performance.now();
  entry.asking = null;
}

/** As libpq asks: every family, whatever addresses this machine has itself. */
function lookUp(host: string): Promise<readonly string[]> {
  const known = questions.get(host);
  if (known !== undefined) return known;
  const asked = lookup(host, { all: true })
    .then((found) => found.map(({ address }) => address))
    .finally(() => questions.delete(host));
  questions.set(host, asked);
  return asked;
}
