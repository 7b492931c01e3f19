// From the lines of pg_hosts.conf to what their clients are served with (contract §11, sni.md §2.2).

import type { Problem } from '../base/problems.ts';
import type { HostRecord } from '../rules/hosts.ts';
import { labelOf, TlsHosts } from './hosts.ts';
import { loadMaterials, loadTls, type LoadOptions } from './load-tls.ts';
import type { CertificateSource, TlsSource } from './settings.ts';
import type { TlsMaterial } from './types.ts';

/** One certificate for every client, whatever host it names. */
function forEveryHost(
  settings: Pick<TlsSource, 'ssl_cert_file' | 'ssl_ca_file'>,
  material: TlsMaterial,
  choosesByName = false,
): TlsHosts {
  const { ssl_cert_file: certFile, ssl_ca_file: caFile } = settings;
  return new TlsHosts(choosesByName, [
    { names: { kind: 'default' }, label: null, certFile, caFile, material },
  ]);
}

/**
 * Reads and checks what the lines name, and what all hosts have in common. Without a line the ssl_* settings are the
 * default host.
 *
 * @param records null = ssl_sni is off
 * @throws LoadError as loadTls; what is wrong with a line's files is reported at that line
 */
export async function loadTlsHosts(
  settings: TlsSource,
  records: readonly HostRecord[] | null,
  options: LoadOptions,
): Promise<TlsHosts> {
  if (records === null || records.length === 0)
    return forEveryHost(settings, await loadTls(settings, options), records !== null);
  // Lines that name the same files share what is made of them; what is wrong is reported at the first of them.
  const first = new Map<string, HostRecord>();
  for (const record of records) if (!first.has(filesOf(record))) first.set(filesOf(record), record);
  const loaded = await loadMaterials(settings, [...first.values()].map(sourceOf), options);
  const materials = new Map([...first.keys()].map((files, index) => [files, loaded[index]]));
  return new TlsHosts(
    true,
    records.map((record) => {
      const { hosts: names, certFile, caFile } = record;
      const material = materials.get(filesOf(record));
      if (material === undefined) throw new Error('a host was not loaded');
      return { names, label: labelOf(names), certFile, caFile, material };
    }),
  );
}

/** What of a line decides what is loaded for it. */
function filesOf({ file: _file, line: _line, hosts: _hosts, ...rest }: HostRecord): string {
  return JSON.stringify(rest);
}

/** SECURITY: nothing of it comes from the ssl_* settings: a line without a CA asks for no certificate. */
function sourceOf(record: HostRecord): CertificateSource {
  return {
    ssl_cert_file: record.certFile,
    ssl_key_file: record.keyFile,
    ssl_ca_file: record.caFile,
    ssl_passphrase_command: record.passphraseCommand,
    ssl_passphrase_command_supports_reload: record.passphraseCommandSupportsReload,
    isHostLine: true,
    file: record.file,
    placeOf: () => ({ source: 'configuration file', file: record.file, line: record.line }),
  };
}

/** Warns of the settings that the lines of pg_hosts.conf stand for, where someone has written them. */
export function idleSettings(
  { placeOf }: Pick<TlsSource, 'placeOf'>,
  hostsFile: string,
  records: readonly HostRecord[],
): Problem[] {
  if (records.length === 0) return [];
  return ['ssl_ca_file', 'ssl_passphrase_command'].flatMap((name) => {
    const { source, file, line } = placeOf(name);
    if (source === 'default') return [];
    const message = `"${name}" is not used: each line of "${hostsFile}" has its own, or none`;
    return [{ file, line, message, hint: 'Write it into the lines that need it.' }];
  });
}
