// The upstream's catalogue for a command: a session of auth_user, only where the settings have one, and only while the
// command asks.

import { SaltedPasswords } from '../auth/scram-keys.ts';
import { parseSecret } from '../auth/secret.ts';
import type { ByteString } from '../base/bytestring.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { Passwords } from '../config/secrets.ts';
import type { Snapshot } from '../config/snapshot.ts';
import { Dialer } from '../session/dial.ts';
import { NO_CATALOG, type UpstreamCatalog } from '../session/upstream-catalog.ts';
import { createLogger } from '../telemetry/log.ts';

/** Runs `ask` with the catalogue that the settings name. The session begins with the first question. */
export async function withCatalog<T>(
  snapshot: Snapshot,
  ask: (catalog: UpstreamCatalog) => Promise<T>,
): Promise<T> {
  if (snapshot.settings.auth_user === '') return await ask(NO_CATALOG);
  const opened: Catalog[] = [];
  const catalog = (): Catalog => {
    const [known] = opened;
    if (known !== undefined) return known;
    const made = new Catalog({
      config: { current: snapshot },
      dialer: new Dialer(() => []),
      salted: new SaltedPasswords(),
      log: createLogger('silent'),
    });
    opened.push(made);
    return made;
  };
  try {
    return await ask({
      memberships: async (asked, signal) => await catalog().memberships(asked, signal),
      secretOf: async (user, asker, asked, signal) => await catalog().secretOf(user, asker, asked, signal),
    });
  } finally {
    for (const each of opened) each.close();
  }
}

/**
 * What passwords are checked with, the secret included that auth_query has of a user who is not in auth_file.
 *
 * @throws GatehouseError `secrets-unavailable`, or the signal's reason
 */
export async function passwordsFor(
  snapshot: Snapshot,
  user: ByteString,
  catalog: UpstreamCatalog,
  signal: AbortSignal,
): Promise<Passwords | null> {
  const { passwords, settings } = snapshot;
  if (passwords === null || settings.auth_query === '' || passwords.secrets.has(user)) return passwords;
  const text = await catalog.secretOf(user, '', snapshot, signal);
  if (text === null) return passwords;
  return { ...passwords, secrets: new Map([...passwords.secrets, [user, parseSecret(text)]]) };
}
