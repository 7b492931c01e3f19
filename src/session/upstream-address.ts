// Where the upstream listens: a Unix socket, or the addresses of its host. A name is resolved when the settings are
// loaded and again when a dial has failed, never for each session: the resolver's few threads may be held by strangers.

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

/** The addresses of the upstream's host; one name at a time. */
export class UpstreamNames {
  #entry: Entry = newEntry('');

  /** Asks for the host's addresses, where they need a resolver; an answer that is known stays until the new one is here. */
  load(host: string): void {
    if (host.startsWith('/') || knownAddresses(host) !== null) return;
    const entry = this.#entryOf(host);
    entry.answeredAt = -Infinity;
    // The first dial that fails asks at once, however fresh this answer is.
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
   * After a dial has failed: asks again, and gives the addresses where they are others than those tried.
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

/** One question at a time, and none where the last answer is fresh. Never rejects. */
async function ask(entry: Entry): Promise<void> {
  if (performance.now() - entry.answeredAt < ASK_AGAIN_MS) return;
  entry.asking ??= resolve(entry);
  await entry.asking;
}

/** As libpq asks: every family, whatever addresses this machine has itself. */
async function resolve(entry: Entry): Promise<void> {
  try {
    const found = await lookup(entry.host, { all: true });
    entry.addresses = found.map(({ address }) => address);
  } catch (error) {
    entry.failure = error;
  }
  entry.answeredAt = performance.now();
  entry.asking = null;
}
