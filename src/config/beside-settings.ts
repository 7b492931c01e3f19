// What `check` and a start say of the other parts when the settings have problems too, so that one run reports everything.

import type { Problem } from '../base/problems.ts';
import { RecordingFileSystem } from './files.ts';
import { readSettings, type ReadSettings } from './load.ts';
import type { Overrides } from './overrides.ts';
import { attemptMaps, attemptRules, attemptTls, type Part } from './parts.ts';
import { tlsNames } from './unchanged.ts';

/** Each part's file, without which there is nothing to say of it, and the settings that it is read by. */
const readBy: Readonly<Record<Exclude<Part, 'settings'>, readonly [file: string, ...settings: string[]]>> = {
  tls: ['ssl_cert_file', ...tlsNames],
  rules: ['hba_file', 'ssl', 'roles', 'auth_user', 'auth_file'],
  maps: ['ident_file', 'roles', 'auth_user'],
};

/**
 * The problems of the other parts beside those of the settings. A part is read only if its file is named and its own
 * settings are right. Otherwise the problem might be in a file that the operator never meant.
 *
 * @param file path of the YAML file
 * @param overrides what goes over it
 */
export async function problemsBesideSettings(
  file: string,
  overrides: Overrides,
): Promise<readonly Problem[]> {
  let read: ReadSettings;
  try {
    const fs = new RecordingFileSystem();
    await fs.fetch(file);
    read = readSettings(file, fs, overrides);
  } catch {
    return []; // told by attemptSettings
  }
  const { settings, isWritten, isWrong } = read;
  const isSound = (part: keyof typeof readBy): boolean =>
    isWritten(readBy[part][0]) && !readBy[part].some(isWrong);
  const attempts = [
    ...(isSound('tls') ? [await attemptTls(settings, { reload: false })] : []),
    ...(isSound('rules') ? [await attemptRules(settings)] : []),
    ...(isSound('maps') ? [await attemptMaps(settings)] : []),
  ];
  return attempts.flatMap((part) => (part.ok ? [] : part.problems));
}
