// docs/first-day.md, carried out as its reader would: every block of commands in its order in one shell, before PostgreSQL
// 10, each step, its way back, and the step again. What a block prints has the lines that the page shows after it. The
// gate's folder begins as the Debian package leaves it, and the gate runs as a user of its own, as its unit says.

import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import root, { type Test } from 'tap';
import { Arrivals } from '../support/run/waiting.ts';
import { requireTools, toolPath } from '../support/run/tools.ts';
import { requireNetworkNamespace } from '../support/servers/network-namespace.ts';
import {
  executableFolder,
  runAsServer,
  serverAccount,
  templateDirectory,
} from '../support/servers/postgres-binaries.ts';

requireNetworkNamespace(root, { hosts: '127.0.0.1 localhost\n10.55.0.2 db.example.com\n', nss: 'files' });
requireTools(root, 'psql');

const repository = fileURLToPath(new URL('../../', import.meta.url));

interface Block {
  /** `sh`, `sh back`, `sh check`, `sh after`, `text` or the language of something that is shown only. */
  readonly kind: string;
  readonly body: string;
}

/** A part of the page: a step with its way back, or what comes before the steps. */
interface Step {
  readonly title: string;
  readonly blocks: readonly Block[];
}

const page = readFileSync(join(repository, 'docs/first-day.md'), 'utf8');
const steps: readonly Step[] = page.split(/^## /m).map((text) => ({
  title: text.slice(0, text.indexOf('\n')),
  blocks: [...text.matchAll(/^```([^\n]+)\n(.*?)^```$/gms)].map(([, kind = '', body = '']) => ({
    kind,
    body,
  })),
}));

/** The machine's own commands as far as the page uses them. What they start ends with the shell. */
const MACHINE = String.raw`
shopt -s expand_aliases
chgrp() { local group="$1"; shift; [ "$group" != pg-gatehouse ] || group="$GATE_ACCOUNT"; command chgrp "$group" "$@"; }
as_gate="setpriv --reuid $GATE_ACCOUNT --regid $GATE_ACCOUNT --clear-groups"
await() { while read -r -u "$1" line; do echo "$line" >> "$RUN/log"; case "$line" in *"$2"*) return 0;; esac; done; }
systemctl() {
  case "$1 $2" in
    'enable pg-gatehouse') ;;
    'start pg-gatehouse')
      $as_gate pg-gatehouse check --config "$GATE/gatehouse.yaml" > "$RUN/check" 2>&1 || { cat "$RUN/check"; return 1; }
      $as_gate --pdeathsig KILL pg-gatehouse serve --config "$GATE/gatehouse.yaml" > "$RUN/8" 2>&1 & gate=$!
      await 8 'ready to accept connections' ;;
    'stop pg-gatehouse') kill -INT $gate; wait $gate ;;
    'start postgresql')
      setpriv --reuid "$SERVER_UID" --regid "$SERVER_GID" --clear-groups --pdeathsig KILL \
        postgres -D "$PGDATA" > "$RUN/9" 2>&1 & server=$!
      await 9 'database system is ready to accept connections' ;;
    'stop postgresql') kill -INT $server; wait $server ;;
    restart*) systemctl stop "$2"; systemctl start "$2" ;;
    *) echo "systemctl $*?" >&2; return 1 ;;
  esac
}
`;

class Shell {
  readonly #lines = new Arrivals<string>();
  readonly #child;

  constructor(scope: Test, env: Readonly<Record<string, string>>) {
    this.#child = spawn('bash', ['--norc', '-s'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    scope.teardown(() => this.#child.kill('SIGKILL'));
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#lines.push(line));
    this.#child.stdin.write('exec 2>&1\n');
  }

  /** Runs commands; what they print, and the status of the last one. */
  async run(commands: string): Promise<{ readonly lines: readonly string[]; readonly status: number }> {
    const from = this.#lines.items.length;
    this.#child.stdin.write(`${commands}\necho "-- $? --"\n`);
    const end = await this.#lines.next(
      (line) => /^-- \d+ --$/.test(line),
      () => `the shell to carry out\n${commands}\nit printed\n${this.#lines.items.slice(from).join('\n')}`,
      { from, timeoutMs: 60_000 },
    );
    return {
      lines: this.#lines.items.slice(from, this.#lines.items.indexOf(end, from)),
      status: Number(/\d+/.exec(end)?.[0]),
    };
  }
}

/** A PostgreSQL 10 as the page begins with: the page's rules, all addresses, a client with a password. */
async function prepare(scope: Test, shell: Shell, directory: string, rules: string): Promise<void> {
  const data = join(directory, 'data');
  runAsServer('cp', ['-Rp', templateDirectory(10), data]);
  appendFileSync(
    join(data, 'postgresql.conf'),
    `\nlisten_addresses = '*'\nunix_socket_directories = '${directory}'\nfsync = off\npassword_encryption = md5\n`,
  );
  writeFileSync(join(data, 'pg_hba.conf'), 'local all all trust\n');
  const asAdmin = `PGUSER=postgres PGDATABASE=postgres psql -q -h '${directory}'`;
  const { status, lines } = await shell.run(`
systemctl start postgresql &&
${asAdmin} -c "CREATE ROLE app LOGIN PASSWORD 'secret'" -c 'CREATE DATABASE app OWNER app' &&
cat > '${data}/pg_hba.conf' <<'END'
${rules}END
systemctl restart postgresql`);
  scope.equal(status, 0, lines.join('\n'));
}

