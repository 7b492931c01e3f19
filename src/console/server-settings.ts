// The settings that clients of PostgreSQL ask for and the gate has none of its own of.

/** What a client is told at login, beside server_version. */
export const REPORTED_SETTINGS: readonly (readonly [name: string, value: string])[] = [
  ['server_encoding', 'UTF8'],
  ['client_encoding', 'UTF8'],
  ['DateStyle', 'ISO, MDY'],
  ['TimeZone', 'UTC'],
  ['IntervalStyle', 'postgres'],
  ['standard_conforming_strings', 'on'],
  ['integer_datetimes', 'on'],
  ['is_superuser', 'off'],
  ['in_hot_standby', 'off'],
  ['default_transaction_read_only', 'on'],
  ['application_name', ''],
];

/** By their names in lower case, as SHOW and current_setting take them. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(REPORTED_SETTINGS.map(([name, value]) => [name.toLowerCase(), value])),
  server_version_num: '180000',
  transaction_isolation: 'read committed',
  transaction_read_only: 'on',
  default_transaction_isolation: 'read committed',
  search_path: 'pg_catalog',
  max_identifier_length: '63',
  extra_float_digits: '1',
  statement_timeout: '5s',
};

/**
 * What drivers decide by, which know PostgreSQL's numbers only: the tables are those of PostgreSQL 18.
 *
 * @param version the gate's own
 */
export function serverVersion(version: string): string {
  return `18.0 (pg-gatehouse ${version})`;
}
