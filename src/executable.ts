// The single executable's way in: the whole program is this one file, and its own processes are this file once more
// (decision 101). Node's flags are built in; bin/pg-gatehouse.js is the way in under Node.

import { partOfThisProcess } from './base/own-process.ts';
import { holdSignals } from './base/signals.ts';

/** What libuv and glibc read when a process starts: decisions 36 and 105. */
const ENVIRONMENT = { UV_THREADPOOL_SIZE: '8', MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072' };

const part = partOfThisProcess();
switch (part) {
  case 'worker':
    process.title = 'pg-gatehouse: worker';
    await import('./server/workers/worker-start.ts');
    break;
  case 'console-engine':
    process.title = 'pg-gatehouse: console';
    await import('./console/engine-process.ts');
    break;
  case null: {
    const command = process.argv[2];
    // `ps` and `pgrep` show the gate and not Node.
    process.title = ['pg-gatehouse', ...process.argv.slice(2)].join(' ');
    const serves = command === undefined || command === 'serve' || command.startsWith('-');
    if (serves || command === 'demo') startAnewWithEnvironment();
    // A signal that nobody listens for ends the process there and then.
    if (serves) holdSignals();
    await import('./cli.ts');
    break;
  }
  default:
    part satisfies never;
}

/**
 * Takes the place of this process, once, with the variables set. It would lose sockets that systemd has passed; the unit
 * sets the variables itself.
 */
function startAnewWithEnvironment(): void {
  const isSet = Object.keys(ENVIRONMENT).every((name) => process.env[name] !== undefined);
  if (isSet || process.execve === undefined || process.env['LISTEN_FDS'] !== undefined) return;
  process.execve(process.execPath, [process.execPath, ...process.argv.slice(2)], {
    ...ENVIRONMENT,
    ...process.env,
  });
}
