// Every real pg_hba.conf and pg_ident.conf: what PostgreSQL 18.4 refuses is refused in its words at its line, and
// nothing else is. The recorded build had no LDAP, PAM or GSSAPI, so its "not supported by this build" says nothing.

import { test } from 'tap';
import type { Problem } from '../../src/base/problems.ts';
import { loadHba } from '../../src/rules/hba.ts';
import { loadIdent } from '../../src/rules/ident.ts';
import {
  needsRealFiles,
  realHbaFiles,
  realIdentFiles,
  type RealError,
} from '../support/oracles/real-files.ts';
import { HBA_FILE, IDENT_FILE, memoryFiles, problemsOf } from '../support/oracles/rules.ts';

const DIRECTORY = '/etc/gate/';
const NOT_BUILT = /: not supported by this build$/;

/** What only a look past the unsupported method shows; PostgreSQL stopped at the method there. */
const shownSince: Readonly<Record<string, string>> = {
  '222:7': 'cannot use ldapsearchattribute together with ldapsearchfilter',
  '264:2':
    'authentication method "ldap" requires argument "ldapbasedn", "ldapprefix", or "ldapsuffix" to be set',
  '265:2': 'unrecognized authentication option name: "radiusserver"',
  '257:2': 'authentication option not in name=value format: sameuser',
};

const worded = ({ line, message }: Pick<Problem, 'line' | 'message'>) =>
  `${line}: ${message.replaceAll(DIRECTORY, '')}`;

function due(id: number, errors: readonly RealError[]): string[] {
  return errors.flatMap((error) => {
    const since = shownSince[`${id}:${error.line}`];
    if (since !== undefined) return [`${error.line}: ${since}`];
    return NOT_BUILT.test(error.message) ? [] : [worded(error)];
  });
}

await test('pg_hba.conf', needsRealFiles, (t) => {
  const files = realHbaFiles();
  t.ok(files.length > 200, `${files.length} files`);
  for (const { id, text, errors, files: included = {} } of files) {
    const beside = Object.entries(included).map(
      ([name, content]) => [`${DIRECTORY}${name}`, content] as const,
    );
    const fs = memoryFiles({ [HBA_FILE]: text, ...Object.fromEntries(beside) });
    const problems = problemsOf(() => loadHba(HBA_FILE, fs, { ssl: true, roles: new Map() }));
    t.same(problems.map(worded), due(id, errors), `file ${id}`);
  }
  t.end();
});

await test('pg_ident.conf', needsRealFiles, (t) => {
  const files = realIdentFiles();
  t.ok(files.length > 20, `${files.length} files`);
  for (const { id, text, errors } of files) {
    const problems = problemsOf(() => loadIdent(IDENT_FILE, memoryFiles({ [IDENT_FILE]: text }), new Map()));
    t.same(problems.map(worded), due(id, errors), `file ${id}`);
  }
  t.end();
});
