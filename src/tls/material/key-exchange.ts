// What may be negotiated: versions, groups, Diffie-Hellman parameters and ciphers, each checked by OpenSSL alone, so
// that the error names the setting (semantics §2.2, steps between the key and the CA).

import type { TlsSettings, TlsSource, TlsVersion } from '../settings.ts';
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls';
import type { Problem } from '../../base/problems.ts';
import type { SourceReader } from '../../base/sources.ts';
import { nodeCiphers, tls12CipherList, tls13Suites } from './cipher-lists.ts';
import { readDhParameters } from './dh-parameters.ts';
import { refusalAt } from './load-problem.ts';

const versionOrder: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];

/** What an empty ssl_max_protocol_version means. */
const NEWEST_VERSION: TlsVersion = 'TLSv1.3';

/** The newest version that may be negotiated. */
export function newestVersion({ ssl_max_protocol_version: version }: TlsSettings): TlsVersion {
  return version === '' ? NEWEST_VERSION : version;
}

/**
 * The part of Node's options that decides on versions and algorithms.
 *
 * The security level is OpenSSL's own, as in PostgreSQL: on OpenSSL 3 TLSv1 and TLSv1.1 work only when
 * ssl_ciphers holds `@SECLEVEL=0`, whatever ssl_min_protocol_version says.
 * @throws LoadError with PostgreSQL's text for the first setting that is wrong, in PostgreSQL's order
 */
export async function loadKeyExchange(settings: TlsSource, reader: SourceReader): Promise<TlsOptions> {
  const { ssl_min_protocol_version: minVersion } = settings;
  const maxVersion = newestVersion(settings);
  if (versionOrder.indexOf(minVersion) > versionOrder.indexOf(maxVersion)) {
    throw refusalAt(settings, 'ssl_min_protocol_version')('could not set SSL protocol version range', {
      detail: '"ssl_min_protocol_version" cannot be higher than "ssl_max_protocol_version"',
    });
  }
  const dhparam = await loadDhParameters(settings, reader);
  checkGroups(settings);
  checkCiphers(settings);
  return {
    minVersion,
    maxVersion,
    dhparam,
    ecdhCurve: settings.ssl_groups,
    ciphers: nodeCiphers(settings.ssl_ciphers, settings.ssl_tls13_ciphers),
    honorCipherOrder: settings.ssl_prefer_server_ciphers,
  };
}

/** OpenSSL 3 refuses the older versions' signatures at every security level above 0. */
const NEEDS_LEVEL_0: readonly TlsVersion[] = ['TLSv1', 'TLSv1.1'];

/** What loads and yet does not do what it says. */
export function keyExchangeWarnings(settings: TlsSource): readonly Problem[] {
  const { placeOf, ssl_min_protocol_version: minProtocolVersion, ssl_ciphers: ciphers } = settings;
  if (!NEEDS_LEVEL_0.includes(minProtocolVersion) || /@SECLEVEL=0(?!\d)/.test(ciphers)) return [];
  const message = `"ssl_min_protocol_version" allows ${minProtocolVersion}, which OpenSSL refuses at this security level`;
  const hint = 'Append :@SECLEVEL=0 to ssl_ciphers, for as long as such clients must be served.';
  const { file, line } = placeOf('ssl_min_protocol_version');
  return [{ file, line, message, hint }];
}

async function loadDhParameters(settings: TlsSource, reader: SourceReader): Promise<string> {
  const { ssl_dh_params_file: dhParamsFile } = settings;
  // OpenSSL's own groups, chosen by the size of the server's key: stands for PostgreSQL's built-in 2048-bit one.
  if (dhParamsFile === '') return 'auto';
  const refuse = refusalAt(settings, 'ssl_dh_params_file', dhParamsFile);
  const dhparam = await readDhParameters(dhParamsFile, { reader, refuse });
  if (!accepts({ dhparam })) throw refuse('DH: could not set DH parameters: dh key too small');
  return dhparam;
}

function checkGroups(settings: TlsSource): void {
  const { ssl_groups: groups } = settings;
  // To Node `auto` means not to set any, and OpenSSL 3.5 takes an empty list; to PostgreSQL neither is a group.
  if (groups !== '' && groups !== 'auto' && accepts({ ecdhCurve: groups })) return;
  throw refusalAt(settings, 'ssl_groups')(
    'could not set group names specified in ssl_groups: No valid groups found',
    {
      hint: 'Ensure that each group name is spelled correctly and supported by the installed version of OpenSSL.',
    },
  );
}

function checkCiphers(settings: TlsSource): void {
  const { ssl_ciphers: ciphers, ssl_tls13_ciphers: tls13Ciphers } = settings;
  // An empty list would make Node fall back on its own.
  if (ciphers === '' || !accepts({ ciphers: tls12CipherList(ciphers) })) {
    const refuse = refusalAt(settings, 'ssl_ciphers');
    throw refuse('could not set the TLSv1.2 cipher list (no valid ciphers available)');
  }
  const suites = tls13Suites(tls13Ciphers);
  if (tls13Ciphers !== '' && (suites.length === 0 || !accepts({ ciphers: suites.join(':') }))) {
    const refuse = refusalAt(settings, 'ssl_tls13_ciphers');
    throw refuse('could not set the TLSv1.3 cipher suites (no valid ciphers available)');
  }
}

function accepts(options: SecureContextOptions): boolean {
  try {
    createSecureContext({ ca: [], ...options });
    return true;
  } catch {
    return false;
  }
}
