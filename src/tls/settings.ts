// The settings that TLS is made by. This room knows no other setting, and not where they are read.

import type { SettingPlace } from '../base/problems.ts';

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** The ssl_* settings, with PostgreSQL's names and meanings. Paths are absolute; '' is not set. */
export interface TlsSettings {
  readonly ssl_cert_file: string;
  readonly ssl_key_file: string;
  readonly ssl_ca_file: string;
  readonly ssl_crl_file: string;
  readonly ssl_crl_dir: string;
  readonly ssl_ciphers: string;
  readonly ssl_tls13_ciphers: string;
  readonly ssl_prefer_server_ciphers: boolean;
  readonly ssl_groups: string;
  readonly ssl_min_protocol_version: TlsVersion;
  readonly ssl_max_protocol_version: TlsVersion | '';
  readonly ssl_dh_params_file: string;
  readonly ssl_passphrase_command: string;
  readonly ssl_passphrase_command_supports_reload: boolean;
}

/** The settings that a line of pg_hosts.conf has for its hosts. */
export type CertificateSettings = Pick<
  TlsSettings,
  | 'ssl_cert_file'
  | 'ssl_key_file'
  | 'ssl_ca_file'
  | 'ssl_passphrase_command'
  | 'ssl_passphrase_command_supports_reload'
>;

/** Those, and where a problem with one of them is reported: the YAML file, or the line of pg_hosts.conf. */
export type CertificateSource = CertificateSettings &
  Pick<TlsSource, 'file' | 'placeOf'> & {
    /** They stand on a line of pg_hosts.conf: a hint then names its fields and not the settings. */
    readonly isHostLine?: true;
  };

/** The settings, and where a problem with one of them is reported. */
export interface TlsSource extends TlsSettings {
  /** Absolute path of the YAML file. */
  readonly file: string;
  /** Where a key's value was read. */
  readonly placeOf: (key: string) => SettingPlace;
}