/** Neither root nor the server: the account of the gate's own user and group. */
const GATE_ACCOUNT = 65_533;

/** The folder as the package leaves it; the account that the gate runs as, root's where no other may enter the checkout. */
function makeGateFolder(folder: string): number {
  const program = join(repository, 'bin/pg-gatehouse.js');
  const other = { uid: GATE_ACCOUNT, gid: GATE_ACCOUNT, cwd: '/' };
  const account = spawnSync(process.execPath, [program, '--version'], other).status === 0 ? GATE_ACCOUNT : 0;
  mkdirSync(folder);
  chownSync(folder, 0, account);
  chmodSync(folder, 0o750);
  for (const [from, name] of [
    ['packaging/debian', 'gatehouse.yaml'],
    ['config', 'pg_hba.conf'],
    ['config', 'pg_ident.conf'],
  ] as const)
    copyFileSync(join(repository, from, name), join(folder, name));
  return account;
}

root.setTimeout(240_000);
await root.test('the page', { timeout: 240_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'first-day-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true, maxRetries: 3 }));
  const { uid, gid } = serverAccount();
  chownSync(directory, uid, gid);
  chmodSync(directory, 0o755);
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  const gateFolder = join(directory, 'gate');
  const gateAccount = makeGateFolder(gateFolder);
  const keep = join(directory, 'keep');
  mkdirSync(keep);
  const command = `#!/bin/sh\nexec '${process.execPath}' '${repository}bin/pg-gatehouse.js' "$@"\n`;
  writeFileSync(join(bin, 'pg-gatehouse'), command, { mode: 0o755 });
  const shell = new Shell(t, {
    PATH: [bin, join(executableFolder(10), 'bin'), join(toolPath('psql'), '..'), '/usr/bin', '/bin'].join(
      ':',
    ),
    HOME: directory,
    RUN: directory,
    SERVER_UID: String(uid),
    SERVER_GID: String(gid),
    PGDATA: join(directory, 'data'),
    GATE_ACCOUNT: String(gateAccount),
    LC_ALL: 'C',
  });
  await shell.run(`mkfifo "$RUN/8" "$RUN/9"; exec 8<>"$RUN/8" 9<>"$RUN/9"\n${MACHINE}`);

  /** Carries blocks of these kinds out, and compares what they print with the text that follows each. */
  const carryOut = async ({ title, blocks }: Step, ...kinds: readonly string[]): Promise<void> => {
    for (const [index, { kind, body }] of blocks.entries()) {
      if (!kinds.includes(kind)) continue;
      const { lines, status } = await shell.run(body);
      const shown =
        blocks[index + 1]?.kind === 'text' ? (blocks[index + 1]?.body ?? '').trimEnd().split('\n') : [];
      let from = 0;
      for (const wanted of shown) {
        const at = lines.findIndex(
          (line, place) => place >= from && (/ /.test(wanted) ? line.includes(wanted) : line === wanted),
        );
        t.ok(at >= 0, `${title} (${kind}): ${wanted}`, { body, lines });
        from = at + 1;
      }
      if (shown.length === 0)
        t.equal(status, 0, `${title} (${kind}): ${body.split('\n')[0]}`, { body, lines });
    }
  };

  const [beginning, ...others] = steps;
  const settings = beginning?.blocks.find(({ kind }) => kind === 'sh')?.body ?? '';
  t.match(
    settings,
    /^export DB=db\.example\.com .*\nexport PGCONF=\S+ .*\nexport GATE=\S+ .*\nexport KEEP=\S+ .*\nexport PGUSER=app/,
  );
  await shell.run(
    settings
      .replace(/PGCONF=\S+/, `PGCONF=${join(directory, 'data')}`)
      .replace(/GATE=\S+/, `GATE=${gateFolder}`)
      .replace(/KEEP=\S+/, `KEEP=${keep}`),
  );
  await prepare(t, shell, directory, beginning?.blocks.find(({ kind }) => kind === 'pg_hba')?.body ?? '');
  await carryOut({ title: 'before', blocks: beginning?.blocks.slice(2) ?? [] }, 'sh');

  const numbered = others.filter(({ title }) => /^\d\. /.test(title));
  t.equal(numbered.length, 5);
  for (const step of numbered) {
    await carryOut(step, 'sh');
    t.ok(
      step.blocks.some(({ kind }) => kind === 'sh back'),
      `${step.title} has a way back`,
    );
    await carryOut(step, 'sh back', 'sh check');
    await carryOut(step, 'sh', 'sh after');
  }
  if (!t.passing()) t.comment(readFileSync(join(directory, 'log'), 'utf8'));
  await shell.run('systemctl stop pg-gatehouse; systemctl stop postgresql');
});
