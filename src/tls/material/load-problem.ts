// How the loading of TLS material says no: one problem, at the line of the YAML file that names what is wrong,
// in PostgreSQL's words (semantics §2.2).

import { systemErrors } from '../../base/system-error.ts';
import type { TlsSource } from '../settings.ts';
import { LoadError } from '../../base/problems.ts';

/** Makes the error for one setting; the caller throws it. */
export type Refuse = (
  message: string,
  extra?: { readonly detail?: string; readonly hint?: string },
) => LoadError;

/**
 * @param key the YAML key that is to blame, such as `ssl_cert_file`
 * @param file the file it names; blamed itself where the setting is a default and stands on no line
 */
export function refusalAt(
  settings: Pick<TlsSource, 'file' | 'placeOf'>,
  key: string,
  file: string = settings.file,
): Refuse {
  const place = settings.placeOf(key);
  const blamed = place.source === 'default' ? file : place.file;
  return (message, extra = {}) => new LoadError([{ file: blamed, line: place.line, message, ...extra }]);
}

/**
 * What PostgreSQL would print after the colon: strerror's words for a system error, OpenSSL's reason for one of
 * OpenSSL's, and `fallback` where Node gives neither. Never Node's own message, which may quote what was read.
 */
export function errorWords(error: unknown, fallback: string): string {
  return errorWord(error, 'reason') ?? systemErrors[errorWord(error, 'code') ?? ''] ?? fallback;
}

/** One of the properties that Node adds to its errors; undefined when it did not. */
function errorWord(error: unknown, property: 'code' | 'reason'): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const value: unknown = Reflect.get(error, property);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
