// What changes for clients because the server had TLS off and the gate has it on (contract §8).

import type { KeptLine, Note } from './hba.ts';
import { admittedBy } from './overlap.ts';

/** A note for each line that matches from now on, and for each that from now on leaves clients to a later one. */
export function sslOffNotes(kept: readonly KeptLine[]): Note[] {
  const records = kept.map(({ record }) => record);
  return records.flatMap((record, index) => {
    const { file, line, type, method } = record;
    const note = (reason: string): Note[] => [{ file, line, reason, serious: true }];
    if (type === 'hostssl' && method !== 'reject')
      return note('the server has ssl = off, so this line has never matched; from now on it does');
    if (type !== 'hostnossl') return [];
    const taker = admittedBy({ ...record, type: 'hostssl' }, records.slice(index + 1));
    if (taker === null) return [];
    return note(
      `the server has ssl = off, so this line has matched every client; line ${taker.line} would now admit those that use TLS`,
    );
  });
}
