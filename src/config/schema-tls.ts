// The ssl_ settings of the database's port, a part of schema.ts.

import { boolean, oneOf, path, string } from './kinds.ts';

const TLS_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

/** PostgreSQL's settings of TLS, in their order in docs/configuration.md. */
export const tls = {
  ssl: boolean({
    default: 'on',
    doc: 'Whether clients may speak TLS. When off, an SSLRequest is answered `N` and no file below is read.',
  }),
  ssl_cert_file: path({
    default: 'server.crt',
    doc: "The server's certificate in PEM, followed by the intermediate certificates that lead to its root.",
  }),
  ssl_key_file: path({
    default: 'server.key',
    doc: "The server's private key. As with PostgreSQL it must be a regular file that is not open to others: 0600 or less when it belongs to the gate's user, 0640 or less when it belongs to root.",
  }),
  ssl_ca_file: path({
    default: "''",
    doc: 'The root certificates that client certificates must lead to. Empty: no client is asked for a certificate, and a rule that needs one refuses.',
  }),
  ssl_crl_file: path({
    default: "''",
    doc: 'Certificate revocation lists in PEM. Once this or `ssl_crl_dir` is set, every issuer in a chain, the root too, needs a current list.',
  }),
  ssl_crl_dir: path({
    default: "''",
    doc: 'A directory of revocation lists under the names that `openssl rehash` gives them. Used together with `ssl_crl_file` where both are set.',
  }),
  ssl_ciphers: string({
    default: "'HIGH:MEDIUM:+3DES:!aNULL'",
    doc: "The cipher suites for TLS 1.2 and below, as OpenSSL's list.",
  }),
  ssl_tls13_ciphers: string({
    default: "''",
    doc: "The cipher suites for TLS 1.3, separated by colons. Empty is OpenSSL's default.",
  }),
  ssl_prefer_server_ciphers: boolean({
    default: 'on',
    doc: "Whether the server's order of ciphers decides rather than the client's.",
  }),
  ssl_groups: string({
    default: "'X25519:prime256v1'",
    doc: 'The groups for the key exchange, best first, separated by colons. `ssl_ecdh_curve` is accepted as its older name; the two together are an error.',
  }),
  ssl_min_protocol_version: oneOf(TLS_VERSIONS, {
    default: 'TLSv1.2',
    doc: 'The oldest TLS version to accept.',
  }),
  ssl_max_protocol_version: oneOf(['', ...TLS_VERSIONS], {
    default: "''",
    doc: 'The newest TLS version to accept. Empty is no limit.',
  }),
  ssl_dh_params_file: path({
    default: "''",
    doc: 'Parameters for ephemeral DH with TLS 1.2 and below, in PEM. Empty is a built-in group.',
  }),
  ssl_passphrase_command: string({
    default: "''",
    doc: 'A command for the shell that prints the passphrase of `ssl_key_file`; `%p` in it becomes the prompt, `%%` a percent sign.',
  }),
  ssl_passphrase_command_supports_reload: boolean({
    default: 'off',
    doc: 'Whether the command is run at a reload as well. When off, a reload keeps the old TLS material where the key has a passphrase.',
  }),
  ssl_sni: boolean({
    default: 'off',
    doc: 'Whether the certificate is chosen by the host that the client names in its TLS handshake (SNI), as with PostgreSQL 19. `hosts_file` then says which. As soon as that file has a line, `ssl_cert_file`, `ssl_key_file`, `ssl_ca_file` and `ssl_passphrase_command` do not count. When off, the file is not read.',
  }),
  hosts_file: path({
    default: 'pg_hosts.conf',
    required: true,
    restart: true,
    doc: "The hosts and their certificates, as PostgreSQL 19's pg_hosts.conf: `hostname certificate key [CA [passphrase_command [reload]]]`. Paths in it are relative to it. A missing file is an empty one: everyone is then shown `ssl_cert_file`. What the file holds is read again at a reload.",
  }),
};
