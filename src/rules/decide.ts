// The decision: facts in, verdict out. Records in file order, the first full match decides, and what it decides
// stands (semantics §5, §6). Pure and synchronous; a name look-up is asked for, never made.

import { authenticate } from './authenticate.ts';
import { matchRecord, Subject } from './match.ts';
import { hostNameDetail, noEntryMessage } from './texts.ts';
import type { Facts, Refusal, RuleBook, Verdict } from './types.ts';

/**
 * Decides one connection. A `look-up` verdict asks for the client's reverse name or that name's addresses: put
 * them into the facts and decide again, at most twice.
 */
export function decide(book: RuleBook, facts: Facts): Verdict {
  const subject = new Subject(facts, book.roles);
  for (const record of book.hba.records) {
    const outcome = matchRecord(record, subject);
    switch (outcome) {
      case 'type':
      case 'address':
      case 'database':
      case 'user':
        continue;
      case 'reverse':
      case 'forward':
        return { kind: 'look-up', want: outcome };
      case 'match':
        return authenticate(record, book.ident, subject);
    }
  }
  // SECURITY: no record matches, so nobody gets in.
  return noEntry(facts);
}

function noEntry(facts: Facts): Refusal {
  return {
    kind: 'refuse',
    code: 'hba-no-entry',
    record: null,
    sqlstate: '28000',
    message: noEntryMessage(facts),
    detail: hostNameDetail(facts),
    notes: [],
    identity: null,
  };
}
