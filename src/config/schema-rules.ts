// The settings of the rules and of what they are decided by: secrets, roles, the upstream's catalogue. A part of schema.ts.

import { integer, path, roles, string } from './kinds.ts';

const INT_MAX = 2_147_483_647;

export const rules = {
  hba_file: path({
    default: 'pg_hba.conf',
    required: true,
    doc: "The rules, as PostgreSQL's pg_hba.conf.",
  }),
  ident_file: path({
    default: 'pg_ident.conf',
    required: true,
    doc: "The user name maps, as PostgreSQL's pg_ident.conf. A missing file is an empty one.",
  }),
  auth_file: path({
    default: "''",
    doc: 'The secrets of database users, as PgBouncer\'s userlist.txt: `"alice" "SCRAM-SHA-256$…"` on a line of its own, or an MD5 hash, or the password itself. With it the gate decides the lines `password`, `md5` and `scram-sha-256` itself, and answers the upstream when it asks for the password of a user who is in the file. The file is held to the permissions of `ssl_key_file`. Empty is off: passwords are then the upstream\'s to check.',
  }),
  scram_iterations: integer({
    default: '4096',
    min: 1,
    max: INT_MAX,
    doc: 'The iterations of SCRAM-SHA-256 that a client is asked for whose user has no SCRAM secret in `auth_file`. Give it the number that your secrets have: another one tells strangers which users have a secret.',
  }),
  roles: roles({
    default: '{}',
    doc: 'The direct members of each role, for `+role` and `samerole` in the rules: `{readers: [alice, bob]}`. A role that stands here has these members and no others. Without `auth_user` whatever is not written here is a member of nothing but the role of its own name.',
  }),
  auth_user: string({
    default: "''",
    doc: 'The role as which the gate itself logs in to the upstream, to ask its catalogue who is a member of which role, and for `auth_query`. One session for the whole gate. Where the upstream asks for its password, its secret is the one in `auth_file`. It needs no rights but to log in. Empty: the catalogue is never asked.',
  }),
  auth_dbname: string({
    default: 'postgres',
    doc: 'The database to which `auth_user` logs in.',
  }),
  auth_query: string({
    default: "''",
    doc: "PgBouncer's: a query of one parameter, the user's name, that answers with one row of the name and the secret. It is asked, as `auth_user`, for users who are not in `auth_file`, at each of their logins. As with `auth_file`, the gate then decides the lines `password`, `md5` and `scram-sha-256` itself. The session's search_path is empty: write the schema of everything outside of pg_catalog. Empty is off.",
  }),
};
