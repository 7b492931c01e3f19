// What pki has issued can be revoked, whatever has become of its files and however many commands run at once.

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runProgram, type Finished } from '../support/run/program.ts';
import type { Scope } from '../support/run/scope.ts';
import { locked } from '../../src/pki/lock-file.ts';
import { temporaryDirectory } from '../support/run/temporary.ts';
import { needs, toolPath } from '../support/run/tools.ts';

/** A folder with an authority, and the command on it. */
async function setUp(t: Scope) {
  const dir = join(temporaryDirectory(t), 'pki');
  const pki = (...args: string[]): Promise<Finished> => runProgram(['pki', ...args, '--dir', dir]);
  const done = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await pki(...args);
    if (code !== 0) throw new Error(`pki ${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  await done('init');
  const serial = (name: string): string =>
    BigInt(`0x${new X509Certificate(readFileSync(join(dir, `${name}.crt`))).serialNumber}`).toString();
  /** As OpenSSL reads the list. */
  const revoked = (): string[] => {
    const args = ['crl', '-in', join(dir, 'ca.crl'), '-noout', '-text'];
    const list = execFileSync(toolPath('openssl'), args, { encoding: 'utf8' });
    const serials = [...list.matchAll(/Serial Number: ([0-9A-F]+)/g)];
    return serials.map(([, hex]) => BigInt(`0x${hex}`).toString()).toSorted();
  };
  return { dir, pki, done, serial, revoked };
}

void test(
  'a certificate whose files were replaced is revoked with its successor',
  needs('openssl'),
  async (t) => {
    const { done, serial, revoked } = await setUp(t);
    await done('client', 'alice');
    const serials = [serial('alice')];
    for (let round = 0; round < 2; round++) {
      await done('client', 'alice', '--force');
      serials.push(serial('alice'));
    }
    t.match(await done('revoke', 'alice'), /^alice is revoked: 3 certificates\n/);
    t.strictSame(revoked(), serials.toSorted());
    t.match(await done('revoke', 'alice'), /^alice was revoked before\n/);
    await done('client', 'alice', '--force');
    t.match(await done('revoke', 'alice'), /^alice is revoked\n/, 'only the new one was left');
  },
);

void test('one of several is revoked by its serial number', needs('openssl'), async (t) => {
  const { done, pki, serial, revoked } = await setUp(t);
  await done('client', 'alice');
  const old = serial('alice');
  await done('client', 'alice', '--force');
  t.match(
    await done('revoke', '--serial', `0x${BigInt(old).toString(16)}`),
    `certificate ${old} is revoked\n`,
  );
  t.strictSame(revoked(), [old]);
  t.match(await pki('revoke', '--serial', '12345'), {
    code: 1,
    stderr: /has issued no certificate with serial number 12345/,
  });
  t.match(await pki('revoke'), { code: 2, stderr: /give either a name or --serial/ });
  t.match(await pki('revoke', 'alice', '--serial', old), { code: 2 });
});

void test('a folder without an index forgets nothing from now on', needs('openssl'), async (t) => {
  const { dir, done, serial, revoked } = await setUp(t);
  await done('client', 'alice');
  const old = serial('alice');
  rmSync(join(dir, 'ca.index'));
  await done('client', 'alice', '--force');
  await done('revoke', 'alice');
  t.strictSame(revoked(), [old, serial('alice')].toSorted());
});

void test('of eight commands at once none is lost', needs('openssl'), async (t) => {
  const { dir, done, serial, revoked } = await setUp(t);
  const names = Array.from({ length: 8 }, (_, index) => `client-${index}`);
  await Promise.all(names.map((name) => done('client', name)));
  t.equal(readFileSync(join(dir, 'ca.index'), 'utf8').split('\n').length - 1, 8);
  await Promise.all(names.map((name) => done('revoke', name)));
  t.strictSame(revoked(), names.map(serial).toSorted());
  t.notOk(
    readdirSync(dir).some((file) => file.endsWith('.new') || file === 'ca.lock'),
    'nothing is left behind',
  );
});

void test('a lock that was left behind is named, and not waited for', async (t) => {
  const { dir, pki } = await setUp(t);
  const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' });
  writeFileSync(join(dir, 'ca.lock'), dead);
  t.match(await pki('client', 'alice'), {
    code: 1,
    stderr: new RegExp(`ca\\.lock was left behind by process ${dead.trim()}; remove it`),
  });
});

void test('a command that has ended just when its lock was read has left nothing behind', async (t) => {
  const lock = join(temporaryDirectory(t), 'ca.lock');
  const dead = execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' });
  writeFileSync(lock, dead);
  // It ends between the look at its lock and the one at whether it is alive.
  const asked = t.capture(process, 'kill', (): true => {
    rmSync(lock);
    throw Object.assign(new Error('kill ESRCH'), { code: 'ESRCH' });
  });
  t.equal(await locked(lock, async () => 'done'), 'done');
  t.match(asked(), [{ args: [Number(dead), 0] }]);
});
