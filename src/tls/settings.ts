// The ssl_* settings as the TLS side needs them; config/ fills them in.

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';

/** The ssl_* settings; names and meanings are PostgreSQL's. Paths absolute; '' = not set. */
export interface TlsSettings {
  readonly enabled: boolean;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly crlFile: string;
  readonly crlDir: string;
  readonly ciphers: string;
  readonly tls13Ciphers: string;
  readonly preferServerCiphers: boolean;
  readonly groups: string;
  readonly minProtocolVersion: TlsVersion;
  readonly maxProtocolVersion: TlsVersion | '';
  readonly dhParamsFile: string;
  readonly passphraseCommand: string;
  readonly passphraseCommandSupportsReload: boolean;
}

/** What the loading of TLS material reads: the settings, and where a problem with one of them is reported. */
export interface TlsSource {
  /** Absolute path of the YAML file. */
  readonly file: string;
  readonly tls: TlsSettings;
  /** Line of the YAML file on which a key stands; null where it is a default. */
  readonly lineOf: (key: string) => number | null;
}
