// pg_hosts.conf, read from the disk for part `tls` (contract §11).

import type { Problem } from '../base/problems.ts';
import { inSlices } from '../base/slices.ts';
import { LoadError } from '../base/problems.ts';
import type { SourceReader } from '../base/sources.ts';
import { loadHosts, type HostRecord } from '../rules/hosts.ts';
import { idleSettings } from '../tls/load-hosts.ts';
import { RecordingFileSystem } from './files.ts';
import type { Settings } from './schema.ts';
import { parseBoolean } from './units.ts';

/** The lines in force. */
export interface ReadHosts {
  /** Null = ssl_sni is off, and the file is not read. */
  readonly records: readonly HostRecord[] | null;
  readonly warnings: readonly Problem[];
}

/**
 * @param reader notes the file as read. SECURITY: it is noted as secret, because a passphrase command in it may contain
 *   the passphrase itself
 * @throws LoadError with every problem of the file
 */
export async function readHosts(settings: Settings, reader: SourceReader): Promise<ReadHosts> {
  const { ssl_sni: sni, hosts_file: hostsFile, placeOf } = settings;
  if (!sni) return { records: null, warnings: [] };
  const fs = new RecordingFileSystem({ reader, isSecret: true });
  await fs.gather(hostsFile);
  const { source, ...named } = placeOf('hosts_file');
  const place = source === 'default' ? { file: hostsFile, line: null } : named;
  try {
    const { records, missing, warnings } = await inSlices(loadHosts(hostsFile, fs, parseBoolean));
    const absent = {
      ...place,
      message: `could not open file "${hostsFile}": No such file or directory`,
      hint: 'A missing file is an empty one: "ssl_cert_file" and "ssl_ca_file" serve every client.',
    };
    return {
      records,
      warnings: [...(missing ? [absent] : []), ...warnings, ...idleSettings(settings, hostsFile, records)],
    };
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    // A problem of the whole file is reported on the line that names the file.
    throw new LoadError(
      error.problems.map((problem) =>
        problem.file === hostsFile && problem.line === null ? { ...problem, ...place } : problem,
      ),
    );
  }
}
