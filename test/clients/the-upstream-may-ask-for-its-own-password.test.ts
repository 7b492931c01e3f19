// What the upstream asks for passes through the gate, and lines that demand a password get at least that: each line of
// the gate against each method of the upstream, with a certificate shown as well.

import { compatibility } from '../support/pages/compatibility.ts';
import { HBA } from '../support/servers/postgres.ts';
import { psql } from '../support/peers/psql.ts';
import { needs } from '../support/run/tools.ts';
import { behindGate } from './behind-gate.ts';

const page = compatibility(import.meta.url);

/** The gate's line (with clientcert=verify-full where it is not cert) against what the upstream asks for. */
const TABLE = `
line           trust   password  md5     scram-sha-256
cert           in      in        in      in
trust          in      in        in      in
password       weak    in        in      in
md5            weak    weak      in      in
scram-sha-256  weak    weak      weak    in
`;

const METHODS = ['trust', 'password', 'md5', 'scram-sha-256'] as const;

/** As the table has them. */
const LINES = TABLE.trim()
  .split('\n')
  .slice(1)
  .map((line) => line.split(/ +/))
  .map(([line = '', ...outcomes]) => ({ line, outcomes }));

/** The method of a line, with what makes it check the certificate too. */
function methodOf(line: string): string {
  return line === 'cert' ? line : `${line} clientcert=verify-full`;
}

for (const version of [10, 15, 18] as const) {
  await page.row(
    {
      client: '',
      server: `PostgreSQL ${version}`,
      ran: 'its own trust, password, md5 and scram-sha-256 after lines of cert, trust, password, md5 and scram-sha-256: the right password, a wrong one, and a method that is too weak',
    },
    needs('psql'),
    async (t) => {
      const hba = LINES.map(({ line }) => `hostssl "${line}" all all ${methodOf(line)}\n`).join('');
      const { server, conninfo } = await behindGate(t, { version, hba });
      for (const { line } of LINES) await server.createDatabase(line);
      for (const [i, method] of METHODS.entries()) {
        const encryption = method === 'md5' ? 'md5' : 'scram-sha-256';
        await server.query(`set password_encryption = '${encryption}'; alter role alice password 'secret'`);
        await server.setRules(HBA[method]);
        for (const { line, outcomes } of LINES) {
          const name = `line ${line}, upstream ${method}`;
          const place = { ...conninfo, dbname: line };
          const right = await psql({ ...place, password: 'secret' }, ['-c', 'select current_user']);
          if (outcomes[i] === 'weak') {
            t.equal(right.code, 2, name);
            t.match(
              right.stderr,
              `FATAL:  authentication failed for user "alice": the upstream server does not ask for ${line}`,
              name,
            );
            continue;
          }
          t.equal(right.stdout, 'alice\n', `${name}: ${right.stderr}`);
          if (method === 'trust') continue;
          const wrong = await psql({ ...place, password: 'guess' }, ['-c', 'select 1']);
          t.equal(wrong.code, 2, name);
          t.match(wrong.stderr, 'FATAL:  password authentication failed for user "alice"', name);
        }
      }
    },
  );
}

await page.complete();
