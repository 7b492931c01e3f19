// ssl_crl_file and ssl_crl_dir: either, or both together (semantics §2.8, contract §7.17).

import { readCrlDirectory, readCrlFile, type CrlSet } from './crl.ts';
import { refusalAt, type Refuse, type TlsSource } from './refusal.ts';

/**
 * @returns no list when neither is set, and otherwise at least one
 * @throws LoadError with PostgreSQL's text
 */
export async function loadRevocationLists(settings: TlsSource): Promise<CrlSet> {
  const { crlFile, crlDir } = settings.tls;
  const sets: CrlSet[] = [];
  if (crlFile !== '') {
    const refuse = refusalAt(settings, 'ssl_crl_file', crlFile);
    sets.push(await readCrlFile(crlFile, crlDir === '' ? refuse : namingBoth(refuse, crlFile, crlDir)));
  }
  if (crlDir !== '') {
    const refuse = refusalAt(settings, 'ssl_crl_dir', crlDir);
    sets.push(await readCrlDirectory(crlDir, crlFile === '' ? refuse : namingBoth(refuse, crlFile, crlDir)));
  }
  return {
    crls: sets.flatMap((set) => set.crls),
    pems: sets.flatMap((set) => set.pems),
    files: sets.flatMap((set) => set.files),
  };
}

/** With both set PostgreSQL loads them in one call, and its error names both. */
function namingBoth(refuse: Refuse, crlFile: string, crlDir: string): Refuse {
  const places = [`list file "${crlFile}"`, `list directory "${crlDir}"`];
  return (message, extra) => {
    const place = places.find((candidate) => message.includes(candidate)) ?? '';
    return refuse(
      message.replace(place, () => `list file "${crlFile}" or directory "${crlDir}"`),
      extra,
    );
  };
}
