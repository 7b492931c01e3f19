#!/usr/bin/env node
// The command. Written for any Node, so that one that is too old is told so instead of failing on syntax.

import { readFileSync } from 'fs';

var needed = [24, 17];
var found = process.versions.node.split('.').map(Number);
if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  var version = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
  var words = ['npx -p node@26 -p pg-gatehouse@' + version + ' pg-gatehouse'].concat(
    process.argv.slice(2).map(function (word) {
      return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : "'" + word.replace(/'/g, "'\\''") + "'";
    }),
  );
  process.stderr.write(
    'pg-gatehouse needs Node ' +
      needed.join('.') +
      ' or newer; this is Node ' +
      process.versions.node +
      '\nThis command brings one along:\n  ' +
      words.join(' ') +
      '\n',
  );
  process.exit(1);
}

var command = process.argv[2];
var serves = command === undefined || command === 'serve' || command.charAt(0) === '-';

// What the gate needs of Node, which takes it at its start only: a small young generation, so that the buffers that TLS
// reads come in are collected by cheap scavenges (docs/decisions/0007), and no debugger on SIGUSR1, which would be every
// user's of this machine (docs/decisions/0035).
var flags = ['--max-semi-space-size=1', '--disable-sigusr1'];
var given = process.execArgv.join(' ') + ' ' + process.env.NODE_OPTIONS;
var missing = flags.filter(function (flag) {
  return given.indexOf(flag.split('=')[0].slice(2)) < 0;
});
// A process that takes the place of this one keeps its PID and its standard streams, and loses sockets that systemd
// has passed: config/systemd names the flags itself.
if (
  (serves || command === 'demo') &&
  missing.length > 0 &&
  process.execve &&
  process.env.LISTEN_FDS === undefined
) {
  process.execve(
    process.execPath,
    [process.execPath].concat(missing, process.execArgv, process.argv.slice(1)),
    Object.assign(
      {
        // A file system that does not answer holds threads of this pool (docs/decisions/0036): there are some to spare.
        UV_THREADPOOL_SIZE: '8',
        // glibc keeps what a reload has freed, unless told (docs/decisions/0105).
        MALLOC_ARENA_MAX: '2',
        MALLOC_MMAP_THRESHOLD_: '131072',
      },
      process.env,
    ),
  );
}

start().catch(function (error) {
  process.stderr.write(String((error && error.stack) || error) + '\n');
  process.exit(1);
});

async function start() {
  if (serves) {
    // Before the rest of the program is loaded: a signal that nobody listens for ends the process there and then.
    var signals = await import('../dist/base/signals.js');
    signals.holdSignals();
  }
  await import('../dist/cli.js');
}
