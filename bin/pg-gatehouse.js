#!/usr/bin/env node
// The command. Written for any Node, so that one that is too old is told so instead of failing on syntax.

var needed = [24, 17];
var found = process.versions.node.split('.').map(Number);
if (found[0] < needed[0] || (found[0] === needed[0] && found[1] < needed[1])) {
  process.stderr.write(
    'pg-gatehouse needs Node ' + needed.join('.') + ' or newer; this is Node ' + process.versions.node + '\n',
  );
  process.exit(1);
}

// What the gate runs best with (docs/decisions/0007): a small young generation, so that the buffers that TLS reads
// come in are collected by cheap scavenges before they add up to a full collection.
var flag = '--max-semi-space-size=1';
var command = process.argv[2];
var serves = command === undefined || command === 'serve' || command.charAt(0) === '-';
var chosen = (process.execArgv.join(' ') + ' ' + process.env.NODE_OPTIONS).indexOf('semi-space-size') >= 0;
// A process that takes the place of this one keeps its PID and its standard streams, and loses sockets that systemd
// has passed: config/systemd names the flag itself.
if (serves && !chosen && process.execve && process.env.LISTEN_FDS === undefined) {
  process.execve(
    process.execPath,
    [process.execPath, flag].concat(process.execArgv, process.argv.slice(1)),
    process.env,
  );
}

import('../dist/cli.js').catch(function (error) {
  process.stderr.write(String((error && error.stack) || error) + '\n');
  process.exit(1);
});
