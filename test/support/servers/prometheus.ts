// Debian's Prometheus on a free port of loopback, for one test.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../run/free-port.ts';
import { cleanEnvironment } from '../run/program.ts';
import { atEnd, type Scope } from '../run/scope.ts';
import { supervise } from '../run/supervise.ts';
import { toolPath } from '../run/tools.ts';

/**
 * Starts it; it ends with the test.
 *
 * @param directory for its data; paths in the configuration are relative to it
 * @param configuration of prometheus.yml
 * @returns its URL
 */
export async function startPrometheus(t: Scope, directory: string, configuration: object): Promise<string> {
  writeFileSync(join(directory, 'prometheus.yml'), JSON.stringify(configuration));
  const address = `127.0.0.1:${await freePort()}`;
  const prometheus = await supervise({
    command: toolPath('prometheus'),
    args: [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=${address}`,
    ],
    env: cleanEnvironment(),
    cwd: directory,
  });
  prometheus.stdout.resume();
  prometheus.stderr.resume();
  atEnd(t, () => prometheus.stop());
  return `http://${address}`;
}
