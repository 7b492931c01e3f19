// psql's own commands at the console, and habits of PgBouncer's users: what is printed, or the error that says where to
// look.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runClient } from '../support/peers/psql.ts';
import { connectionString } from '../support/peers/psql.ts';
import { compatibility } from '../support/pages/compatibility.ts';
import { CONSOLE } from '../support/pages/compatibility-page.ts';
import { needs } from '../support/run/tools.ts';
import { atConsole, Talk } from './at-console.ts';

const page = compatibility(import.meta.url);

const RAN = String.raw`\conninfo, \timing, \x, \gdesc, \copy, several statements at once, errors, variables`;

const row = { client: 'psql 15 with libpq 15 and 18', server: CONSOLE, ran: RAN };

await page.row(row, needs('psql'), async (t) => {
  const { gate, conninfo } = await atConsole(t, { upstream: null });
  const file = join(gate.directory, 'copied');
  const script = [
    String.raw`\conninfo`,
    String.raw`\timing on`,
    'SELECT 1;',
    String.raw`\timing off`,
    String.raw`\x on`,
    `SELECT name, setting, restart FROM settings WHERE name = 'port';`,
    String.raw`\x off`,
    String.raw`SELECT pid, ssl, client_serial, backend_start FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \gdesc`,
    String.raw`\copy (SELECT line, rule FROM rules) TO '${file}' CSV HEADER`,
    String.raw`\d`,
    'SELECT 2;',
    String.raw`\l`,
    'SELECT 3; SELECT 4;',
    'SHOW HELP;',
    'BEGIN; SELECT 5; COMMIT;',
    'SELECT * FROM nowhere;',
    'SELECT no_such FROM rules;',
    'SELEC 1;',
    'SELECT 6;',
    String.raw`\set n 7`,
    'SELECT :n;',
    String.raw`SELECT 'a' || 'b', E'c\nd', $q$e$q$, interval_is_no_column FROM rules;`,
    String.raw`SELECT 'a' || 'b', $q$e$q$, "rule" FROM rules WHERE rule ~ '^host.*CERT' OR rule ~* '^HOST';`,
    'SHOW server_version;',
  ];
  for (const libpq of [15, 18] as const) {
    const { stdout, stderr, code } = await runClient(
      'psql',
      ['-X', '-w', connectionString(conninfo('alice'))],
      {
        input: `${script.join('\n')}\n`,
        libpq,
      },
    );
    const printed = `${stdout}\n${stderr}`;
    t.equal(code, 0);
    t.match(printed, 'You are connected to database "gatehouse" as user "alice"');
    t.match(printed, /^Time: [\d.,]+ ms/m);
    t.match(printed, /^name +\| port$/m);
    t.match(printed, /pid +\| integer/);
    t.match(printed, /ssl +\| boolean/);
    t.match(printed, /client_serial \| numeric/);
    t.match(printed, /backend_start \| timestamp with time zone/);
    t.match(printed, 'COPY 1');
    t.equal(readFileSync(file, 'utf8'), 'line,rule\n1,hostssl all all 127.0.0.1/32 cert\n');
    for (const n of [2, 3, 4, 5, 6, 7]) t.match(printed, new RegExp(String.raw`^ +${n}$`, 'm'));
    t.match(printed, /NOTICE: {2}Console usage\nDETAIL: {2}\n\tSHOW HELP\|TABLES/);
    t.match(printed, 'ERROR:  relation "nowhere" does not exist');
    t.match(printed, 'HINT:  SHOW TABLES lists what there is.');
    t.match(printed, 'ERROR:  column "no_such" does not exist');
    t.match(printed, 'ERROR:  "SELEC" is not a command of the console');
    t.match(printed, /^ ab +\| e +\| hostssl all all/m);
    t.match(printed, /18\.0 \(pg-gatehouse /);
    t.notMatch(printed, 'connection to server was lost');
  }
  t.ok(existsSync(file));
});

await test('\\watch goes on until it is stopped', needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const talk = new Talk(t, conninfo('bob'));
  talk.send(String.raw`SELECT count(*) FROM rules \watch 0.05`);
  await talk.lines(3, /^1$/);
});

await test("PgBouncer's commands have its columns", needs('psql'), async (t) => {
  const { conninfo } = await atConsole(t, { upstream: null });
  const shown = async (command: string): Promise<string> => {
    const { stdout, stderr } = await runClient('psql', [
      '-X',
      '-w',
      '-A',
      '-c',
      command,
      connectionString(conninfo('bob')),
    ]);
    return `${stdout.split('\n')[0]}${stderr}`;
  };
  const links =
    'type|user|database|replication|state|addr|port|local_addr|local_port|connect_time|request_time|wait|wait_us|' +
    'close_needed|ptr|link|remote_pid|tls|application_name|prepared_statements|id';
  t.equal(await shown('SHOW CLIENTS'), links);
  t.equal(await shown('show servers;'), links);
  t.equal(await shown('SHOW CONFIG'), 'key|value|default|changeable');
  t.equal(await shown('SHOW LISTS'), 'list|items');
  t.equal(await shown('SHOW STATE'), 'key|value');
  t.equal(await shown('SHOW VERSION'), 'version');
  t.match(await shown('SHOW DATABASES'), /^name\|host\|port\|database\|force_user\|/);
  t.match(await shown('SHOW STATS'), /^database\|total_/);
  t.equal(await shown('SHOW TOTALS'), 'name|value');
  t.equal(await shown('SHOW STAT_SSL'), 'pid|ssl|version|cipher|bits|client_dn|client_serial|issuer_dn');
  t.match(await shown('SHOW nothing'), 'unrecognized configuration parameter "nothing"');
});

await page.complete();
