// `completion bash|zsh|fish` (contract §17): each script run by its own shell, which is asked for what follows a beginning.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { schema } from '../../src/config/schema.ts';
import { runProgram, runToEnd } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

/** What is typed, and the one word that it can only become. */
const becomes: readonly (readonly [typed: string, word: string])[] = [
  ['che', 'check'],
  ['pki rev', 'revoke'],
  ['check --js', '--json'],
  ['--config /etc/hostname --se', '--set'],
  ['explain --expect ad', 'admit'],
  ['pki client bob --key-type r', 'rsa'],
  ['--set upstream.connect', 'upstream.connect_timeout='],
  ['check --config /etc/hostn', '/etc/hostname'],
  ['completion f', 'fish'],
];

async function scriptOf(
  t: { equal: (found: unknown, wanted: unknown) => void },
  shell: string,
): Promise<string> {
  const { code, stdout, stderr } = await runProgram(['completion', shell]);
  t.equal(code, 0);
  t.equal(stderr, '');
  return stdout;
}

await test('bash', async (t) => {
  const script = await scriptOf(t, 'bash');
  const file = join(temporaryDirectory(t), 'completion.bash');
  writeFileSync(file, script);
  const ask = `source "$1"; shift
    complete -p pg-gatehouse >/dev/null || exit 3
    while read -r -a COMP_WORDS; do
      [[ \${COMP_WORDS[-1]} == . ]] && COMP_WORDS[-1]=
      COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _pg_gatehouse; echo "\${COMPREPLY[*]}"
    done`;
  const more = ['pki .', '--set .', 'check --config = /etc/hostn', 'terminate reload --jso'];
  const input = [...becomes.map(([typed]) => typed), ...more]
    .map((typed) => `pg-gatehouse ${typed}\n`)
    .join('');
  const { code, stdout, stderr } = await runToEnd('bash', ['--norc', '-c', ask, 'bash', file], { input });
  t.strictSame([code, stderr], [0, '']);
  const answers = stdout.split('\n');
  for (const [index, [typed, word]] of becomes.entries()) t.equal(answers[index], word, typed);
  const [pki, set, equals, positional] = answers.slice(becomes.length);
  t.equal(pki, 'init server client revoke help -h --help');
  t.match(
    set?.split(' '),
    Object.keys(schema).map((name) => `${name}=`),
    'every setting',
  );
  t.equal(equals, '/etc/hostname', '--config=FILE');
  t.equal(positional, '--json', 'an argument that is a command elsewhere');
});

await test('fish', needs('fish'), async (t) => {
  const file = join(temporaryDirectory(t), 'completion.fish');
  writeFileSync(file, await scriptOf(t, 'fish'));
  const ask = 'source $argv[1]; for typed in $argv[2..-1]; complete -C "pg-gatehouse $typed"; echo ==; end';
  const env = { HOME: temporaryDirectory(t) };
  const asked = await runToEnd(
    toolPath('fish'),
    ['-N', '-c', ask, file, ...becomes.map(([typed]) => typed)],
    { env },
  );
  t.strictSame([asked.code, asked.stderr], [0, '']);
  const answers = asked.stdout.split('==\n').map((answer) => answer.trimEnd().split('\t')[0]);
  for (const [index, [typed, word]] of becomes.entries()) t.equal(answers[index], word, typed);
});

/** zsh completes in its line editor only, so it gets a terminal; Ctrl-X prints the line as it stands. */
const TERMINAL = String.raw`
import os, pty, select, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp('zsh', ['zsh', '-f', '-i'])
def until(mark):
    seen = b''
    while mark not in seen:
        if not select.select([fd], [], [], 20)[0]: sys.exit('no answer: %r' % seen)
        seen += os.read(fd, 65536)
    return seen
os.write(fd, b'''PS1=; fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D; dump() { print -rn -- "<<$BUFFER>>"; BUFFER= }; zle -N dump; bindkey "^X" dump; print READ""Y\n''' % sys.argv[1].encode())
until(b'READY\r\n')
for line in sys.stdin:
    os.write(fd, b'pg-gatehouse ' + line.rstrip('\n').encode() + b'\t\x18')
    print(until(b'>>').split(b'<<')[-1].split(b'>>')[0].decode())
os.close(fd)
`;

await test('zsh', needs('zsh', 'python3'), async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, '_pg-gatehouse'), await scriptOf(t, 'zsh'));
  const input = becomes.map(([typed]) => `${typed}\n`).join('');
  const env = { TERM: 'vt100' };
  const asked = await runToEnd(toolPath('python3'), ['-c', TERMINAL, directory], { input, env });
  t.strictSame([asked.code, asked.stderr], [0, '']);
  const answers = asked.stdout.split('\n').map((line) => line.trimEnd().split(' ').at(-1));
  for (const [index, [typed, word]] of becomes.entries()) t.equal(answers[index], word, typed);
});

await test('a shell that is not known', async (t) => {
  const { code, stderr } = await runProgram(['completion', 'tcsh']);
  t.equal(code, 2);
  t.match(stderr, 'bash, zsh, fish');
});
