// COPY … TO STDOUT has PostgreSQL's bytes in each form that the console takes. A form that it does not take is an error, and
// never a file that looks like another one.

import { test } from 'tap';
import { psql } from '../support/peers/psql.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import { atEnd } from '../support/run/scope.ts';
import { needs } from '../support/run/tools.ts';
import { trustingConsole } from './at-trusting-console.ts';

const ROWS = `(VALUES (1, 'a,b'), (2, NULL), (3, ''), (4, 'x|y;"z"'), (5, E'a\\tb\\nc\\\\'))`;

await test('at both', needs('psql'), async (t) => {
  const server = await startPostgres({ version: 18 });
  atEnd(t, () => server.stop());
  await server.createUser('dba', { superuser: true });
  const gate = await trustingConsole(t);
  const places = [
    { host: '127.0.0.1', port: gate.port, user: 'dba', dbname: 'gatehouse' },
    { host: '127.0.0.1', port: server.port, user: 'dba', dbname: 'postgres' },
  ] as const;
  for (const form of [
    '',
    'CSV',
    'CSV HEADER',
    'WITH CSV HEADER DELIMITER AS $$;$$ NULL AS $$a,b$$',
    '(FORMAT csv)',
    'WITH (FORMAT csv, HEADER, NULL $$-$$)',
    '(FORMAT "csv", HEADER false)',
    '(HEADER on, DELIMITER $$|$$, NULL $$$$)',
    '(FORMAT text, HEADER, ENCODING $$UTF8$$)',
    '(DELIMITER $$a$$)',
  ]) {
    const [here, there] = await Promise.all(
      places.map(async (place) => {
        const { stdout, stderr } = await psql(place, ['-c', `COPY ${ROWS} TO STDOUT ${form}`]);
        return stdout + stderr;
      }),
    );
    t.equal(here, there, form);
  }
  for (const form of [
    'BINARY',
    '(FORMAT binary)',
    '(FORCE_QUOTE *)',
    '(ENCODING $$LATIN1$$)',
    '(QUOTE $$|$$)',
  ]) {
    const { stdout, stderr } = await psql(places[0], ['-c', `COPY ${ROWS} TO STDOUT ${form}`]);
    t.match(stderr, /ERROR: {2}the console does not support COPY (?:format|option) "/, form);
    t.equal(stdout, '', form);
  }
  const some = await psql(places[0], ['-c', 'COPY rules (line, rule) TO STDOUT CSV HEADER']);
  t.equal(some.stdout, 'line,rule\n1,host all all all trust\n', 'some columns of a table');
});
