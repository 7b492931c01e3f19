// A file on a mount that does not answer: the part that needs it keeps its old state and says why, all others are read as
// ever, and the gate ends when it is told to. The mount is played by a library that is loaded before the C library: what
// it opens below `dead/` never comes back.

import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { startGate } from '../support/run/gate.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs } from '../support/run/tools.ts';

const LIBRARY = String.raw`
  #define _GNU_SOURCE
  #include <dlfcn.h>
  #include <fcntl.h>
  #include <stdarg.h>
  #include <string.h>
  #include <unistd.h>
  static int die(const char *path, int flags, unsigned mode, const char *name) {
    while (strstr(path, "/dead/") != NULL) pause();
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    return real(path, flags, mode);
  }
  #define OPEN(name) int name(const char *path, int flags, ...) { \
    va_list rest; va_start(rest, flags); unsigned mode = va_arg(rest, unsigned); va_end(rest); \
    return die(path, flags, mode, #name); }
  OPEN(open)
  OPEN(open64)
`;

await test('a CA on a dead mount', needs('gcc'), async (t) => {
  const folder = temporaryDirectory(t);
  writeFileSync(join(folder, 'dead.c'), LIBRARY);
  execFileSync('gcc', ['-shared', '-fPIC', '-o', join(folder, 'dead.so'), join(folder, 'dead.c'), '-ldl']);
  const gate = await startGate(t, {
    hba: 'hostssl all all all cert\n',
    upstream: { host: '127.0.0.1', port: 9 },
    via: 'dist',
    config: { ssl_ca_file: 'mount/ca.crt', reload: { watch: false } },
    prelude: `mkdir mount; cp ca.crt mount; export LD_PRELOAD=${join(folder, 'dead.so')}`,
  });
  mkdirSync(gate.path('dead'));
  renameSync(gate.path('mount/ca.crt'), gate.path('dead/ca.crt'));
  gate.rewrite('gatehouse.yaml', `ssl_ca_file: dead/ca.crt\nadmin:\n  listen: 127.0.0.1:0\n`);
  gate.rewrite('pg_hba.conf', 'hostssl all all all reject\n');
  for (let round = 0; round < 2; round++) {
    const from = gate.logLength();
    gate.reload();
    const line = await gate.waitForLog(
      { msg: /could not load root certificate file/ },
      { from, timeoutMs: 40_000 },
    );
    // The first read is overdue; every later one is not even begun.
    t.match(line.msg, /: (?:no answer within 10 s|an earlier read of its directory has not come back)$/);
    await gate.waitForLog({ msg: 'SSL configuration was not reloaded' }, { from });
    t.equal((await gate.admin('/healthz')).status, 200);
    const rules = await gate.admin('/rules');
    t.match(rules.body, /reject/, 'the rules were read');
  }
  gate.signal('SIGTERM');
  t.match(await gate.exited, { code: 0 }, 'and it ends');
});
