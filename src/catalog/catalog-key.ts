// Which catalogue a state means. Two states with the same key may share a session and its answers.

import { createHash } from 'node:crypto';
import { formatScramSecret, type Secret } from '../auth/secret.ts';
import { fromText } from '../base/bytestring.ts';
import type { Snapshot } from '../config/snapshot.ts';

const keys = new WeakMap<Snapshot, string>();

/** The key of a state; '' = it asks no catalogue. SECURITY: a secret is in it as a digest, so it is for no log. */
export function catalogKey(snapshot: Snapshot): string {
  const { settings, passwords } = snapshot;
  if (settings.auth_user === '') return '';
  const known = keys.get(snapshot);
  if (known !== undefined) return known;
  const { host, port, allow_remote: allowRemote } = settings.upstream;
  const secret = passwords?.secrets.get(fromText(settings.auth_user));
  const parts = [
    host,
    port,
    allowRemote,
    settings.auth_user,
    settings.auth_dbname,
    settings.auth_query,
    secret === undefined ? null : textOf(secret),
  ];
  const key = createHash('sha256').update(JSON.stringify(parts)).digest('base64');
  keys.set(snapshot, key);
  return key;
}

function textOf(secret: Secret): string {
  switch (secret.kind) {
    case 'none':
      return '';
    case 'plain':
      return `plain ${secret.password}`;
    case 'md5':
      return secret.hash;
    case 'scram':
      return formatScramSecret(secret.scram);
    default:
      return secret satisfies never;
  }
}
