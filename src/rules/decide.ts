// The decision: facts in, verdict out. Records in file order, the first full match decides, and what it decides
// stands (semantics §5, §6). Pure and synchronous; a name look-up is asked for, never made.

import { fromText, toText } from '../base/bytestring.ts';
import { fixedAnswer } from '../base/codes.ts';
import { runToEnd, type Steps } from '../base/steps.ts';
import { authenticate, namesOf } from './authenticate.ts';
import { matchRecord, Applicant } from './match.ts';
import { MAX_PRICE, TooExpensive } from './price.ts';
import { hostNameDetail, noEntryMessage } from './texts.ts';
import type { Facts, HbaRecord, Refusal, RuleBook, Verdict } from './types.ts';

/**
 * Decides one connection. A `look-up` verdict asks for the client's reverse name or that name's addresses, to be put
 * into the facts, or for the catalogue's memberships, to be put into the book: then decide again.
 */
export function decide(book: RuleBook, facts: Facts): Verdict {
  return runToEnd(decisionSteps(book, facts));
}

/** The same decision as work that may be interrupted, for the thread that relays sessions. */
export function* decisionSteps(book: RuleBook, facts: Facts): Steps<Verdict> {
  const applicant = new Applicant(facts, book, MAX_PRICE);
  let deciding: HbaRecord | null = null;
  try {
    for (const record of book.hba.records) {
      applicant.price.line();
      if (applicant.price.pauseIsDue()) yield;
      const outcome = matchRecord(record, applicant);
      switch (outcome) {
        case 'type':
        case 'address':
        case 'database':
        case 'user':
          continue;
        case 'reverse':
        case 'forward':
        case 'roles':
          return { kind: 'look-up', want: outcome };
        case 'match':
          deciding = record;
          return yield* authenticate(record, book.ident, applicant);
      }
    }
  } catch (error) {
    // SECURITY: what cannot be judged within the limit is refused; no later line is asked.
    if (error instanceof TooExpensive) return tooExpensive(facts, deciding);
    throw error;
  }
  // SECURITY: no record matches, so nobody gets in.
  return noEntry(facts);
}

function tooExpensive(facts: Facts, record: HbaRecord | null): Refusal {
  return {
    kind: 'refuse',
    code: 'decision-too-expensive',
    record,
    ...fixedAnswer('decision-too-expensive'),
    detail: fromText(record === null ? expensiveFile : expensiveMap(facts, record)),
    notes: [],
    identity: null,
  };
}

const expensiveFile = 'There are too many regular expressions in pg_hba.conf for a name of this length.';

function expensiveMap({ certificate }: Facts, record: HbaRecord): string {
  const count = certificate === null ? 0 : namesOf(certificate, record.clientName).length;
  const map = record.map === null ? 'no map' : `the map "${toText(record.map)}"`;
  return `The certificate has ${count} names of the kind ${record.clientName} to be tried on each line of ${map}.`;
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
