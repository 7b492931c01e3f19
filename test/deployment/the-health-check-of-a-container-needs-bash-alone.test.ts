// config/docker/healthcheck.sh, which the image and the Compose file run: against real gates, with nothing on its PATH.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { portOf } from '../support/run/free-port.ts';
import { startGate } from '../support/run/gate.ts';
import { runToEnd } from '../support/run/program.ts';

const config = fileURLToPath(new URL('../../config/', import.meta.url));
const SCRIPT = `${config}docker/healthcheck.sh`;

async function check(...args: readonly (string | number)[]): Promise<number | null> {
  const { code } = await runToEnd('/bin/bash', [SCRIPT, ...args.map(String)], {
    env: { PATH: '/nonexistent' },
  });
  return code;
}

await test('ready, not ready, gone, and by the second port', async (t) => {
  const gate = await startGate(t, {
    hba: 'host all all all trust\n',
    upstream: { host: '127.0.0.1', port: 1 },
    config: { admin: { listen: '127.0.0.1:0', status_listen: '127.0.0.1:0' } },
  });
  const { url } = await gate.waitForLog({ msg: /^status listener on / });
  const [status, admin] = [new URL(String(url)).port, new URL(gate.adminUrl).port];
  // Nobody listens there. A port that was free a moment ago may be somebody else's by now.
  const nobody = 1;
  t.equal(await check('/healthz', status), 0);
  t.equal(await check('/readyz', status), 1, 'the upstream is down');
  t.equal(await check('/healthz', admin), 0, 'the admin listener answers too');
  t.equal(await check('/healthz', nobody, admin), 0, 'where nothing answers the next port is asked');
  t.equal(await check('/readyz', nobody, admin), 1);
  t.equal(await check('/healthz', nobody), 1);

  const silent = createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-other\r\n'));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  t.equal(await check('/healthz', portOf(silent)), 1, 'another program answers');
});

await test('Compose and the image run it', (t) => {
  t.match(
    readFileSync(`${config}docker-compose.yaml`, 'utf8'),
    'test: [CMD, bash, /opt/pg-gatehouse/healthcheck.sh, /readyz]',
  );
  t.match(readFileSync(`${config}docker/gatehouse.yaml`, 'utf8'), "status_listen: '*:9433'");
  t.match(
    readFileSync(`${config}../packaging/image/rootfs.sh`, 'utf8'),
    'config/docker/healthcheck.sh" "$root/opt/pg-gatehouse/healthcheck.sh"',
  );
  t.match(readFileSync(SCRIPT, 'utf8'), '"${@:-9433 9432}"');
  t.end();
});
