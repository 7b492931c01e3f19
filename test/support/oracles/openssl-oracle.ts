// OpenSSL 3 itself, the library that PostgreSQL is linked with, asked what it makes of files.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { atEnd, type Scope } from '../run/scope.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/openssl/oracle.py', import.meta.url));

/** What OpenSSL says: an error's reason, or what it loaded. Kind 1 is a certificate, 2 a list; SHA-256 of the DER. */
export interface OracleAnswer {
  readonly error?: string;
  readonly objects?: readonly (readonly [kind: 1 | 2, digest: string])[];
  readonly [field: string]: unknown;
}

/** A running oracle: `ask` sends one question, and answers come in order. */
export function opensslOracle(t: Scope): { ask: (question: object) => Promise<OracleAnswer> } {
  const child = spawn('/usr/bin/python3', [PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  atEnd(t, async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  return {
    ask: async (question) => {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const { value } = await lines.next();
      if (typeof value !== 'string') throw new Error('the OpenSSL oracle has ended');
      const answer: OracleAnswer = JSON.parse(value);
      return answer;
    },
  };
}
